"""slack_sdk's Socket Mode client as the app: connects, receives, acknowledges, and reconnects when told to."""

import json
import time

from judge import SLACK, check, finish, holds, http, same, wait_for
from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

BASE = SLACK["base_url"]
CHANNEL = SLACK["channel"]
web = WebClient(token=SLACK["socket"]["bot_token"], base_url=f"{BASE}/api/")
ana = WebClient(token=SLACK["user_tokens"]["ana"], base_url=f"{BASE}/api/")
requests = []


def on_request(client, request):
    """Keeps and acknowledges."""
    requests.append(request)
    client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))


client = SocketModeClient(app_token=SLACK["socket"]["app_token"], web_client=web)
client.socket_mode_request_listeners.append(on_request)


def arrivals(text):
    """Requests that carry this text."""
    return [request for request in requests if request.payload.get("event", {}).get("text") == text]


with check("connects and receives"):
    client.connect()
    wait_for("the connection", client.is_connected)
    ana.chat_postMessage(channel=CHANNEL, text="Over the socket")
    first = wait_for("the event", lambda: arrivals("Over the socket"))[0]
    same((first.type, first.payload["type"]), ("events_api", "event_callback"))
    same((first.retry_attempt, first.payload["event"]["user"]), (0, SLACK["people"]["ana"]))

with check("reconnects when the connection is refreshed, and misses nothing"):
    before, texts = client.session_id(), []
    # The simulator of this script refreshes connections after a few seconds.
    while client.session_id() == before or len(texts) < 10:
        holds(len(texts) < 100, "no refresh came")
        texts.append(f"Through the gap {len(texts)}")
        ana.chat_postMessage(channel=CHANNEL, text=texts[-1])
        time.sleep(0.3)
    for text in texts:
        wait_for(text, lambda text=text: arrivals(text), seconds=30)

with check("an app-level token is needed"):
    answer = json.loads(
        http("POST", f"{BASE}/api/apps.connections.open", b"", {"Authorization": f"Bearer {SLACK['bot_token']}"})[2]
    )
    same((answer["ok"], answer["error"]), (False, "not_allowed_token_type"))

client.close()
finish()
