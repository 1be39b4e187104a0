"""slack_sdk's Socket Mode client as the app: connects, receives, acknowledges, and reconnects when told to."""

import json

from judge import SLACK, check, finish, holds, http, same, wait_for
from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

BASE = SLACK["base_url"]
CHANNEL = SLACK["channel"]
web = WebClient(token=SLACK["socket"]["bot_token"], base_url=f"{BASE}/api/")
ana = WebClient(token=SLACK["user_tokens"]["ana"], base_url=f"{BASE}/api/")
requests = []
silent = set()


def on_request(client, request):
    """Keeps and acknowledges."""
    requests.append(request)
    if request.payload.get("event", {}).get("text") not in silent:
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

with check("reconnects after refresh_requested and misses nothing"):
    before = client.session_id()
    status, _, body = http("POST", f"{BASE}/_sim/slack/socket/refresh", {})
    holds(status < 300, f"the order was refused: {status} {body[:200]}")
    ana.chat_postMessage(channel=CHANNEL, text="Through the gap")
    wait_for("the event", lambda: arrivals("Through the gap"), seconds=30)
    wait_for("another session", lambda: client.session_id() != before, seconds=30)

with check("an app-level token is needed"):
    answer = json.loads(
        http("POST", f"{BASE}/api/apps.connections.open", b"", {"Authorization": f"Bearer {SLACK['bot_token']}"})[2]
    )
    same((answer["ok"], answer["error"]), (False, "not_allowed_token_type"))

client.close()
finish()
