"""Change notifications judged by an independent receiver: handshake, validation tokens (PyJWT), decryption."""

import base64
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import urllib.parse

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.x509.oid import NameOID
from judge import TEAMS, WORLD, Receiver, check, finish, holds, http, report, same, wait_for
from microsoft import GRAPH, application, sign_in

CHANGE_TRACKING = "0bf30f3b-4a52-48df-9a82-234910c4a086"
RESOURCE = f"/teams/{TEAMS['team']}/channels/{TEAMS['channel']}/messages"
KEYS = "https://login.microsoftonline.com/common/discovery/v2.0/keys"
private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate():
    """A self-made certificate for the private key, as subscriptions want it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "notifications")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .sign(private_key, hashes.SHA256())
    )
    return base64.b64encode(built.public_bytes(serialization.Encoding.DER)).decode()


def answer(handler, body):
    """Answers the handshake with its token and everything else with 202."""
    query = urllib.parse.parse_qs(urllib.parse.urlparse(handler.path).query)
    if "validationToken" in query:
        return 200, "text/plain", query["validationToken"][0].encode()
    return 202, "text/plain", b""


def decrypt(content, private_key=private_key):
    """Decrypts as Graph's documentation describes, with a general library."""
    sha1 = hashes.SHA1()  # noqa: S303 - the platform's choice
    oaep = padding.OAEP(mgf=padding.MGF1(algorithm=sha1), algorithm=sha1, label=None)
    key = private_key.decrypt(base64.b64decode(content["dataKey"]), oaep)
    data = base64.b64decode(content["data"])
    expected = hmac.new(key, data, hashlib.sha256).digest()
    holds(hmac.compare_digest(expected, base64.b64decode(content["dataSignature"])), "the signature holds")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    unpad = PKCS7(128).unpadder()
    plain = unpad.update(decryptor.update(data) + decryptor.finalize()) + unpad.finalize()
    return json.loads(plain)


receiver = Receiver(WORLD["bot_port"], answer, tls=True)
app_token = application().acquire_token_for_client(GRAPH)["access_token"]
person_token = sign_in("dana")[1]["access_token"]
GRAPH_URL = "https://graph.microsoft.com/v1.0"


def graph(method, path, body=None, token=app_token):
    """Calls Graph."""
    status, _, data = http(method, GRAPH_URL + path, body, {"Authorization": f"Bearer {token}"})
    return status, json.loads(data) if data else None


def notifications():
    """All notifications so far, each with the validation tokens of its batch."""
    found = []
    for path, _, body in list(receiver.received):
        if "validationToken" not in path and path.startswith("/notify"):
            batch = json.loads(body)
            found += [(one, batch.get("validationTokens", [])) for one in batch["value"]]
    return found


expires = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=50)).strftime("%Y-%m-%dT%H:%M:%SZ")
wanted = {
    "changeType": "created,updated,deleted",
    "notificationUrl": f"https://localhost:{WORLD['bot_port']}/notify",
    "lifecycleNotificationUrl": f"https://localhost:{WORLD['bot_port']}/lifecycle",
    "resource": RESOURCE,
    "includeResourceData": True,
    "encryptionCertificate": certificate(),
    "encryptionCertificateId": "key-1",
    "expirationDateTime": expires,
    "clientState": "state-1",
}
made = {}

vector = pathlib.Path(os.environ.get("DRAGOMAN_PAYLOADS", "")) / "teams/crypto/encrypted-notification-vector.json"
if vector.is_file():
    with check("this script's decryption opens the published test vector"):
        published = json.loads(vector.read_text(encoding="utf-8"))
        pem = published["privateKeyPkcs8Pem"].encode()
        opened = decrypt(published["encryptedContent"], serialization.load_pem_private_key(pem, None))
        holds(opened["id"] and opened["body"], "a message")
else:
    report("the published test vector is at hand", not os.environ.get("CI"), "left out, there is none")

with check("a subscription is made after the handshake"):
    status, subscription = graph("POST", "/subscriptions", wanted)
    same(status, 201)
    made["id"] = subscription["id"]
    holds(any("validationToken" in path for path, _, _ in receiver.received), "the address was validated")
    holds("encryptionCertificate" not in subscription or not subscription["encryptionCertificate"], "no key is shown")

with check("a new message is notified, and decrypts to the message"):
    status, sent = graph("POST", RESOURCE, {"body": {"content": "Encrypted ahoy"}}, person_token)
    same(status, 201)
    one, tokens = wait_for("the notification", lambda: next(
        ((one, tokens) for one, tokens in notifications() if sent["id"] in one["resource"]), None
    ))
    same((one["subscriptionId"], one["clientState"], one["changeType"]), (made["id"], "state-1", "created"))
    same((one["tenantId"], one["encryptedContent"]["encryptionCertificateId"]), (TEAMS["tenant"], "key-1"))
    message = decrypt(one["encryptedContent"])
    same((message["id"], message["body"]["content"]), (sent["id"], "Encrypted ahoy"))

with check("validation tokens are signed by Entra for this app, by Change Tracking"):
    holds(tokens, "a batch with content carries tokens")
    key = jwt.PyJWKClient(KEYS).get_signing_key_from_jwt(tokens[0])
    claims = jwt.decode(tokens[0], key.key, algorithms=["RS256"], audience=TEAMS["app_id"])
    holds(claims["iss"] in (
        f"https://sts.windows.net/{TEAMS['tenant']}/", f"https://login.microsoftonline.com/{TEAMS['tenant']}/v2.0",
    ), claims["iss"])
    same(claims.get("appid") or claims.get("azp"), CHANGE_TRACKING)

with check("a second subscription on the same resource is refused"):
    status, error = graph("POST", "/subscriptions", wanted)
    holds(status in (400, 403, 409) and error["error"]["code"], (status, error))

with check("renewal and removal"):
    later = expires.replace("Z", ".0000000Z")
    same(graph("PATCH", f"/subscriptions/{made['id']}", {"expirationDateTime": later})[0], 200)
    same(graph("DELETE", f"/subscriptions/{made['id']}")[0], 204)
    same(graph("GET", f"/subscriptions/{made['id']}")[0], 404)

finish()
