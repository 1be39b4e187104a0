"""msgraph-sdk as the app and as people, with its default settings and the real host names."""

import asyncio
import base64
import time

from judge import TEAMS, check, fault, finish, holds, report, same
from kiota_abstractions.base_request_configuration import RequestConfiguration
from microsoft import as_app, as_person
from msgraph.generated.chats.item.messages.item.set_reaction.set_reaction_post_request_body import (
    SetReactionPostRequestBody as ChatReaction,
)
from msgraph.generated.models.aad_user_conversation_member import AadUserConversationMember
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.chat import Chat
from msgraph.generated.models.chat_message import ChatMessage
from msgraph.generated.models.chat_message_attachment import ChatMessageAttachment
from msgraph.generated.models.chat_message_mention import ChatMessageMention
from msgraph.generated.models.chat_message_mentioned_identity_set import ChatMessageMentionedIdentitySet
from msgraph.generated.models.chat_type import ChatType
from msgraph.generated.models.identity import Identity
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.teams.item.channels.item.messages.messages_request_builder import MessagesRequestBuilder
from msgraph.generated.teams.item.channels.item.messages.item.set_reaction.set_reaction_post_request_body import (
    SetReactionPostRequestBody,
)


def html(text, mentions=None, attachments=None):
    """A message with an HTML body."""
    body = ItemBody(content_type=BodyType.Html, content=text)
    return ChatMessage(body=body, mentions=mentions, attachments=attachments)


def channel_of(graph):
    """The channel's request builder."""
    return graph.teams.by_team_id(TEAMS["team"]).channels.by_channel_id(TEAMS["channel"])


async def step(name, body):
    """Reports one check."""
    try:
        await body
    except Exception as error:  # noqa: BLE001 - whatever a client raises is a finding
        report(name, False, f"{type(error).__name__}: {error}")
    else:
        report(name, True)


async def refused(call, status):
    """Awaits the refusal that has to come."""
    try:
        await call
    except ODataError as error:
        same(error.response_status_code, status)
        return error.error
    raise AssertionError("was not refused")


