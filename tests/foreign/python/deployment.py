"""The gateway set up as an operator would: its own commands, its own listener with TLS, the services' real names."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.error
import urllib.request

from judge import SLACK, TEAMS, WEBEX, WORLD, ZOOM, same, http, wait_for

ADDRESS = "127.0.0.1:9443"
OPS = "127.0.0.1:9464"
PUBLIC = "https://localhost:9443"


class Deployment:
    """A gateway of its own folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gateway-", dir=os.environ["HOME"]))
        self.config = self.folder / "dragoman.toml"
        self.log = self.folder / "log"
        self.process = None

    def run(self, *arguments):
        """Runs a command; returns what it printed as a document."""
        command = [WORLD["dragoman"], "--config", str(self.config), "--json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(arguments)}: {done.stdout} {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def make(self):
        """Writes the configuration as `init` does, with what differs here."""
        folder = self.folder
        command = [WORLD["dragoman"], "--config", str(self.config), "init", "--data-folder", str(folder / "data")]
        command += ["--key-folder", str(folder / "keys"), "--key-file", str(folder / "root.key"), "--public-url", PUBLIC]
        subprocess.run(command, check=True, capture_output=True)
        text = self.config.read_text(encoding="utf-8")
        slack, webex, zoom = SLACK["base_url"], WEBEX["base_url"], ZOOM["base_url"]
        text = settings(text, "slack", api_base=f"{slack}/api/", authorize_url=f"{slack}/oauth/v2/authorize")
        authorize, token = f"{webex}/v1/authorize", f"{webex}/v1/access_token"
        text = settings(text, "webex", api_base=f"{webex}/v1/", authorize_url=authorize, token_url=token)
        hosts = {"api_base": f"{zoom}/v2/", "oauth_base": f"{zoom}/oauth/", "ws_url": f"ws{zoom[4:]}/ws"}
        files = {"files_base": f"{ZOOM['files_url']}/v2/", "file_hosts": []}
        text = settings(text, "zoom", compliance_url=f"{zoom}/oauth/data/compliance", settle_ms=0, **hosts, **files)
        # Notes that name who reacted do not wait for others.
        text = settings(text, "relay", reaction_gather_ms=300)
        listen = f'address = "{ADDRESS}"\ncertificate = "{WORLD["certificate"]}"\nprivate_key = "{WORLD["key"]}"'
        text = re.sub(r'(?ms)(^\[listen\].*?)^address = "[^"]*"', rf"\g<1>{listen}", text, count=1)
        text = re.sub(r"(?m)^allow_private = .*", f'allow_private = true\nextra_ca = "{WORLD["ca_file"]}"', text)
        self.config.write_text(text, encoding="utf-8")

    def start(self):
        """Starts `serve` and waits until it is ready."""
        log = self.log.open("a", encoding="utf-8")
        command = [WORLD["dragoman"], "--config", str(self.config), "serve"]
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        wait_for("the gateway", self.ready)

    def ready(self):
        """Whether the gateway says that it is ready."""
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended: {self.log.read_text(encoding='utf-8')[-1500:]}")
        try:
            with urllib.request.urlopen(f"http://{OPS}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self):
        """Ends the gateway without warning."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks the gateway to end, and returns its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=20)

    def install(self, platform, values, features=(), ready=lambda app: None):
        """Registers and installs an app as an admin would, who is `ready` in between; returns the app."""
        given = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
        given += [word for feature in features for word in ("--features", feature)]
        app = self.run("app", "add", platform, *given)
        ready(app)
        link = self.run("install", "start", platform, "--no-wait")["link"]
        try:
            with urllib.request.urlopen(link, timeout=20) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"the browser ended at {error.url}: {error.code} {error.read()[:500]}") from None
        return app

    def reference(self, scope, name):
        """How `bridge add` names a conversation."""
        found = self.run("install", "conversations", "--search", name, "--scope", scope)
        names = [one["name"].lstrip("#").split("/")[-1].strip() for one in found]
        return found[names.index(name)]["reference"] if name in names else None


def settings(text, section, **values):
    """The configuration with other values in a section."""
    head, mark, rest = text.partition(f"[{section}]\n")
    body, end, tail = rest.partition("\n[")
    for key, value in values.items():
        line = f"{key} = {json.dumps(value)}"
        body, count = re.subn(rf"(?ms)^{key} = (\[.*?\]|[^\n]*)$", lambda _, line=line: line, body, count=1)
        same((key, count), (key, 1))
    return head + mark + body + end + tail


def order(**what):
    """Gives an order to the simulators."""
    with open(WORLD["orders"], "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(what) + "\n")


def set_up(gateway, slack_app, slack_features=()):
    """Sets a gateway up with this app on Slack, and one on Teams; returns the channels to link."""
    gateway.make()
    gateway.start()
    gateway.run("org", "add", "Harbor")
    values = {key: slack_app[key] for key in slack_app if key != "app_id"}
    app = gateway.install("slack", values | {"signing_secret": SLACK["signing_secret"]}, slack_features)
    if slack_app.get("transport") != "socket":
        order(slack_events=app["hooks_url"] + "/events")
    registration = {
        "app_id": TEAMS["gateway"]["app_id"],
        "client_secret": TEAMS["gateway"]["app_secret"],
        "tenant_id": TEAMS["tenant"],
    }
    app = gateway.install("teams", registration)
    order(teams_bot=app["hooks_url"] + "/messages")
    # The gateway hears of the team when the app is installed there.
    launch = wait_for("the channel in Teams", lambda: gateway.reference("teams", "launch"))
    return [gateway.reference("slack", "general"), launch]


def bridge(gateway, slack_app):
    """Links `general` on Slack and `launch` on Teams."""
    gateway.run("bridge", "add", *set_up(gateway, slack_app))


def bridge_all(gateway):
    """Links those, a space on Webex and a channel on Zoom, with everything switched on."""
    features = ["reactions", "files", "email", "direct-messages"]
    members = set_up(gateway, SLACK["gateway"], features)
    gateway.install("webex", {key: WEBEX[key] for key in ("client_id", "client_secret")})

    def subscribe(app):
        answer = {"app": ZOOM["app_id"], "events_url": app["hooks_url"] + "/events"}
        same(http("POST", f"{ZOOM['base_url']}/_sim/zoom/app", answer)[0], 200)

    keys = {key: ZOOM[key] for key in ("client_id", "client_secret", "secret_token")}
    features = ["messages", "reactions", "files", "direct-messages"]
    gateway.install("zoom", keys | {"bridge_user": ZOOM["people"]["bridge"]}, features, subscribe)
    members.append(wait_for("the space on Webex", lambda: gateway.reference("webex", "General")))
    members.append(wait_for("the channel on Zoom", lambda: gateway.reference("zoom", "General")))
    gateway.run("bridge", "add", *members)
