"""The main job, end to end: people on slack_sdk and on msgraph-sdk talk through a gateway that an operator set up."""

import asyncio
import shutil
import sys

from deployment import Deployment, bridge
from judge import SLACK, TEAMS, check, finish, holds, same, wait_for
from microsoft import as_person
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.chat_message import ChatMessage
from msgraph.generated.models.item_body import ItemBody
from slack_sdk import WebClient

CHANNEL = SLACK["channel"]
ana = WebClient(token=SLACK["user_tokens"]["ana"], base_url=f"{SLACK['base_url']}/api/")
loop = asyncio.new_event_loop()
dana = as_person("dana")
messages = dana.teams.by_team_id(TEAMS["team"]).channels.by_channel_id(TEAMS["channel"]).messages
made = {}
gateway = Deployment()
linked = False


def graph(call):
    """Waits for an answer of Graph."""
    return loop.run_until_complete(call)


def html(text):
    """A message with an HTML body."""
    return ChatMessage(body=ItemBody(content_type=BodyType.Html, content=text))


def in_teams(word, under=None):
    """Messages in the Teams channel, or replies under one, that contain the word and are not deleted."""
    request = messages.by_chat_message_id(under).replies if under else messages
    found = graph(request.get()).value
    return [one for one in found if not one.deleted_date_time and word in (one.body.content or "")]


def in_slack(word, under=None):
    """Messages in the Slack channel, or replies under one, that contain the word."""
    if under:
        found = ana.conversations_replies(channel=CHANNEL, ts=under)["messages"][1:]
    else:
        found = ana.conversations_history(channel=CHANNEL)["messages"]
    return [one for one in found if word in one["text"]]


with check("an operator sets it up with the gateway's own commands"):
    bridge(gateway, SLACK["gateway"])
    linked = True

if linked:
    with check("Slack to Teams: a message with markup, as if written there"):
        made["slack"] = ana.chat_postMessage(channel=CHANNEL, text="The *tide* is high, see <https://tides.example|here>")["ts"]
        copy = wait_for("the copy", lambda: in_teams("tide"))[0]
        made["copy in teams"] = copy.id
        same(copy.from_.application.id, TEAMS["gateway"]["app_id"])
        content = copy.body.content
        holds("Ana" in content and "<strong>tide</strong>" in content, content)
        holds('href="https://tides.example' in content, content)

    with check("Teams to Slack: a reply in the thread, under the person's name"):
        request = messages.by_chat_message_id(made["copy in teams"]).replies
        made["reply in teams"] = graph(request.post(html("<p>And <em>rising</em></p>"))).id
        copy = wait_for("the copy", lambda: in_slack("rising", under=made["slack"]))[0]
        made["reply in slack"] = copy["ts"]
        same(copy["thread_ts"], made["slack"])
        holds(copy["username"].startswith("Dana Lindqvist"), copy["username"])
        holds("_rising_" in copy["text"] or "rising" in str(copy["blocks"]), copy)

    with check("edits pass both ways"):
        ana.chat_update(channel=CHANNEL, ts=made["slack"], text="The tide is low")
        wait_for("the edit in Teams", lambda: in_teams("low"))
        reply = messages.by_chat_message_id(made["copy in teams"]).replies.by_chat_message_id1(made["reply in teams"])
        graph(reply.patch(html("<p>And falling</p>")))
        wait_for("the edit in Slack", lambda: in_slack("falling", under=made["slack"]))
        same((len(in_teams("tide")), len(in_slack("rising", under=made["slack"]))), (1, 0))

    with check("lists, code and quotes arrive as such, both ways"):
        ana.chat_postMessage(channel=CHANNEL, text="> said\n```let anchor = 1;```\n`inline`")
        content = wait_for("the copy", lambda: in_teams("anchor"))[0].body.content
        holds("<blockquote>" in content and "<code" in content, content)
        graph(messages.post(html("<ul><li>capstan</li><li>two</li></ul><blockquote>said</blockquote>")))
        blocks = wait_for("the copy", lambda: in_slack("capstan"))[0]["blocks"]
        kinds = {element["type"] for block in blocks for element in block.get("elements", [])}
        holds({"rich_text_list", "rich_text_quote"} <= kinds, blocks)

    with check("a mention that was typed as text mentions nobody on the other side"):
        graph(messages.post(html("<p>barnacle &lt;!channel&gt; &lt;@U07ANASOUZA&gt; @channel</p>")))
        copy = wait_for("the copy", lambda: in_slack("barnacle"))[0]
        holds("<!channel>" not in copy["text"] and "<@U07" not in copy["text"], copy["text"])
        holds(not {"'broadcast'", "'user'"} & set(str(copy["blocks"]).replace(",", " ").split()), copy["blocks"])
        ana.chat_postMessage(channel=CHANNEL, text='limpet &lt;at id="0"&gt;Emre Kaya&lt;/at&gt; @everyone')
        copy = wait_for("the copy", lambda: in_teams("limpet"))[0]
        holds(not copy.mentions and "<at" not in copy.body.content, copy.body.content)

    with check("the gateway's own examination finds nothing wrong"):
        gateway.run("doctor")

    with check("nothing is lost or doubled when the gateway is killed"):
        said = []
        for number in range(6):
            word = f"wave-{number}-"
            ana.chat_postMessage(channel=CHANNEL, text=f"{word} rolls in")
            said.append(word)
            if number == 2:
                gateway.kill()
                gateway.start()
        wait_for("all copies", lambda: all(in_teams(word) for word in said), seconds=60)
        copies = [one.body.content for one in in_teams("rolls in")]
        same(len(copies), len(said))

    with check("deletions pass both ways"):
        reply = messages.by_chat_message_id(made["copy in teams"]).replies.by_chat_message_id1(made["reply in teams"])
        graph(reply.soft_delete.post())
        wait_for("the deletion in Slack", lambda: not in_slack("falling", under=made["slack"]))
        lone = ana.chat_postMessage(channel=CHANNEL, text="Flotsam")["ts"]
        wait_for("the copy", lambda: in_teams("Flotsam"))
        ana.chat_delete(channel=CHANNEL, ts=lone)
        wait_for("the deletion in Teams", lambda: not in_teams("Flotsam"))

    with check("the log has no word of it, and the gateway ends when asked"):
        same(gateway.stop(), 0)
        log = gateway.log.read_bytes()
        for word in (b"tide", b"rising", b"Flotsam", b"rolls in", b"Lindqvist"):
            holds(word not in log, f"{word} is in the log")
        data = b"".join(path.read_bytes() for path in gateway.folder.rglob("*") if path.is_file())
        for word in (b"tide is", b"And rising", b"Flotsam", b"rolls in"):
            holds(word not in data, f"{word} rests on disk")

if gateway.process and gateway.process.poll() is None:
    gateway.kill()
if gateway.log.exists():
    # Shown when a check failed.
    print(gateway.log.read_text(encoding="utf-8")[-4000:], file=sys.stderr)
shutil.rmtree(gateway.folder, ignore_errors=True)
finish()
