// @zoom/rivet as app: consent, tokens, user calls, files, webhooks; as bot; as server-to-server app.
import { createReadStream, mkdtempSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, finish, holds, load, refused, same, waitFor, world } from "./judge.mjs";

const { zoom } = world;
// Rivet has Zoom's hosts built in; its HTTP library is told where they are here, and that there are no others.
const hosts = { "zoom.us": zoom.base_url, "api.zoom.us": zoom.base_url, "file.zoom.us": zoom.files_url, "fileapi.zoom.us": zoom.files_url };
const here = (address) => {
  const url = new URL(address);
  const base = hosts[url.host];
  if (!base) throw new Error(`${url.host} is not simulated`);
  return base + url.pathname + url.search;
};
const entry = createRequire(`${process.env.DRAGOMAN_NODE_CLIENTS}/package.json`).resolve("@zoom/rivet/teamchat");
const axios = createRequire(entry)("axios");
(axios.default ?? axios).interceptors.request.use((config) => {
  const whole = /^https?:/.test(config.url) ? config.url : `${config.baseURL}/${config.url.replace(/^\//, "")}`;
  return { ...config, baseURL: undefined, url: here(whole) };
});
const { TeamChatClient, TeamChatS2SAuthClient } = load("@zoom/rivet/teamchat");
const { ChatbotClient } = load("@zoom/rivet/chatbot");

const local = `http://127.0.0.1:${world.events_port}`;
const app = { clientId: zoom.client_id, clientSecret: zoom.client_secret };
const receiver = { webhooksSecretToken: zoom.secret_token };
const client = new TeamChatClient({ ...app, ...receiver, port: world.events_port, installerOptions: { redirectUri: local, stateStore: "a-secret-for-states-of-some-length" } });
const { chatMessages, chatChannels, chatFiles, chatSessions } = client.endpoints;
const events = [];
for (const name of ["channel_message_posted", "channel_message_updated", "channel_message_deleted", "channel_reaction_added", "dm_message_posted", "file_shared"]) {
  client.webEventConsumer.event(`team_chat.${name}`, (event) => void events.push(event));
}
client.webEventConsumer.event("chat_message.sent", (event) => void events.push(event));
client.webEventConsumer.onChannelMessagePosted(/^ahoy/, async ({ reply }) => { await reply("Aye!"); });
const heard = (name, fits) => waitFor(name, () => events.find((one) => one.event === name && fits(one.payload.object, one.payload)));

const post = async (path, body) => (await fetch(zoom.base_url + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).json();
const act = (body) => post("/_sim/zoom/act", { user: zoom.people.theo, room: zoom.channel, ...body });
const to = { to_channel: zoom.channel };
const path = { userId: zoom.people.bridge };
const listed = async () => (await chatMessages.listUsersChatMessages({ path, query: { ...to, page_size: 50 } })).data.messages;

await check("the receiver answers endpoint validation as asked", async () => {
  await client.start();
  same(await post("/_sim/zoom/app", { app: zoom.app_id, events_url: `${local}/zoom/events` }), { ok: true });
});

await check("consent, code and token", async () => {
  const install = await fetch(`${local}/zoom/oauth/install`);
  const cookie = install.headers.getSetCookie()[0].split(";")[0];
  const link = /href="(https:\/\/zoom\.us\/oauth\/authorize[^"]+)"/.exec(await install.text())[1].replaceAll("&amp;", "&");
  const consent = await fetch(here(link), { redirect: "manual" });
  same(consent.status, 303);
  const back = await fetch(consent.headers.get("location"), { headers: { cookie } });
  holds(back.status === 200, await back.text());
});

let root;
await check("send, read back, edit and delete", async () => {
  const rich_text = [{ start_position: 0, end_position: 12, format_type: "Bold", format_attr: "" }];
  const sent = await chatMessages.sendChatMessage({ path, body: { ...to, message: "Alice (Slack): naïve 👍", rich_text } });
  same(sent.statusCode, 201);
  holds(sent.trackingId, "no tracking id");
  const messageId = sent.data.id;
  const event = await heard("team_chat.channel_message_posted", (object) => object.message_id === messageId);
  same([event.payload.object.message, event.payload.object.rich_text], ["Alice (Slack): naïve 👍", rich_text]);
  const edit = await chatMessages.updateMessage({ path: { ...path, messageId }, body: { ...to, message: "edited" } });
  same(edit.statusCode, 204);
  same((await heard("team_chat.channel_message_updated", (object) => object.message_id === messageId)).payload.object.message, "edited");
  same((await listed())[0].message, "edited");
  same((await chatMessages.deleteMessage({ path: { ...path, messageId }, query: to })).statusCode, 204);
  await heard("team_chat.channel_message_deleted", (object) => object.message_id === messageId);
});

await check("a person's message, reply and reaction", async () => {
  root = (await act({ action: "post", text: "**Root** @Imani Okoye" })).result;
  const event = await heard("team_chat.channel_message_posted", (object) => object.message_id === root);
  same(event.payload.operator_id, zoom.people.theo);
  same(event.payload.object.at_items[0].at_contact_user_id, zoom.people.imani);
  await heard("chat_message.sent", (object) => object.id === root);
  const body = { ...to, message: "reply", reply_main_message_id: root };
  await chatMessages.sendChatMessage({ path, body });
  await heard("team_chat.channel_message_posted", (object) => object.reply_main_message_id === root);
  const thread = await chatMessages.retrieveThread({ path: { ...path, messageId: root }, query: { ...to, from: "2026-01-01T00:00:00Z" } });
  same(thread.data.messages.map((one) => one.message), ["reply"]);
  await chatMessages.reactToChatMessage({ path: { ...path, messageId: root }, body: { ...to, action: "add", emoji: "U+1F44D" } });
  await heard("team_chat.channel_reaction_added", (object) => object.msg_id === root && object.emoji === "U+1f44d");
  await act({ action: "direct", other: zoom.people.imani }).then(({ result }) => act({ action: "post", room: result, text: "psst" }));
  await heard("team_chat.dm_message_posted", (object) => object.message === "psst" && object.contact_id === zoom.people.imani);
});

