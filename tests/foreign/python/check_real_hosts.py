"""Clients with fixed hosts: slack_sdk, msal, webexpythonsdk and requests at the platforms' own names, given nothing but a
proxy and a CA file by `dragoman sim --real-hosts`."""

import atexit
import json
import os
import subprocess

from judge import WORLD, check, finish, holds, refused, same, wait_for


def start():
    """Starts the simulators; returns what they print."""
    command = [WORLD["dragoman"], "sim", "--json", "--real-hosts", "--auto-approve", "--no-limits", "--socket-mode"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.kill)
    text = ""
    while line := process.stdout.readline():
        text += line
        try:
            return process, json.loads(text)
        except json.JSONDecodeError:
            continue
    raise AssertionError(f"the simulators ended: {text}")


PROCESS, TOLD = start()
REAL = TOLD["real_hosts"]
os.environ["HTTPS_PROXY"] = REAL["proxy"]
os.environ["NO_PROXY"] = "127.0.0.1,localhost"
for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"]:
    os.environ[variable] = REAL["ca_file"]

import msal  # noqa: E402 - proxies and authorities are read when a client is made
import requests  # noqa: E402
from slack_sdk import WebClient  # noqa: E402
from slack_sdk.errors import SlackApiError  # noqa: E402
from slack_sdk.socket_mode import SocketModeClient  # noqa: E402
from slack_sdk.socket_mode.response import SocketModeResponse  # noqa: E402
from webexpythonsdk import WebexAPI  # noqa: E402

SLACK, TEAMS, WEBEX, ZOOM = TOLD["slack"], TOLD["teams"], TOLD["webex"], TOLD["zoom"]
GRAPH = "https://graph.microsoft.com/v1.0"

with check("slack_sdk at slack.com"):
    ana = WebClient(token=SLACK["user_tokens"]["ana"])
    same(ana.base_url, "https://slack.com/api/")
    same(ana.auth_test()["team_id"], SLACK["team"])
    sent = ana.chat_postMessage(channel=SLACK["channels"]["launch"], text="Under the real name")
    found = ana.conversations_history(channel=SLACK["channels"]["launch"], limit=1)["messages"][0]
    same((found["ts"], found["text"]), (sent["ts"], "Under the real name"))
    stranger = WebClient(token="xoxb-nobody")
    same(refused(SlackApiError, stranger.auth_test).response["error"], "invalid_auth")

with check("slack_sdk uploads to where it is told"):
    ana.files_upload_v2(channel=SLACK["channels"]["launch"], content=b"tide table", filename="tides.txt")
    shared = wait_for(
        "the file",
        lambda: [m for m in ana.conversations_history(channel=SLACK["channels"]["launch"])["messages"] if m.get("files")],
    )[0]["files"][0]
    holds(shared["url_private"].startswith("https://") and ".0.0.1" not in shared["url_private"], shared["url_private"])
    signed = {"Authorization": f"Bearer {SLACK['user_tokens']['ana']}"}
    same(requests.get(shared["url_private"], headers=signed, timeout=20).content, b"tide table")

with check("slack_sdk's Socket Mode over the proxy"):
    seen = []

    def listen(client, request):
        """Keeps and acknowledges."""
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        seen.append(request.payload["event"].get("text"))

    client = SocketModeClient(app_token=SLACK["app_token"], web_client=WebClient(token=SLACK["bot_token"]))
    client.socket_mode_request_listeners.append(listen)
    client.connect()
    ana.chat_postMessage(channel=SLACK["channels"]["launch"], text="Through the socket")
    wait_for("the event", lambda: "Through the socket" in seen)
    client.close()

