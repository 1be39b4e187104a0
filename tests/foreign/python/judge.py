"""What every script shares: the world under test, and the form in which checks report."""

import contextlib
import json
import os
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A script that hangs is a failed script.
DEADLINE_SECONDS = 150
# How long an expected event may take.
EVENT_SECONDS = 15

with open(os.environ["DRAGOMAN_FOREIGN"], encoding="utf-8") as _file:
    WORLD = json.load(_file)
SLACK = WORLD.get("slack", {})
TEAMS = WORLD.get("teams", {})
WEBEX = WORLD.get("webex", {})
ZOOM = WORLD.get("zoom", {})

_failed = 0
signal.alarm(DEADLINE_SECONDS)


def report(check, ok, detail=""):
    """Prints one check."""
    global _failed
    _failed += not ok
    print(json.dumps({"check": check, "ok": bool(ok), "detail": str(detail)[:800]}), flush=True)


@contextlib.contextmanager
def check(name):
    """Reports `name` as passed unless the body raises."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever a client raises is a finding
        report(name, False, f"{type(error).__name__}: {error}")
    else:
        report(name, True)


def same(found, wanted):
    """Raises unless both are equal."""
    if found != wanted:
        raise AssertionError(f"wanted {wanted!r}, found {found!r}")


def holds(condition, what):
    """Raises unless the condition holds."""
    if not condition:
        raise AssertionError(what)


def refused(error, call):
    """Calls, and returns the exception of type `error` that has to come."""
    try:
        answer = call()
    except error as raised:
        return raised
    raise AssertionError(f"was not refused: {answer}")


def wait_for(what, condition, seconds=EVENT_SECONDS):
    """Waits until `condition()` is true, and returns its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"did not come within {seconds} s: {what}")


def finish():
    """Ends the script with 1 when a check failed. Threads of clients that still run are left behind."""
    sys.stdout.flush()
    os._exit(1 if _failed else 0)


def http(method, url, body=None, headers=None):
    """Makes a plain request; returns status, headers and bytes."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if body is not None and not isinstance(body, bytes):
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def fault(base_url, method, kind, count=1, **details):
    """Orders a fault from a simulator."""
    order = {"matches": {"method": method}, "fault": {"kind": kind, **details}, "count": count}
    status, _, body = http("POST", f"{base_url}/_sim/faults", order)
    same((status, bool(body)), (201, True))


class Receiver:
    """A small server that keeps what it receives. `answer(handler, body)` returns status, type and bytes."""

    def __init__(self, port, answer, tls=False):
        self.received = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            """Keeps and answers."""

            def do_POST(self):
                """Handles one delivery."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, kind, data = answer(self, body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.received.append((self.path, headers, body))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(WORLD["certificate"], WORLD["key"])
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