await check("Rivet's own reply comes back", async () => {
  await act({ action: "post", text: "ahoy there" });
  await heard("team_chat.channel_message_posted", (object) => object.message === "Aye!");
});

await check("channels, members, sessions", async () => {
  const channels = (await chatChannels.listUsersChannels({ path })).data.channels;
  holds(channels.some((one) => one.id === zoom.channel && one.type === 3), JSON.stringify(channels));
  const members = (await chatChannels.listChannelMembers({ path: { ...path, channelId: zoom.channel } })).data.members;
  same(members.map((one) => one.name), ["Theo Lindqvist", "Imani Okoye", "Rui Carvalho", "Dragoman Bridge"]);
  holds((await chatSessions.listUsersChatSessions({ path })).data.sessions.length > 0, "no sessions");
});

await check("uploads follow the redirect with their token", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "rivet-")), "plan.txt");
  writeFileSync(file, "the plan");
  const uploaded = await chatFiles.uploadChatFile({ path, query: { postToPersonalChat: false }, body: { file: createReadStream(file) } });
  same(uploaded.statusCode, 201);
  await chatMessages.sendChatMessage({ path, body: { ...to, message: "see file", file_ids: [uploaded.data.id] } });
  const event = await heard("team_chat.file_shared", (object) => object.files[0].file_id === uploaded.data.id);
  same(event.payload.object.files[0].file_name, "plan.txt");
  const sent = await chatFiles.sendChatFile({ path, body: { files: createReadStream(file), ...to } });
  same(sent.statusCode, 201);
  const shown = (await listed()).find((one) => one.id === sent.data.id);
  same(await (await fetch(shown.files[0].download_url)).text(), "the plan");
});

await check("a direct message by address, with a file and a reaction", async () => {
  const direct = { to_contact: zoom.emails.imani };
  const file = join(mkdtempSync(join(tmpdir(), "rivet-")), "private plan.txt");
  writeFileSync(file, "for Imani");
  const sent = await chatFiles.sendChatFile({ path, body: { files: createReadStream(file), ...direct } });
  const between = async () => (await chatMessages.listUsersChatMessages({ path, query: { ...direct, page_size: 50 } })).data.messages;
  const shown = (await between()).find((one) => one.id === sent.data.id);
  same(await (await fetch(shown.files[0].download_url)).text(), "for Imani");
  const text = await chatMessages.sendChatMessage({ path, body: { ...direct, message: "only for you" } });
  const messageId = text.data.id;
  await heard("team_chat.dm_message_posted", (object) => object.message_id === messageId);
  const react = (action) => chatMessages.reactToChatMessage({ path: { ...path, messageId }, body: { ...direct, action, emoji: "U+2764" } });
  await react("add");
  same((await between()).find((one) => one.id === messageId).reactions.map((one) => one.emoji.toUpperCase()), ["U+2764"]);
  await react("remove");
  same(((await between()).find((one) => one.id === messageId).reactions ?? []).length, 0);
});

await check("refusals carry status, code and message", async () => {
  const lost = await refused(() => chatMessages.sendChatMessage({ path, body: { message: "x", to_channel: "nowhere" } }));
  same(lost.message, '[404/4130]: "Channel does not exist: nowhere."');
  const long = await refused(() => chatMessages.sendChatMessage({ path, body: { ...to, message: "x".repeat(1025) } }));
  holds(long.message.startsWith("[400/300]"), long.message);
  const fault = { kind: "rate_limited", retry_after: "" };
  await post("/_sim/faults", { matches: { method: "POST /chat/users/*/messages" }, fault, count: 1 });
  const busy = await refused(() => chatMessages.sendChatMessage({ path, body: { ...to, message: "x" } }));
  holds(busy.message.startsWith("[429/429]"), busy.message);
});

await check("a bot hears its command and answers", async () => {
  const bot = new ChatbotClient({ ...app, ...receiver, port: world.bot_port });
  const commands = [];
  bot.webEventConsumer.event("bot_notification", (event) => void commands.push(event.payload));
  await bot.start();
  await act({ action: "post", text: "/dragoman say hello" });
  const command = await waitFor("the command", () => commands.find((one) => one.cmd === "say hello"));
  const body = { robot_jid: command.robotJid, to_jid: command.toJid, user_jid: command.userJid, account_id: command.accountId };
  const sent = await bot.endpoints.messages.sendChatbotMessage({ body: { ...body, content: { head: { text: "Hello" } } } });
  same(sent.statusCode, 201);
  const id = sent.data.message_id;
  const change = { ...body, content: { head: { text: "Hello again" } } };
  same((await bot.endpoints.messages.editChatbotMessage({ path: { message_id: id }, body: change })).statusCode, 200);
  same((await listed()).find((one) => one.id === id).bot_message.head.text, "Hello again");
});

await check("a server-to-server app acts in its account", async () => {
  const { client_id: clientId, client_secret: clientSecret } = zoom.server;
  const server = new TeamChatS2SAuthClient({ clientId, clientSecret, accountId: zoom.account_id, disableReceiver: true });
  const sent = await server.endpoints.chatMessages.sendChatMessage({ path, body: { ...to, message: "from the server" } });
  same(sent.statusCode, 201);
});

finish();
