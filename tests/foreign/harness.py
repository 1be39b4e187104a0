"""Runs the vendors' clients against the simulators, inside a network without a way out.

`cargo xtask test --only foreign` calls this under `unshare --net --mount`. In there the real host names lead to this machine,
and the Teams simulator listens at port 443 with a certificate for them.
"""

import argparse
import datetime
import fcntl
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
NAMES = [
    "login.microsoftonline.com",
    "graph.microsoft.com",
    "login.botframework.com",
    "api.botframework.com",
    "smba.trafficmanager.net",
    "fabrikant.sharepoint.com",
]
SCRIPT_SECONDS = 180
# Where scripts listen for deliveries; free, since nobody else is in this network.
EVENTS_PORT = 9401
BOT_PORT = 9402


def enter_network():
    """Brings up the loopback interface and makes sure that there is no other."""
    with socket.socket() as probe:
        up = struct.pack("16sh", b"lo", 1)
        fcntl.ioctl(probe, 0x8914, up)
    interfaces = [name for _, name in socket.if_nameindex()]
    if interfaces != ["lo"]:
        sys.exit(f"this network has a way out ({interfaces}): start it with `cargo xtask test --only foreign`")


def name_hosts(folder):
    """Lets the services' names lead to this machine."""
    hosts = folder / "hosts"
    lines = ["127.0.0.1 localhost", "::1 localhost", *(f"127.0.0.1 {name}" for name in NAMES)]
    hosts.write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)


def make_certificates(folder):
    """Makes an authority and a certificate for the services' names, both good for a day."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)

    def build(name, key, issuer, issuer_key, is_authority):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False
            )
        )
        if is_authority:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            names = [x509.DNSName(name) for name in [*NAMES, "localhost"]]
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(server, critical=False)
        return builder.sign(issuer_key or key, hashes.SHA256())

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = build("Throw-away test authority", authority_key, None, None, True)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = build("graph.microsoft.com", key, authority, authority_key, False)
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "leaf.key").write_bytes(key.private_bytes(pem, *plain))


def read_document(stream):
    """Reads one JSON document, however it is laid out."""
    text = ""
    while line := stream.readline():
        text += line
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            continue
    sys.exit(f"the simulators ended before they told their addresses: {text}")


def run_script(arguments, script, folder):
    """Runs one script against fresh simulators; returns how many checks passed and failed."""
    ports = ["--events-port", str(EVENTS_PORT), "--bot-port", str(BOT_PORT)]
    files = {"--certificate": "leaf.pem", "--key": "leaf.key", "--authority": "ca.pem"}
    orders = folder / "orders"
    if not orders.exists():
        os.mkfifo(orders)
    files["--orders"] = "orders"
    command = [arguments.world, *ports, *(word for name, file in files.items() for word in (name, str(folder / file)))]
    world = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        document = read_document(world.stdout)
        document |= {"events_port": EVENTS_PORT, "bot_port": BOT_PORT}
        document |= {"dragoman": arguments.dragoman, "orders": str(orders), "ca_file": str(folder / "ca.pem")}
        document |= {"certificate": str(folder / "leaf.pem"), "key": str(folder / "leaf.key")}
        world_file = folder / "world.json"
        world_file.write_text(json.dumps(document), encoding="utf-8")
        return judge(arguments, script, folder, world_file)
    finally:
        world.stdin.close()
        try:
            world.wait(timeout=10)
        except subprocess.TimeoutExpired:
            print("the simulators did not stop when asked")
            world.kill()
            world.wait()


def judge(arguments, script, folder, world_file):
    """Runs one script and prints what it reports."""
    authority = str(folder / "ca.pem")
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    for name in ["SSL_CERT_DIR", "CURL_CA_BUNDLE"]:
        environment.pop(name, None)
    payloads = HERE.parent.parent.parent / "shared" / "platforms"
    environment.setdefault("DRAGOMAN_PAYLOADS", str(payloads))
    environment |= {
        "DRAGOMAN_FOREIGN": str(world_file),
        "REQUESTS_CA_BUNDLE": authority,
        "SSL_CERT_FILE": authority,
        "NODE_EXTRA_CA_CERTS": authority,
        "DRAGOMAN_NODE_CLIENTS": str(pathlib.Path(arguments.node_clients).resolve()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
    }
    command = [sys.executable, str(script)] if script.suffix == ".py" else ["node", str(script)]
    started = time.monotonic()
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SCRIPT_SECONDS, check=False
        )
        output, errors, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        output, errors, code = (late.stdout or b"").decode(), (late.stderr or b"").decode(), "time-out"
    passed = failed = 0
    for line in output.splitlines():
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        if not isinstance(result, dict) or "check" not in result:
            continue
        passed, failed = passed + result["ok"], failed + (not result["ok"])
        mark = "ok    " if result["ok"] else "FAILED"
        print(f"  {mark} {result['check']}" + (f": {result['detail']}" if result["detail"] else ""))
    ended_well = code == (1 if failed else 0) and passed + failed > 0
    if not ended_well:
        failed += 1
        print(f"  FAILED {script.name} ended with {code}\n{errors[-3000:]}")
    elif failed and arguments.verbose:
        print(errors[-3000:])
    print(f"  {script.name}: {time.monotonic() - started:.1f} s")
    return passed, failed


def main():
    """Runs all scripts, or those whose name contains one of the given words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", required=True, help="the program that starts the simulators")
    parser.add_argument("--dragoman", required=True, help="the gateway's binary")
    parser.add_argument("--node-clients", required=True, help="folder whose node_modules has the Node clients")
    parser.add_argument("--verbose", action="store_true", help="prints what a failed script wrote to standard error")
    parser.add_argument("words", nargs="*", help="runs scripts whose name contains one of these")
    arguments = parser.parse_args()
    enter_network()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dragoman-foreign-"))
    try:
        name_hosts(folder)
        make_certificates(folder)
        scripts = sorted([*HERE.glob("python/check_*.py"), *HERE.glob("node/check_*.mjs")])
        chosen = [path for path in scripts if not arguments.words or any(word in path.name for word in arguments.words)]
        passed = failed = 0
        for script in chosen:
            print(f"{script.parent.name}/{script.name}", flush=True)
            good, bad = run_script(arguments, script, folder)
            passed, failed = passed + good, failed + bad
        print(f"\n{passed} passed, {failed} failed")
        sys.exit(1 if failed or not passed else 0)
    finally:
        subprocess.run(["umount", "/etc/hosts"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
