"""Files, reactions and direct messages between people on four vendors' clients, with a gateway in between."""

import asyncio
import base64
import json
import pathlib
import shutil
import sys
import tempfile
import urllib.parse

from deployment import Deployment, bridge_all
from judge import SLACK, TEAMS, WEBEX, ZOOM, check, finish, holds, http, same, wait_for
from microsoft import as_person
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.chat_message import ChatMessage
from msgraph.generated.models.chat_message_attachment import ChatMessageAttachment
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.teams.item.channels.item.messages.item.set_reaction.set_reaction_post_request_body import (
    SetReactionPostRequestBody,
)
from slack_sdk import WebClient
from webexpythonsdk import ApiError, WebexAPI

CHANNEL = SLACK["channel"]
ANA_TOKEN = SLACK["user_tokens"]["ana"]
ROOM = WEBEX["room"]
# As large as shows that nothing is cut, and of all bytes.
CONTENT = bytes(range(256)) * 400
ana = WebClient(token=ANA_TOKEN, base_url=f"{SLACK['base_url']}/api/")
gita = WebexAPI(access_token=WEBEX["user_tokens"]["gita"], base_url=f"{WEBEX['base_url']}/v1/")
loop = asyncio.new_event_loop()
dana = as_person("dana")
channel = dana.teams.by_team_id(TEAMS["team"]).channels.by_channel_id(TEAMS["channel"])
folder = pathlib.Path(tempfile.mkdtemp())
gateway = Deployment()
made = {}


def graph(call):
    """Waits for an answer of Graph."""
    return loop.run_until_complete(call)


def html(text, attachments=None):
    """A message with an HTML body."""
    return ChatMessage(body=ItemBody(content_type=BodyType.Html, content=text), attachments=attachments)


class Imani:
    """Zoom's REST interface, as an app of the account that acts for Imani."""

    def __init__(self):
        keys = f"{ZOOM['server']['client_id']}:{ZOOM['server']['client_secret']}"
        basic = {"Authorization": f"Basic {base64.b64encode(keys.encode()).decode()}"}
        grant = f"grant_type=account_credentials&account_id={ZOOM['account_id']}"
        _, _, body = http("POST", f"{ZOOM['base_url']}/oauth/token?{grant}", b"", basic)
        self.bearer = {"Authorization": f"Bearer {json.loads(body)['access_token']}"}

    def call(self, method, path, body=None, base=None, headers=None):
        """Makes a call; returns what it answers."""
        address = f"{base or ZOOM['base_url']}/v2/chat/users/{ZOOM['people']['imani']}/{path}"
        status, more, answer = http(method, address, body, self.bearer | (headers or {}))
        if status == 307:
            # The file host sends uploads on; the token goes along.
            status, _, answer = http(method, more["Location"], body, self.bearer | (headers or {}))
        holds(status < 300, (status, answer[:300]))
        return json.loads(answer) if answer else None

    def post(self, text, **where):
        """Posts a message; returns its id."""
        return self.call("POST", "messages", {"message": text, **where})["id"]

    def listed(self, **where):
        """Messages, newest first."""
        query = urllib.parse.urlencode({**where, "page_size": 50})
        return self.call("GET", f"messages?{query}")["messages"]

    def upload(self, name, content):
        """Uploads a file to the file host; returns its id."""
        head = f'--part\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        kind = {"Content-Type": "multipart/form-data; boundary=part"}
        path = "files?postToPersonalChat=false"
        return self.call("POST", path, head + content + b"\r\n--part--\r\n", ZOOM["files_url"], kind)["id"]


imani = Imani()


def direct_with(person):
    """Gita's direct messages with somebody; there is no such room before the first."""
    try:
        return list(gita.messages.list_direct(personId=person))
    except ApiError as error:
        same(error.status_code, 404)
        return []


HERE = {"to_channel": ZOOM["channel"]}


def fetched(address, token=None):
    """The bytes behind an address."""
    status, _, body = http("GET", address, headers={"Authorization": f"Bearer {token}"} if token else None)
    same(status, 200)
    return body


def slack_files(name):
    """What Ana downloads of the files of this name, each by its private address with her token."""
    messages = ana.conversations_history(channel=CHANNEL)["messages"]
    found = [file for one in messages for file in one.get("files", []) if file["name"] == name]
    return [fetched(file["url_private_download"], ANA_TOKEN) for file in found]