async def main():
    """Runs all checks."""
    app, dana, emre = as_app(), as_person("dana"), as_person("emre")
    messages = channel_of(dana).messages
    made = {}

    async def directory():
        channels = (await app.teams.by_team_id(TEAMS["team"]).channels.get()).value
        holds({"General", "launch"} <= {one.display_name for one in channels}, channels)
        user = await app.users.by_user_id(TEAMS["people"]["dana"]).get()
        same((user.id, user.display_name), (TEAMS["people"]["dana"], "Dana Lindqvist"))
        members = (await app.teams.by_team_id(TEAMS["team"]).members.get()).value
        holds(len(members) >= 3 and all(one.odata_type for one in members), members)

    async def post():
        mention = ChatMessageMention(
            id=0,
            mention_text="Emre Kaya",
            mentioned=ChatMessageMentionedIdentitySet(
                user=Identity(id=TEAMS["people"]["emre"], display_name="Emre Kaya")
            ),
        )
        sent = await messages.post(html('<p>Ahoy <at id="0">Emre Kaya</at> <strong>now</strong></p>', [mention]))
        made["root"] = sent.id
        same((sent.from_.user.id, sent.from_.user.display_name), (TEAMS["people"]["dana"], "Dana Lindqvist"))
        found = await channel_of(app).messages.by_chat_message_id(sent.id).get()
        same((found.id, found.mentions[0].mentioned.user.id), (sent.id, TEAMS["people"]["emre"]))
        holds("<strong>now</strong>" in found.body.content, found.body.content)
        holds(found.etag and found.created_date_time and found.web_url, "etag, times and address are there")

    async def reply():
        thread = channel_of(emre).messages.by_chat_message_id(made["root"]).replies
        sent = await thread.post(html("<p>Aye</p>"))
        made["reply"] = sent.id
        same(sent.reply_to_id, made["root"])
        asked = RequestConfiguration(
            query_parameters=MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(expand=["replies"])
        )
        listed = (await channel_of(app).messages.get(request_configuration=asked)).value
        root = next(one for one in listed if one.id == made["root"])
        same([one.id for one in root.replies], [made["reply"]])

    async def paging():
        for number in range(4):
            await messages.post(html(f"<p>Page {number}</p>"))
        asked = RequestConfiguration(
            query_parameters=MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(top=2)
        )
        page = await channel_of(app).messages.get(request_configuration=asked)
        seen, pages = [], 1
        while True:
            same(len(page.value) <= 2, True)
            seen += [one.id for one in page.value]
            if not page.odata_next_link:
                break
            page = await channel_of(app).messages.with_url(page.odata_next_link).get()
            pages += 1
        holds(pages >= 3 and len(seen) == len(set(seen)) and made["root"] in seen, (pages, seen))

    async def edit():
        item = messages.by_chat_message_id(made["root"])
        await item.patch(html("<p>Ahoy <em>again</em></p>"))
        found = await item.get()
        holds("again" in found.body.content and found.last_edited_date_time, found.body.content)
        await refused(channel_of(emre).messages.by_chat_message_id(made["root"]).patch(html("<p>Mine</p>")), 403)

    async def react():
        item = channel_of(emre).messages.by_chat_message_id(made["root"])
        await item.set_reaction.post(SetReactionPostRequestBody(reaction_type="👍"))
        found = await channel_of(app).messages.by_chat_message_id(made["root"]).get()
        same([(one.reaction_type, one.user.user.id) for one in found.reactions], [("👍", TEAMS["people"]["emre"])])

    async def file():
        content = bytes(range(256)) * 40
        place = await channel_of(dana).files_folder.get()
        drive = place.parent_reference.drive_id
        item = await dana.drives.by_drive_id(drive).items.by_drive_item_id(f"{place.id}:/chart.bin:").content.put(content)
        same((item.name, item.size), ("chart.bin", len(content)))
        unique = item.e_tag.split("{")[1].split("}")[0]
        part = ChatMessageAttachment(id=unique, content_type="reference", content_url=item.web_url, name=item.name)
        sent = await messages.post(html(f'<p>Chart</p><attachment id="{unique}"></attachment>', attachments=[part]))
        found = await channel_of(emre).messages.by_chat_message_id(sent.id).get()
        same([(one.id, one.name) for one in found.attachments], [(unique, "chart.bin")])
        link = base64.urlsafe_b64encode(found.attachments[0].content_url.encode()).decode().rstrip("=")
        shared = emre.shares.by_shared_drive_item_id(f"u!{link}").drive_item
        same((await shared.get()).size, len(content))
        same(await shared.content.get(), content)

    async def direct():
        def member(person):
            bind = f"https://graph.microsoft.com/v1.0/users('{TEAMS['people'][person]}')"
            return AadUserConversationMember(roles=["owner"], additional_data={"user@odata.bind": bind})

        pair = Chat(chat_type=ChatType.OneOnOne, members=[member("dana"), member("emre")])
        chat = await dana.chats.post(pair)
        same((await emre.chats.post(pair)).id, chat.id)
        sent = await dana.chats.by_chat_id(chat.id).messages.post(html("<p>Only for Emre</p>"))
        theirs = emre.chats.by_chat_id(chat.id).messages
        same([one.id for one in (await theirs.get()).value], [sent.id])
        await theirs.by_chat_message_id(sent.id).set_reaction.post(ChatReaction(reaction_type="❤️"))
        found = await dana.chats.by_chat_id(chat.id).messages.by_chat_message_id(sent.id).get()
        same([(one.reaction_type, one.user.user.id) for one in found.reactions], [("❤️", TEAMS["people"]["emre"])])

    async def delete():
        item = messages.by_chat_message_id(made["root"])
        await item.soft_delete.post()
        found = await item.get()
        holds(found.deleted_date_time, "a deleted message has its time of deletion")
        holds(not (found.body.content or "").strip(), found.body.content)

    async def refusals():
        error = await refused(app.teams.by_team_id("00000000-1111-2222-3333-444444444444").channels.get(), 404)
        holds(error.code and error.inner_error and error.inner_error.request_id, error)
        await refused(channel_of(app).messages.post(html("<p>As an app</p>")), 403)

    async def throttled():
        fault(TEAMS["base_url"], "GET *", "rate_limited", retry_after="1")
        started = time.monotonic()
        await channel_of(app).messages.get()
        holds(1 <= time.monotonic() - started < 10, "waited as told")

    await step("team, channels, people and members", directory())
    await step("post with a mention", post())
    await step("reply, and list with replies", reply())
    await step("page by page", paging())
    await step("edit one's own, not another's", edit())
    await step("reaction", react())
    await step("a file in the channel's folder, posted and downloaded by another", file())
    await step("a chat between two, with a reaction", direct())
    await step("soft delete", delete())
    await step("refusals are ODataErrors with code and inner error", refusals())
    await step("429 is obeyed with Retry-After", throttled())


asyncio.run(main())
finish()
