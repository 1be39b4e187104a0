"""slack_sdk's WebClient as an app and as people: what it sends must be understood, what it gets must satisfy it."""

import time
import urllib.parse
import urllib.request

from judge import SLACK, check, fault, finish, holds, http, refused, report, same, wait_for
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation import TokenRotator

BASE = SLACK["base_url"]
CHANNEL = SLACK["channel"]
app = WebClient(token=SLACK["bot_token"], base_url=f"{BASE}/api/")
ana = WebClient(token=SLACK["user_tokens"]["ana"], base_url=f"{BASE}/api/")


def history(**more):
    """Returns the newest messages of the channel."""
    return app.conversations_history(channel=CHANNEL, limit=20, **more)["messages"]


def message(ts, **more):
    """Returns one message of the channel, or nothing."""
    return next((found for found in history(**more) if found["ts"] == ts), None)


def pages(call, member, **more):
    """Collects a list page by page, one item at a time."""
    items = []
    for page in call(limit=1, **more):
        items += page[member]
    return items


with check("auth.test names app and workspace"):
    me = app.auth_test()
    same(me["team_id"], SLACK["team"])
    holds(me["bot_id"].startswith("B") and me["user_id"].startswith(("U", "W")), me.data)
    holds("chat:write" in me.headers["x-oauth-scopes"], "the header X-OAuth-Scopes lists the scopes")

with check("a wrong token is refused"):
    error = refused(SlackApiError, WebClient(token="xoxb-wrong", base_url=f"{BASE}/api/").auth_test)
    same(error.response["error"], "invalid_auth")

with check("users.list pages by cursor"):
    names = {user.get("real_name") for user in pages(app.users_list, "members")}
    holds({"Ana Souza", "Ben Okafor", "Chloe Martin"} <= names, names)

with check("conversations.list pages by cursor"):
    names = {channel["name"] for channel in pages(app.conversations_list, "channels", types="public_channel")}
    holds({"general", "launch"} <= names, names)

with check("users.info and users.lookupByEmail agree"):
    info = app.users_info(user=SLACK["people"]["ana"])["user"]
    by_mail = app.users_lookupByEmail(email=info["profile"]["email"])["user"]
    same(by_mail["id"], info["id"])
    error = refused(SlackApiError, lambda: app.users_lookupByEmail(email="nobody@nowhere.example"))
    same(error.response["error"], "users_not_found")

with check("conversations.info and conversations.members"):
    info = app.conversations_info(channel=CHANNEL)["channel"]
    same((info["id"], info["is_channel"]), (CHANNEL, True))
    members = pages(app.conversations_members, "members", channel=CHANNEL)
    holds(SLACK["people"]["ana"] in members, members)

posted = {}
with check("chat.postMessage with name, picture, blocks and metadata"):
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Ahoy* <https://ships.example|ships>"}}]
    sent = app.chat_postMessage(
        channel=CHANNEL,
        text="Ahoy ships",
        blocks=blocks,
        username="Dana Lindqvist",
        icon_url="https://pictures.example/dana.png",
        metadata={"event_type": "relay", "event_payload": {"leg": "7"}},
        unfurl_links=False,
    )
    posted["root"] = sent["ts"]
    same((sent["channel"], sent["message"]["username"]), (CHANNEL, "Dana Lindqvist"))
    unasked = message(sent["ts"]).get("metadata", {})
    holds("event_payload" not in unasked, "the payload of metadata is not shown without being asked for")
    found = message(sent["ts"], include_all_metadata=True)
    same(found["metadata"], {"event_type": "relay", "event_payload": {"leg": "7"}})
    same(found["blocks"][0]["text"]["text"], blocks[0]["text"]["text"])
    same((found["subtype"], found["bot_id"]), ("bot_message", me["bot_id"]))

with check("chat.postMessage refuses what it must"):
    for arguments, wanted in [
        ({"channel": "C0000NOWHERE", "text": "a"}, "channel_not_found"),
        ({"channel": CHANNEL}, "no_text"),
        ({"channel": CHANNEL, "text": "a", "blocks": [{"type": "nonsense"}]}, "invalid_blocks"),
        ({"channel": CHANNEL, "text": "a" * 40_001}, "msg_too_long"),
    ]:
        try:
            answer = app.chat_postMessage(**arguments)
            holds(wanted == "msg_too_long" and len(answer["message"]["text"]) <= 40_000, f"not refused: {wanted}")
        except SlackApiError as error:
            same(error.response["error"], wanted)

with check("a person posts as a person"):
    sent = ana.chat_postMessage(channel=CHANNEL, text="Morning all")
    posted["ana"] = sent["ts"]
    found = message(sent["ts"])
    same((found["user"], found["text"], found.get("subtype")), (SLACK["people"]["ana"], "Morning all", None))
    holds(found["blocks"][0]["type"] == "rich_text", "text of people has rich_text blocks")

with check("thread replies, also sent to the channel"):
    first = ana.chat_postMessage(channel=CHANNEL, text="In the thread", thread_ts=posted["root"])
    second = app.chat_postMessage(
        channel=CHANNEL, text="Also up there", thread_ts=posted["root"], reply_broadcast=True
    )
    thread = pages(app.conversations_replies, "messages", channel=CHANNEL, ts=posted["root"])
    # The root comes first on every page.
    same([found["ts"] for found in thread if found["ts"] != posted["root"]], [first["ts"], second["ts"]])
    same((thread[0]["ts"], thread[0]["reply_count"]), (posted["root"], 2))
    holds(message(first["ts"]) is None, "a plain reply is not in the channel's history")
    same(message(second["ts"])["thread_ts"], posted["root"])