def teams_files(name):
    """What Dana downloads: of attachments and of links in texts, both through the address of the item."""
    found = []
    for one in graph(channel.messages.get()).value:
        links = [part.content_url for part in one.attachments or [] if part.name == name]
        links += [part.split('"')[0] for part in (one.body.content or "").split('href="')[1:]]
        found += [link for link in links if urllib.parse.unquote(link).endswith("/" + name)]
    opened = []
    for link in dict.fromkeys(found):
        share = "u!" + base64.urlsafe_b64encode(link.encode()).decode().rstrip("=")
        opened.append(graph(dana.shares.by_shared_drive_item_id(share).drive_item.content.get()))
    return opened


def webex_files(name):
    """What Gita downloads with her token."""
    found = []
    for one in gita.messages.list(roomId=ROOM):
        for address in one.files or []:
            status, headers, body = http("GET", address, headers={"Authorization": f"Bearer {gita.access_token}"})
            if status == 200 and f'filename="{name}"' in headers["Content-Disposition"]:
                found.append(body)
    return found


def zoom_files(name):
    """What Imani downloads by the addresses in the messages."""
    files = [file for one in imani.listed(**HERE) for file in one.get("files", [])]
    return [fetched(file["download_url"]) for file in files if file["file_name"] == name]


SHELVES = {"slack": slack_files, "teams": teams_files, "webex": webex_files, "zoom": zoom_files}


def arrives(source, name):
    """The file is downloaded on each of the others, once and whole."""
    for platform, shelf in SHELVES.items():
        if platform != source:
            copies = wait_for(f"{name} on {platform}", lambda shelf=shelf: shelf(name), seconds=30)
            same((platform, [copy == CONTENT for copy in copies]), (platform, [True]))


with check("an operator sets it up on four platforms with the gateway's own commands"):
    bridge_all(gateway)
    made["ready"] = True

