"""The simulator's answers against Microsoft's published OpenAPI description of Graph, with a general validator."""

import json
import os
import pathlib

import yaml
from jsonschema import Draft202012Validator
from judge import TEAMS, check, finish, holds, http, refused, report, same
from microsoft import GRAPH, application, sign_in
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

PAYLOADS = pathlib.Path(os.environ.get("DRAGOMAN_PAYLOADS") or "../shared/platforms")
DESCRIPTION = PAYLOADS / "teams/spec/graph-openapi-excerpt.yaml"
NAME = "urn:graph"

if not DESCRIPTION.is_file():
    # Not part of this repository; where checks are automatic it has to be there.
    report("Graph's description is at hand", not os.environ.get("CI"), f"left out, there is no {DESCRIPTION.name}")
    finish()


def translate(node):
    """Turns OpenAPI's `nullable` into plain JSON Schema."""
    if isinstance(node, list):
        return [translate(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {name: translate(value) for name, value in node.items() if name not in ("nullable", "discriminator")}
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") else made


description = translate(yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8")))
registry = Registry().with_resource(NAME, Resource(contents=description, specification=DRAFT202012))


def valid(kind, value):
    """Raises unless the value is one of `kind`."""
    schema = {"$ref": f"{NAME}#/components/schemas/{kind}"}
    errors = list(Draft202012Validator(schema, registry=registry).iter_errors(value))
    holds(not errors, "; ".join(f"{error.json_path}: {error.message[:150]}" for error in errors[:5]))


app = application().acquire_token_for_client(GRAPH)["access_token"]
dana = sign_in("dana")[1]["access_token"]
CHANNEL = f"/teams/{TEAMS['team']}/channels/{TEAMS['channel']}"


def graph(method, path, body=None, token=app):
    """Calls Graph; returns status and document."""
    status, _, data = http(method, f"https://graph.microsoft.com/v1.0{path}", body, {"Authorization": f"Bearer {token}"})
    return status, json.loads(data) if data else None


with check("the description refuses what is none of it"):
    refused(AssertionError, lambda: valid("chatMessage", {"id": 5}))
    refused(AssertionError, lambda: valid("chatMessage", {"createdDateTime": "now", "mentions": {}}))

with check("messages: new, reply, with mention, reaction, edited, deleted"):
    mention = {
        "id": 0,
        "mentionText": "Emre Kaya",
        "mentioned": {"user": {"id": TEAMS["people"]["emre"], "displayName": "Emre Kaya", "userIdentityType": "aadUser"}},
    }
    body = {"body": {"contentType": "html", "content": '<p>Ahoy <at id="0">Emre Kaya</at></p>'}, "mentions": [mention]}
    status, sent = graph("POST", f"{CHANNEL}/messages", body, dana)
    same(status, 201)
    valid("chatMessage", sent)
    path = f"{CHANNEL}/messages/{sent['id']}"
    status, reply = graph("POST", f"{path}/replies", {"body": {"content": "Aye"}}, dana)
    same(status, 201)
    valid("chatMessage", reply)
    same(graph("POST", f"{path}/setReaction", {"reactionType": "👍"}, dana)[0], 204)
    same(graph("PATCH", path, {"body": {"contentType": "html", "content": "<p>Again</p>"}}, dana)[0], 204)
    valid("chatMessage", graph("GET", path)[1])
    same(graph("POST", f"{path}/replies/{reply['id']}/softDelete", b"", dana)[0], 204)
    valid("chatMessage", graph("GET", f"{path}/replies/{reply['id']}")[1])

with check("lists: messages with replies, channels, members, people"):
    listed = graph("GET", f"{CHANNEL}/messages?$expand=replies")[1]["value"]
    holds(listed, "there are messages")
    for message in listed:
        valid("chatMessage", message)
    for channel in graph("GET", f"/teams/{TEAMS['team']}/channels")[1]["value"]:
        valid("channel", channel)
    valid("team", graph("GET", f"/teams/{TEAMS['team']}")[1])
    for member in graph("GET", f"/teams/{TEAMS['team']}/members")[1]["value"]:
        holds(member["@odata.type"] == "#microsoft.graph.aadUserConversationMember" and member["userId"], member)

finish()