with check("msal at login.microsoftonline.com"):
    app = msal.ConfidentialClientApplication(
        TEAMS["app_id"],
        client_credential=TEAMS["app_secret"],
        authority=f"https://login.microsoftonline.com/{TEAMS['tenant']}",
    )
    granted = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    holds("access_token" in granted, granted.get("error_description"))
    wrong = msal.ConfidentialClientApplication(
        TEAMS["app_id"], client_credential="no", authority=f"https://login.microsoftonline.com/{TEAMS['tenant']}"
    )
    same(wrong.acquire_token_for_client(["https://graph.microsoft.com/.default"])["error"], "invalid_client")

with check("requests at graph.microsoft.com"):
    dana = requests.Session()
    dana.headers["Authorization"] = f"Bearer {TEAMS['user_tokens']['dana']}"
    messages = f"{GRAPH}/teams/{TEAMS['team']}/channels/{TEAMS['channels']['launch']}/messages"
    body = {"body": {"contentType": "text", "content": "Under the real name"}}
    made = dana.post(messages, json=body, timeout=20)
    same(made.status_code, 201)
    for number in range(5):
        dana.post(messages, json={"body": {"contentType": "text", "content": str(number)}}, timeout=20)
    page = dana.get(messages, params={"$top": 2}, timeout=20).json()
    same(len(page["value"]), 2)
    holds(page["@odata.nextLink"].startswith("https://graph.microsoft.com/"), page["@odata.nextLink"])
    same(len(dana.get(page["@odata.nextLink"], timeout=20).json()["value"]), 2)

with check("keys of the Bot Framework"):
    about = requests.get("https://login.botframework.com/v1/.well-known/openidconfiguration", timeout=20).json()
    same(about["jwks_uri"], "https://login.botframework.com/v1/.well-known/keys")
    holds(requests.get(about["jwks_uri"], timeout=20).json()["keys"], "there are keys")

with check("webexpythonsdk at webexapis.com"):
    gita = WebexAPI(access_token=WEBEX["user_tokens"]["gita"])
    same(gita.base_url, "https://webexapis.com/v1/")
    same(gita.people.me().displayName, "Gita Rao")
    launch = WEBEX["rooms"]["launch"]
    sent = [gita.messages.create(roomId=launch, text=f"Under the real name {number}").id for number in range(5)]
    # More than a page: the SDK follows `Link` to wherever it points.
    same({message.id for message in gita.messages.list(roomId=launch, max=2)} >= set(sent), True)

with check("requests at zoom.us and api.zoom.us"):
    grant = requests.post(
        "https://zoom.us/oauth/token",
        params={"grant_type": "client_credentials"},
        auth=(ZOOM["client_id"], ZOOM["client_secret"]),
        timeout=20,
    )
    same((grant.status_code, grant.json()["api_url"]), (200, "https://api.zoom.us"))
    imani = requests.Session()
    imani.headers["Authorization"] = f"Bearer {ZOOM['user_tokens']['imani']}"
    body = {"to_channel": ZOOM["channels"]["launch"], "message": "Under the real name"}
    made = imani.post("https://api.zoom.us/v2/chat/users/me/messages", json=body, timeout=20)
    same(made.status_code, 201)
    query = {"to_channel": ZOOM["channels"]["launch"], "from": "2020-01-01T00:00:00Z", "search_type": "message"}
    found = imani.get(
        f"https://api.zoom.us/v2/chat/users/me/messages/{made.json()['id']}", params=query, timeout=20
    ).json()
    same(found["message"], "Under the real name")

with check("the proxy leads nowhere else, and other authorities do not count"):
    refused(requests.exceptions.ProxyError, lambda: requests.get("https://elsewhere.example/", timeout=20))
    os.environ.pop("REQUESTS_CA_BUNDLE"), os.environ.pop("SSL_CERT_FILE")
    refused(requests.exceptions.SSLError, lambda: requests.get("https://slack.com/api/api.test", timeout=20))

with check("nothing is left when it ends"):
    PROCESS.stdin.close()
    same(PROCESS.wait(timeout=20), 0)
    holds(not os.path.exists(REAL["ca_file"]), "the authority's certificate is gone")

finish()