if "ready" in made:
    with check("slack_sdk uploads; msgraph-sdk, webexpythonsdk and Zoom's REST download the same bytes"):
        ana.files_upload_v2(channel=CHANNEL, content=CONTENT, filename="tide.bin", initial_comment="The tide")
        arrives("slack", "tide.bin")

    with check("msgraph-sdk puts a file into the channel's folder and posts it; the others download it"):
        place = graph(channel.files_folder.get())
        drive = dana.drives.by_drive_id(place.parent_reference.drive_id)
        item = graph(drive.items.by_drive_item_id(f"{place.id}:/chart.bin:").content.put(CONTENT))
        unique = item.e_tag.split("{")[1].split("}")[0]
        part = ChatMessageAttachment(id=unique, content_type="reference", content_url=item.web_url, name="chart.bin")
        graph(channel.messages.post(html(f'<p>The chart</p><attachment id="{unique}"></attachment>', [part])))
        arrives("teams", "chart.bin")

    with check("webexpythonsdk sends a local file; the others download it"):
        log = folder / "log.bin"
        log.write_bytes(CONTENT)
        gita.messages.create(roomId=ROOM, text="The log", files=[str(log)])
        arrives("webex", "log.bin")

    with check("Zoom's file host takes a file; the others download it"):
        imani.post("The crew", **HERE, file_ids=[imani.upload("crew.bin", CONTENT)])
        arrives("zoom", "crew.bin")

    with check("a reaction of Slack is one of the app on Teams and Zoom, and a note with the name on Webex"):
        made["root"] = ana.chat_postMessage(channel=CHANNEL, text="Who is for sailing?")["ts"]
        in_teams = wait_for("the copy", lambda: [m for m in graph(channel.messages.get()).value if "sailing" in (m.body.content or "")])
        made["teams"] = channel.messages.by_chat_message_id(in_teams[0].id)
        in_zoom = wait_for("the copy", lambda: [m for m in imani.listed(**HERE) if "sailing" in m["message"]])
        made["zoom"] = in_zoom[0]["id"]
        wait_for("the copy", lambda: [m for m in gita.messages.list(roomId=ROOM) if "sailing" in (m.text or "")])
        ana.reactions_add(channel=CHANNEL, timestamp=made["root"], name="tada")
        signs = lambda: [one.reaction_type for one in graph(made["teams"].get()).reactions or []]  # noqa: E731
        wait_for("the reaction on Teams", lambda: "🎉" in signs())
        shown = lambda: [m for m in imani.listed(**HERE) if m["id"] == made["zoom"]][0].get("reactions", [])  # noqa: E731
        wait_for("the reaction on Zoom", lambda: "u+1f389" in [one["emoji"].lower() for one in shown()])
        notes = lambda: [m.text for m in gita.messages.list(roomId=ROOM) if "🎉" in (m.text or "")]  # noqa: E731
        holds("Ana" in wait_for("the note on Webex", notes)[0], notes())

    with check("msgraph-sdk and Zoom's REST react; slack_sdk reads it, and that it is gone again"):
        graph(made["teams"].set_reaction.post(SetReactionPostRequestBody(reaction_type="👏")))
        imani.call("PATCH", f"messages/{made['zoom']}/emoji_reactions", {**HERE, "action": "add", "emoji": "U+1F525"})
        names = lambda: {  # noqa: E731
            one["name"]
            for one in ana.reactions_get(channel=CHANNEL, timestamp=made["root"])["message"].get("reactions", [])
        }
        wait_for("both reactions", lambda: {"clap", "fire"} <= names())
        imani.call("PATCH", f"messages/{made['zoom']}/emoji_reactions", {**HERE, "action": "remove", "emoji": "U+1F525"})
        wait_for("one reaction", lambda: "fire" not in names() and "clap" in names())

    with check("everybody opens the conversation with the app on the vendor's client"):
        posted = ana.conversations_history(channel=CHANNEL)["messages"]
        app = next(one["user"] for one in posted if one.get("app_id") == SLACK["gateway"]["app_id"] and one.get("user"))
        made["im"] = ana.conversations_open(users=app)["channel"]["id"]
        chats = [one.id for one in graph(dana.me.chats.get()).value]
        made["chat"] = next(one for one in chats if TEAMS["gateway"]["app_id"] in one)
        bridge = next(one for one in gita.memberships.list(roomId=ROOM) if one.personEmail == WEBEX["bridge"])
        made["bridge"] = bridge.personId

    chat = dana.chats.by_chat_id(made.get("chat", ""))
    app = {"to_contact": ZOOM["emails"]["bridge"]}
    WRITES = {
        "slack": lambda text: ana.chat_postMessage(channel=made["im"], text=text),
        "teams": lambda text: graph(chat.messages.post(html(f"<p>{text}</p>"))),
        "webex": lambda text: gita.messages.create(toPersonId=made["bridge"], text=text),
        "zoom": lambda text: imani.post(text, **app),
    }
    READS = {
        "slack": lambda: [one["text"] for one in ana.conversations_history(channel=made["im"])["messages"]],
        "teams": lambda: [one.body.content or "" for one in graph(chat.messages.get()).value],
        "webex": lambda: [one.text or "" for one in direct_with(made["bridge"])],
        "zoom": lambda: [one["message"] for one in imani.listed(**app)],
    }
    EMAILS = {"slack": SLACK["emails"]["ana"], "teams": TEAMS["emails"]["dana"]}
    EMAILS |= {"webex": WEBEX["emails"]["gita"], "zoom": ZOOM["emails"]["imani"]}

    def reads(platform, words, count=1):
        """Waits until so many messages to the person there have the words."""
        fits = lambda: [one for one in READS[platform]() if words in one]  # noqa: E731
        try:
            wait_for(f"{words} on {platform}", lambda: len(fits()) == count, seconds=20)
        except AssertionError as late:
            raise AssertionError(f"{late}: {READS[platform]()}") from None

    ring = ["slack", "teams", "webex", "zoom"]
    for index, source in enumerate(ring):
        target = ring[(index + 1) % 4]
        with check(f"{source} to {target}: a direct message is asked for, accepted, answered and ended"):
            began = {one: sum("You are writing with" in text for text in READS[one]()) for one in (source, target)}
            WRITES[source](f"dm {EMAILS[target]} ahoy-{source}")
            reads(target, f"ahoy-{source}")
            WRITES[target]("accept")
            for one in (source, target):
                reads(one, "You are writing with", began[one] + 1)
            WRITES[source](f"tide-{source}")
            reads(target, f"tide-{source}")
            WRITES[target](f"ebb-{source}")
            reads(source, f"ebb-{source}")
            WRITES[source]("dm close")
            reads(target, "ended this conversation")

    with check("nothing of it is in the log or rests on disk"):
        same(gateway.stop(), 0)
        held = b"".join(path.read_bytes() for path in gateway.folder.rglob("*") if path.is_file())
        for word in (b"tide.bin", b"ahoy-slack", b"ebb-zoom", b"sailing", CONTENT[:256]):
            holds(word not in held, f"{word[:20]} is there")

if gateway.process and gateway.process.poll() is None:
    gateway.kill()
if gateway.log.exists():
    # Shown when a check failed.
    print(gateway.log.read_text(encoding="utf-8")[-4000:], file=sys.stderr)
for path in (gateway.folder, folder):
    shutil.rmtree(path, ignore_errors=True)
finish()
