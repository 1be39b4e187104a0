"""webexpythonsdk as service account and as people: rooms, messages, files, webhooks, paging, waiting, OAuth."""

import base64
import hashlib
import hmac
import json
import pathlib
import tempfile
import time
import urllib.parse
import urllib.request

from judge import WEBEX, WORLD, Receiver, check, fault, finish, holds, http, refused, same, wait_for
from webexpythonsdk import ApiError, WebexAPI

BASE = WEBEX["base_url"]
GITA = WEBEX["people"]["gita"]
SECRET = "foreign-webhook-secret"
HOOK = f"http://127.0.0.1:{WORLD['events_port']}/webex"


def client(token):
    """Returns the SDK for a token."""
    return WebexAPI(access_token=token, base_url=f"{BASE}/v1/", wait_on_rate_limit=True)


api = client(WEBEX["access_token"])
gita = client(WEBEX["user_tokens"]["gita"])
bot = client(WEBEX["bot_token"])
receiver = Receiver(WORLD["events_port"], lambda handler, body: (200, "text/plain", b"ok"))
made = {}

with check("people.me and people.list by address"):
    me = api.people.me()
    same((me.displayName, me.type), ("Dragoman Bridge", "person"))
    holds(me.created.year >= 2020, me.created)
    same([one.id for one in api.people.list(email=WEBEX["emails"]["gita"])], [GITA])

with check("a wrong token is an ApiError 401 with tracking id"):
    error = refused(ApiError, client("wrong").people.me)
    same(error.status_code, 401)
    holds("valid access token" in error.message and error.tracking_id, error)

with check("rooms.create, memberships.create, memberships.list"):
    made["room"] = api.rooms.create(title="From Python")
    api.memberships.create(roomId=made["room"].id, personEmail=WEBEX["emails"]["gita"])
    names = {one.personDisplayName for one in api.memberships.list(roomId=made["room"].id)}
    same(names, {"Dragoman Bridge", "Gita Rao"})
    error = refused(ApiError, lambda: api.memberships.create(roomId=made["room"].id, personId=GITA))
    same((error.status_code, error.message), (409, "Person is already in the room."))
    holds("From Python" in {room.title for room in api.rooms.list(type="group", max=1)}, "rooms page")

with check("a webhook is made with a secret"):
    made["hook"] = api.webhooks.create(name="foreign", targetUrl=HOOK, resource="all", event="all", secret=SECRET)
    same((made["hook"].status, made["hook"].secret), ("active", SECRET))
    same([one.id for one in api.webhooks.list()], [made["hook"].id])

with check("messages.create: root in markdown, reply, and a mention"):
    made["root"] = api.messages.create(roomId=made["room"].id, markdown=f"**Ana:** hello <@personId:{GITA}>")
    same((made["root"].text, made["root"].mentionedPeople), ("Ana: hello Gita Rao", [GITA]))
    holds("<strong>Ana:</strong>" in made["root"].html, made["root"].html)
    reply = gita.messages.create(roomId=made["room"].id, parentId=made["root"].id, text="Hello back")
    same(reply.parentId, made["root"].id)
    error = refused(ApiError, lambda: api.messages.create(roomId=made["room"].id, parentId=reply.id, text="deeper"))
    same(error.status_code, 400)

with check("the delivery is signed over its bytes and carries no text"):
    told = lambda: [one for one in receiver.received if made["root"].id.encode() in one[2]]  # noqa: E731
    _, headers, body = wait_for("the delivery", told)[0]
    same(headers["x-spark-signature"], hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest())
    labelled = dict(part.strip().split("=", 1) for part in headers["x-webex-signature"].split(","))
    same(labelled["SHA-256"], hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest())
    data = json.loads(body)["data"]
    same((data["id"], "text" in data, "html" in data), (made["root"].id, False, False))

with check("messages.update ten times, not eleven"):
    for version in range(1, 11):
        edited = api.messages.update(messageId=made["root"].id, roomId=made["room"].id, text=f"v{version}")
        same(edited.text, f"v{version}")
    again = lambda: api.messages.update(messageId=made["root"].id, roomId=made["room"].id, text="v11")  # noqa: E731
    same(refused(ApiError, again).status_code, 400)
    same(api.messages.get(made["root"].id).text, "v10")

with check("a local file goes up as multipart and comes down with its name"):
    folder = pathlib.Path(tempfile.mkdtemp())
    plan = folder / "plan.txt"
    plan.write_bytes(b"the plan\r\n--and more")
    sent = api.messages.create(roomId=made["room"].id, text="see", files=[str(plan)])
    status, headers, body = http("GET", sent.files[0], headers={"Authorization": f"Bearer {WEBEX['access_token']}"})
    same((status, body), (200, plan.read_bytes()))
    holds('filename="plan.txt"' in headers["Content-Disposition"], headers["Content-Disposition"])
    update = lambda: api.messages.update(messageId=sent.id, roomId=made["room"].id, text="no")  # noqa: E731
    same(refused(ApiError, update).status_code, 400)

