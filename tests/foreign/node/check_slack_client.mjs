// @slack/web-api as app and as person: everything is a form, objects are JSON text inside it.
import { check, finish, holds, load, refused, same, waitFor, world } from "./judge.mjs";

const { WebClient, LogLevel } = load("@slack/web-api");
const { slack } = world;
const options = { slackApiUrl: `${slack.base_url}/api/`, logLevel: LogLevel.ERROR };
const app = new WebClient(slack.bot_token, options);
const ana = new WebClient(slack.user_tokens.ana, options);
const channel = slack.channel;

const history = async () => (await app.conversations.history({ channel, limit: 20 })).messages;
const message = async (ts) => (await history()).find((found) => found.ts === ts);
let root;

await check("auth.test names app and workspace", async () => {
  const me = await app.auth.test();
  same(me.team_id, slack.team);
});

await check("chat.postMessage with blocks and metadata inside a form", async () => {
  const blocks = [{ type: "section", text: { type: "mrkdwn", text: "*Ahoy*" } }];
  const metadata = { event_type: "relay", event_payload: { leg: "8" } };
  const sent = await app.chat.postMessage({ channel, text: "Ahoy", blocks, metadata, username: "Emre Kaya" });
  root = sent.ts;
  const found = await app.conversations.history({ channel, include_all_metadata: true, limit: 5 });
  same(found.messages.find((one) => one.ts === root).metadata, metadata);
  same((await message(root)).blocks[0].text.text, "*Ahoy*");
});

await check("thread reply, edit, reaction and deletion by a person", async () => {
  const reply = await ana.chat.postMessage({ channel, text: "Aye", thread_ts: root });
  const thread = await app.conversations.replies({ channel, ts: root });
  same(thread.messages.map((one) => one.ts), [root, reply.ts]);
  await ana.chat.update({ channel, ts: reply.ts, text: "Aye aye" });
  await ana.reactions.add({ channel, timestamp: reply.ts, name: "anchor" });
  const edited = (await app.conversations.replies({ channel, ts: root })).messages[1];
  same([edited.text, edited.reactions[0].name], ["Aye aye", "anchor"]);
  await ana.chat.delete({ channel, ts: reply.ts });
  same((await app.conversations.replies({ channel, ts: root })).messages.length, 1);
});

await check("filesUploadV2 sends multipart and is understood", async () => {
  const file = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 256));
  await app.filesUploadV2({ channel_id: channel, file, filename: "node.bin", initial_comment: "From Node" });
  const shared = await waitFor("the message of the file", async () => (await history()).find((one) => one.files));
  const headers = { Authorization: `Bearer ${slack.bot_token}` };
  const answer = await fetch(shared.files[0].url_private_download ?? shared.files[0].url_private, { headers });
  same(Buffer.compare(Buffer.from(await answer.arrayBuffer()), file), 0);
});

await check("a direct conversation is opened and read by the other", async () => {
  const { id } = (await app.conversations.open({ users: slack.people.ana })).channel;
  const sent = await app.chat.postMessage({ channel: id, text: "Only for Ana" });
  same((await app.conversations.open({ users: slack.people.ana })).channel.id, id);
  const read = (await ana.conversations.history({ channel: id })).messages;
  same([read[0].ts, read[0].text], [sent.ts, "Only for Ana"]);
  await ana.reactions.add({ channel: id, timestamp: sent.ts, name: "heart" });
  same((await app.reactions.get({ channel: id, timestamp: sent.ts })).message.reactions[0].name, "heart");
});

await check("paginate walks all people", async () => {
  const names = [];
  for await (const page of app.paginate("users.list", { limit: 1 })) {
    names.push(...page.members.map((member) => member.real_name));
  }
  holds(["Ana Souza", "Ben Okafor", "Chloe Martin"].every((name) => names.includes(name)), names.join());
});

await check("errors are named", async () => {
  const error = await refused(() => app.chat.postMessage({ channel: "C0000NOWHERE", text: "a" }));
  same(error.data.error, "channel_not_found");
});

await check("429 is obeyed unasked", async () => {
  const order = { matches: { method: "chat.postMessage" }, fault: { kind: "rate_limited", retry_after: "1" }, count: 1 };
  const headers = { "Content-Type": "application/json" };
  await fetch(`${slack.base_url}/_sim/faults`, { method: "POST", headers, body: JSON.stringify(order) });
  await app.chat.postMessage({ channel, text: "Later" });
  same((await history()).filter((one) => one.text === "Later").length, 1);
});

finish();