with check("chat.update"):
    app.chat_update(channel=CHANNEL, ts=posted["root"], text="Ahoy again", blocks=[])
    found = message(posted["root"])
    same(found["text"], "Ahoy again")
    error = refused(SlackApiError, lambda: app.chat_update(channel=CHANNEL, ts=posted["ana"], text="Mine"))
    same(error.response["error"], "cant_update_message")

with check("reactions"):
    app.reactions_add(channel=CHANNEL, timestamp=posted["ana"], name="wave")
    again = refused(SlackApiError, lambda: app.reactions_add(channel=CHANNEL, timestamp=posted["ana"], name="wave"))
    same(again.response["error"], "already_reacted")
    found = app.reactions_get(channel=CHANNEL, timestamp=posted["ana"], full=True)["message"]["reactions"]
    same([(one["name"], one["count"], one["users"]) for one in found], [("wave", 1, [me["user_id"]])])
    app.reactions_remove(channel=CHANNEL, timestamp=posted["ana"], name="wave")
    gone = refused(SlackApiError, lambda: app.reactions_remove(channel=CHANNEL, timestamp=posted["ana"], name="wave"))
    same(gone.response["error"], "no_reaction")

with check("chat.delete"):
    ana.chat_delete(channel=CHANNEL, ts=posted["ana"])
    holds(message(posted["ana"]) is None, "the message is gone from the history")
    error = refused(SlackApiError, lambda: app.chat_delete(channel=CHANNEL, ts=posted["ana"]))
    same(error.response["error"], "message_not_found")

with check("files_upload_v2, files.info and download"):
    content = bytes(range(256)) * 40
    app.files_upload_v2(
        channel=CHANNEL, content=content, filename="chart.bin", title="Chart", initial_comment="The chart"
    )
    shared = wait_for("the message of the file", lambda: [m for m in history() if m.get("files")])[0]
    same((shared["text"], shared["files"][0]["name"]), ("The chart", "chart.bin"))
    info = app.files_info(file=shared["files"][0]["id"])["file"]
    same(info["size"], len(content))
    signed = {"Authorization": f"Bearer {SLACK['bot_token']}"}
    same(http("GET", info["url_private_download"], headers=signed)[2], content)

with check("429 is obeyed with Retry-After"):
    patient = WebClient(token=SLACK["bot_token"], base_url=f"{BASE}/api/")
    patient.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    fault(BASE, "chat.postMessage", "rate_limited", retry_after="1")
    started = time.monotonic()
    sent = patient.chat_postMessage(channel=CHANNEL, text="After a while")
    holds(1 <= time.monotonic() - started < 5, "waited as told")
    same(len([one for one in history() if one["text"] == "After a while"]), 1)

with check("direct messages"):
    opened = app.conversations_open(users=SLACK["people"]["ben"])["channel"]["id"]
    holds(opened.startswith("D"), opened)
    app.chat_postMessage(channel=opened, text="Only for Ben")
    same(app.conversations_history(channel=opened)["messages"][0]["text"], "Only for Ben")


class Stay(urllib.request.HTTPRedirectHandler):
    """Does not follow redirects."""

    def redirect_request(self, *args):
        """Follows nothing."""
        return None


def approve(client_id, scope):
    """Opens the page that asks for approval, and returns the code of the redirect."""
    asked = urllib.parse.urlencode(
        {"client_id": client_id, "scope": scope, "state": "s1", "redirect_uri": "https://gateway.example/back"}
    )
    try:
        urllib.request.build_opener(Stay).open(f"{BASE}/oauth/v2/authorize?{asked}")
    except urllib.error.HTTPError as redirect:
        back = urllib.parse.urlparse(redirect.headers["Location"])
        answer = dict(urllib.parse.parse_qsl(back.query))
        same((back.hostname, answer["state"]), ("gateway.example", "s1"))
        return answer["code"]
    raise AssertionError("no redirect")


with check("OAuth: code, token, and the code only once"):
    rotating = SLACK["rotating"]
    code = approve(rotating["client_id"], "chat:write,channels:read")
    anybody = WebClient(base_url=f"{BASE}/api/")
    redeem = lambda: anybody.oauth_v2_access(  # noqa: E731
        client_id=rotating["client_id"],
        client_secret=rotating["client_secret"],
        code=code,
        redirect_uri="https://gateway.example/back",
    )
    granted = redeem()
    same((granted["token_type"], granted["team"]["id"]), ("bot", SLACK["team"]))
    holds(granted["expires_in"] > 0 and granted["refresh_token"].startswith("xoxe-"), "tokens of this app rotate")
    same(refused(SlackApiError, redeem).response["error"], "invalid_code")

with check("token rotation by TokenRotator"):
    bot = Bot(
        app_id=granted["app_id"],
        bot_id="B1",
        bot_user_id=granted["bot_user_id"],
        bot_token=granted["access_token"],
        bot_refresh_token=granted["refresh_token"],
        bot_token_expires_at=int(time.time()) + 60,
        installed_at=time.time(),
    )
    rotator = TokenRotator(
        client_id=rotating["client_id"],
        client_secret=rotating["client_secret"],
        client=WebClient(base_url=f"{BASE}/api/"),
    )
    rotated = rotator.perform_bot_token_rotation(bot=bot)
    holds(rotated and rotated.bot_token != granted["access_token"], "a new token came")
    holds(rotated.bot_refresh_token != granted["refresh_token"], "a new refresh token came")
    holds(WebClient(token=rotated.bot_token, base_url=f"{BASE}/api/").auth_test()["ok"], "the new token works")

finish()