with check("a large file with a strange name goes through whole"):
    plan = folder / "tide; \u00fcber \"all\".bin"
    plan.write_bytes(bytes(range(256)) * 24_576)
    sent = api.messages.create(roomId=made["room"].id, markdown="**Ana:**", files=[str(plan)])
    bearer = {"Authorization": f"Bearer {WEBEX['access_token']}"}
    status, headers, body = http("GET", sent.files[0], headers=bearer)
    same((status, body == plan.read_bytes()), (200, True))
    holds("filename*=UTF-8''tide%3B%20%C3%BCber" in headers["Content-Disposition"], headers["Content-Disposition"])

with check("a file is not there before it was scanned, nor when it may not be"):
    for state, wanted in (("running", 423), ("infected", 410), ("unscannable", 428), ("clean", 200)):
        http("POST", f"{BASE}/_sim/webex/scan", {"message": sent.id, "state": state})
        status, headers, _ = http("GET", sent.files[0], headers=bearer)
        same((state, status), (state, wanted))
        same(headers.get("Retry-After") is not None, wanted == 423)
    http("POST", f"{BASE}/_sim/webex/scan", {"message": sent.id, "state": "unscannable"})
    same(http("GET", sent.files[0] + "?allow=unscannable", headers=bearer)[0], 200)
    api.messages.delete(sent.id)

with check("messages.list goes through all pages, newest first"):
    texts = [one.text for one in api.messages.list(roomId=made["room"].id, max=1)]
    same(texts, ["see", "Hello back", "v10"])

with check("messages.list takes a last page that is not full"):
    same(len(list(api.messages.list(roomId=made["room"].id, max=2))), 3)

with check("direct messages"):
    sent = api.messages.create(toPersonEmail=WEBEX["emails"]["gita"], text="only you")
    same(sent.roomType, "direct")
    same([one.text for one in gita.messages.list_direct(personEmail=me.emails[0])], ["only you"])

with check("a deleted message is gone"):
    same(api.messages.delete(made["root"].id), None)
    same(refused(ApiError, lambda: api.messages.get(made["root"].id)).status_code, 404)

with check("a bot lists its mentions only"):
    said = gita.messages.create(roomId=WEBEX["room"], markdown="<@personEmail:dragoman@webex.bot> hi")
    same(refused(ApiError, lambda: list(bot.messages.list(roomId=WEBEX["room"]))).status_code, 403)
    same([one.id for one in bot.messages.list(roomId=WEBEX["room"], mentionedPeople="me")], [said.id])

with check("the SDK waits as long as Retry-After says"):
    fault(BASE, "GET /rooms", "rate_limited", retry_after="1")
    started = time.monotonic()
    holds(list(api.rooms.list()), "rooms come after the wait")
    holds(time.monotonic() - started >= 1, "it waited")

with check("a card, its click and its action"):
    content = {"type": "AdaptiveCard", "version": "1.2", "body": [], "actions": []}
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    asked = api.messages.create(roomId=made["room"].id, text="card", attachments=[card])
    clicked = {"type": "submit", "messageId": asked.id, "inputs": {"answer": "yes"}}
    headers = {"Authorization": f"Bearer {WEBEX['user_tokens']['gita']}"}
    status, _, body = http("POST", f"{BASE}/v1/attachment/actions", clicked, headers)
    same(status, 202)
    same(api.attachment_actions.get(json.loads(body)["id"]).inputs, {"answer": "yes"})

with check("code exchange and refresh through the SDK"):

    class Stay(urllib.request.HTTPRedirectHandler):
        """Keeps the redirect."""

        def redirect_request(self, *args, **more):
            """Follows nothing."""

    ask = urllib.parse.urlencode(
        {
            "response_type": "code",
            "client_id": WEBEX["client_id"],
            "redirect_uri": "https://bridge.example/back",
            "scope": "spark:people_read",
            "state": "s",
        }
    )
    try:
        urllib.request.build_opener(Stay).open(f"{BASE}/v1/authorize?{ask}")
        raise AssertionError("no redirect")
    except urllib.error.HTTPError as moved:
        back = urllib.parse.parse_qs(urllib.parse.urlparse(moved.headers["Location"]).query)
    keys = (WEBEX["client_id"], WEBEX["client_secret"])
    grant = api.access_tokens.get(*keys, back["code"][0], "https://bridge.example/back")
    same(client(grant.access_token).people.me().displayName, "Dragoman Bridge")
    renewed = api.access_tokens.refresh(*keys, grant.refresh_token)
    holds(renewed.access_token != grant.access_token and renewed.expires_in > 1_000_000, renewed)

with check("ids are base64 of a URI with the region"):
    text = base64.b64decode(made["room"].id + "==").decode()
    holds(text.startswith("ciscospark://urn:TEAM:eu-central-1_k/ROOM/"), text)

with check("webhooks.update and delete"):
    changed = api.webhooks.update(made["hook"].id, name="renamed", targetUrl=HOOK, secret=SECRET)
    same(changed.name, "renamed")
    api.webhooks.delete(made["hook"].id)
    same(list(api.webhooks.list()), [])

finish()
