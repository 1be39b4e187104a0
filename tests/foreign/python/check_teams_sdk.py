"""Microsoft's Teams SDK as a bot with default settings: it checks tokens, types every activity, and answers."""

import asyncio
import json
import threading

from judge import TEAMS, WORLD, check, finish, holds, http, same, wait_for
from microsoft import sign_in
from microsoft_teams.apps import App

app = App(client_id=TEAMS["app_id"], client_secret=TEAMS["app_secret"], tenant_id=TEAMS["tenant"])
seen = []


@app.on_message
async def on_message(context):
    """Keeps messages and answers one of them."""
    seen.append(("message", context.activity))
    if "please" in (context.activity.text or ""):
        await context.send("With pleasure")


@app.on_message_update
async def on_update(context):
    """Keeps edits."""
    seen.append(("update", context.activity))


@app.on_message_delete
async def on_delete(context):
    """Keeps deletions."""
    seen.append(("delete", context.activity))


@app.on_message_reaction
async def on_reaction(context):
    """Keeps reactions."""
    seen.append(("reaction", context.activity))


threading.Thread(target=lambda: asyncio.run(app.start(WORLD["bot_port"])), daemon=True).start()
token = sign_in("dana")[1]["access_token"]
MESSAGES = f"https://graph.microsoft.com/v1.0/teams/{TEAMS['team']}/channels/{TEAMS['channel']}/messages"


def graph(method, path, body=None):
    """Calls Graph as Dana."""
    status, _, data = http(method, MESSAGES + path, body, {"Authorization": f"Bearer {token}"})
    holds(status < 300, f"{method} {path}: {status} {data[:200]}")
    return json.loads(data) if data else None


def activity(kind, fits=lambda found: True):
    """Waits for an activity that the SDK handed to its handler."""
    return wait_for(kind, lambda: next((one for name, one in list(seen) if name == kind and fits(one)), None))


def listening():
    """Whether the bot answers."""
    try:
        return http("POST", f"http://127.0.0.1:{WORLD['bot_port']}/api/messages", {})[0]
    except OSError:
        return None


with check("without a token the SDK refuses"):
    same(wait_for("the bot", listening), 401)

with check("a message is accepted, typed and answered"):
    root = graph("POST", "", {"body": {"contentType": "html", "content": "<p>An answer, please</p>"}})["id"]
    found = activity("message", lambda one: "please" in one.text)
    same((found.from_.aad_object_id, found.conversation.tenant_id), (TEAMS["people"]["dana"], TEAMS["tenant"]))
    same(found.channel_data.team.id is not None and found.channel_data.channel.id, TEAMS["channel"])
    answers = lambda: [one["body"]["content"] for one in graph("GET", f"/{root}/replies")["value"]]  # noqa: E731
    wait_for("the answer", lambda: any("With pleasure" in text for text in answers()))

with check("an edit and a deletion are accepted and typed"):
    graph("PATCH", f"/{root}", {"body": {"contentType": "html", "content": "<p>Thanks</p>"}})
    same(activity("update").id, root)
    graph("POST", f"/{root}/softDelete", b"")
    same(activity("delete").id, root)

with check("a reaction to the bot's message is accepted and typed"):
    other = graph("POST", "", {"body": {"content": "Once more, please"}})["id"]
    replies = lambda: graph("GET", f"/{other}/replies")["value"]  # noqa: E731
    wait_for("the answer", replies)
    graph("POST", f"/{other}/replies/{replies()[0]['id']}/setReaction", {"reactionType": "👍"})
    holds(activity("reaction").reactions_added, "a reaction was added")

finish()
