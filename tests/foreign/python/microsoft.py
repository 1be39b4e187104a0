"""What the Teams scripts share: signing in as a person, and Graph clients with their default settings."""

import time
import urllib.error
import urllib.parse
import urllib.request

import msal
from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential
from judge import TEAMS
from msgraph import GraphServiceClient

AUTHORITY = f"https://login.microsoftonline.com/{TEAMS['tenant']}"
GRAPH = ["https://graph.microsoft.com/.default"]
BOT = ["https://api.botframework.com/.default"]
REDIRECT = "https://gateway.example/back"
PERSON_SCOPES = [
    "ChannelMessage.Send",
    "ChannelMessage.ReadWrite",
    "ChannelMessage.Read.All",
    "Chat.ReadWrite",
    "Files.ReadWrite.All",
]


class Stay(urllib.request.HTTPRedirectHandler):
    """Does not follow redirects."""

    def redirect_request(self, *args):
        """Follows nothing."""
        return None


def follow(address):
    """Opens a sign-in page that answers at once; returns the query of the redirect."""
    try:
        urllib.request.build_opener(Stay).open(address)
    except urllib.error.HTTPError as redirect:
        back = urllib.parse.urlparse(redirect.headers["Location"])
        if back.hostname == "gateway.example":
            return dict(urllib.parse.parse_qsl(back.query))
        raise AssertionError(f"redirected to {back.hostname}") from None
    raise AssertionError("no redirect")


def application(app_id=None, secret=None):
    """The app as MSAL sees it."""
    return msal.ConfidentialClientApplication(
        app_id or TEAMS["app_id"], authority=AUTHORITY, client_credential=secret or TEAMS["app_secret"]
    )


def sign_in(person):
    """Signs a person in by the authorization code flow; returns MSAL's app and its answer."""
    app = application()
    flow = app.initiate_auth_code_flow(PERSON_SCOPES, redirect_uri=REDIRECT, login_hint=TEAMS["people"][person])
    answer = app.acquire_token_by_auth_code_flow(flow, follow(flow["auth_uri"]))
    if "access_token" not in answer:
        raise AssertionError(answer)
    return app, answer


class Held:
    """A credential that holds a token already."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **more):
        """Returns it."""
        return AccessToken(self.token, int(time.time()) + 3000)


def as_person(person):
    """Graph, as a person."""
    return GraphServiceClient(Held(sign_in(person)[1]["access_token"]), GRAPH)


def as_app():
    """Graph, as the app, by azure-identity."""
    credential = ClientSecretCredential(TEAMS["tenant"], TEAMS["app_id"], TEAMS["app_secret"])
    return GraphServiceClient(credential, GRAPH)
