"""The Bot Framework's connector as our bot, and its token validation as judge of what the simulator sends to bots."""

import asyncio
import copy
import json

from botbuilder.schema import Activity, ChannelAccount, ConversationParameters
from botframework.connector import ConnectorClient
from botframework.connector.auth import JwtTokenValidation, MicrosoftAppCredentials, SimpleCredentialProvider
from botframework.connector.models import ErrorResponseException
from judge import TEAMS, WORLD, Receiver, check, finish, holds, http, refused, same, wait_for
from microsoft import sign_in

receiver = Receiver(WORLD["bot_port"], lambda handler, body: (200, "application/json", b""))
token = sign_in("dana")[1]["access_token"]
MESSAGES = f"https://graph.microsoft.com/v1.0/teams/{TEAMS['team']}/channels/{TEAMS['channel']}/messages"


def say(text, under=""):
    """Posts as Dana; returns the id."""
    status, _, body = http(
        "POST",
        MESSAGES + (f"/{under}/replies" if under else ""),
        {"body": {"contentType": "html", "content": text}},
        {"Authorization": f"Bearer {token}"},
    )
    holds(status == 201, f"{status} {body[:300]}")
    return json.loads(body)["id"]


def activity_with(text):
    """The delivery whose activity has this text: its JSON and its Authorization header."""
    for _, headers, body in list(receiver.received):
        found = json.loads(body)
        if text in (found.get("text") or ""):
            return found, headers["authorization"]
    return None


def judged(activity, header, app_id=TEAMS["app_id"]):
    """What the Bot Framework's validation says of a delivery: an identity, or an error."""
    provider = SimpleCredentialProvider(app_id, "")
    parsed = Activity.deserialize(copy.deepcopy(activity))
    return asyncio.run(JwtTokenValidation.authenticate_request(parsed, header, provider))


with check("an activity and its token satisfy the Bot Framework's own validation"):
    root = say("<p>Ahoy bot</p>")
    activity, header = wait_for("the activity", lambda: activity_with("Ahoy bot"))
    holds(judged(activity, header).is_authenticated, "authenticated")
    same((activity["type"], activity["channelId"], activity["from"]["aadObjectId"]), (
        "message", "msteams", TEAMS["people"]["dana"],
    ))
    same(activity["channelData"]["tenant"]["id"], TEAMS["tenant"])
    holds(activity["conversation"]["id"].endswith(f";messageid={root}"), activity["conversation"])

with check("a foreign service address, bot or channel is not accepted"):
    moved = activity | {"serviceUrl": "https://elsewhere.example/"}
    refused(PermissionError, lambda: judged(moved, header))
    refused(PermissionError, lambda: judged(activity, header, "00000000-1111-2222-3333-444444444444"))
    other = activity | {"channelId": "slack"}
    holds("endorsement" in str(refused(Exception, lambda: judged(other, header))), "named endorsement")
    refused(Exception, lambda: judged(activity, header[:-4] + "AAAA"))

credentials = MicrosoftAppCredentials(TEAMS["app_id"], TEAMS["app_secret"], channel_auth_tenant=TEAMS["tenant"])
connector = ConnectorClient(credentials, base_url=activity["serviceUrl"])
conversations = connector.conversations
channel_data = {"tenant": {"id": TEAMS["tenant"]}, "channel": {"id": TEAMS["channel"]}}


def in_channel(message_id):
    """A message as Graph shows it."""
    status, _, body = http("GET", f"{MESSAGES}/{message_id}", headers={"Authorization": f"Bearer {token}"})
    return json.loads(body) if status == 200 else status


made = {}
with check("the bot starts a thread in a channel"):
    started = conversations.create_conversation(
        ConversationParameters(
            is_group=True,
            bot=ChannelAccount(id=activity["recipient"]["id"]),
            channel_data=channel_data,
            activity=Activity(type="message", text="**Ben** from Slack", text_format="xml"),
        )
    )
    made["thread"] = started.id
    made["root"] = started.activity_id or started.id.split(";messageid=")[1]
    found = in_channel(made["root"])
    same(found["from"]["application"]["id"], TEAMS["app_id"])

with check("the bot replies, edits and deletes"):
    sent = conversations.send_to_conversation(made["thread"], Activity(type="message", text="<b>Aye</b>", text_format="xml"))
    path = f"{made['root']}/replies/{sent.id}"
    holds("Aye" in in_channel(path)["body"]["content"], in_channel(path))
    conversations.update_activity(made["thread"], sent.id, Activity(type="message", text="<b>Nay</b>", text_format="xml"))
    holds("Nay" in in_channel(path)["body"]["content"], in_channel(path))
    conversations.delete_activity(made["thread"], sent.id)
    holds(in_channel(path)["deletedDateTime"], "deleted")

with check("the bot answers in the person's thread"):
    sent = conversations.reply_to_activity(
        activity["conversation"]["id"], activity["id"], Activity(type="message", text="Here")
    )
    holds("Here" in in_channel(f"{root}/replies/{sent.id}")["body"]["content"], "under Dana's message")

with check("members, page by page"):
    page = conversations.get_conversation_paged_members(TEAMS["channel"], page_size=50)
    holds(len(page.members) >= 3, page.members)

with check("refusals come in the connector's form"):
    error = refused(
        ErrorResponseException,
        lambda: conversations.send_to_conversation("19:nowhere@thread.tacv2", Activity(type="message", text="a")),
    )
    holds(error.response.status_code in (403, 404) and error.error.error.code, error)

with check("edits and deletions by people reach the bot"):
    http("PATCH", f"{MESSAGES}/{root}", {"body": {"contentType": "html", "content": "<p>Ahoy again</p>"}}, {
        "Authorization": f"Bearer {token}"
    })
    kinds = lambda: {json.loads(body)["type"] for _, _, body in receiver.received}  # noqa: E731
    wait_for("messageUpdate", lambda: "messageUpdate" in kinds())
    http("POST", f"{MESSAGES}/{root}/softDelete", b"", {"Authorization": f"Bearer {token}"})
    wait_for("messageDelete", lambda: "messageDelete" in kinds())

finish()
