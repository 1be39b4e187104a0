"""The same over Socket Mode, whose connections the simulator refreshes every few seconds."""

import json
import shutil
import time

from deployment import Deployment, bridge
from judge import SLACK, TEAMS, check, finish, http, same, wait_for
from microsoft import sign_in
from slack_sdk import WebClient

CHANNEL = SLACK["channel"]
ana = WebClient(token=SLACK["user_tokens"]["ana"], base_url=f"{SLACK['base_url']}/api/")
token = sign_in("dana")[1]["access_token"]
MESSAGES = f"https://graph.microsoft.com/v1.0/teams/{TEAMS['team']}/channels/{TEAMS['channel']}/messages"
gateway = Deployment()
linked = False


def in_teams(word):
    """Bodies in the Teams channel that contain the word, oldest first."""
    _, _, body = http("GET", f"{MESSAGES}?$top=50", headers={"Authorization": f"Bearer {token}"})
    bodies = [one["body"]["content"] for one in json.loads(body)["value"]]
    return [body for body in reversed(bodies) if word in body]


with check("an operator sets it up for Socket Mode"):
    bridge(gateway, SLACK["socket_gateway"])
    linked = True

if linked:
    with check("messages around refreshes and a kill arrive once and in order"):
        words = [f"swell-{number:02}" for number in range(30)]
        for number, word in enumerate(words):
            ana.chat_postMessage(channel=CHANNEL, text=f"{word} comes in")
            time.sleep(0.4)
            if number == 15:
                gateway.kill()
                gateway.start()
        wait_for("all copies", lambda: all(in_teams(word) for word in words), seconds=60)
        arrived = [word for body in in_teams("swell-") for word in words if word in body]
        same(arrived, words)

if gateway.process and gateway.process.poll() is None:
    same(gateway.stop(), 0)
shutil.rmtree(gateway.folder, ignore_errors=True)
finish()
