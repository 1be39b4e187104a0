// Node's Bolt as receiver of events over HTTP.
import { check, finish, holds, load, same, waitFor, world } from "./judge.mjs";

const { App, LogLevel } = load("@slack/bolt");
const { WebClient } = load("@slack/web-api");
const { slack } = world;
const channel = slack.channel;
const clientOptions = { slackApiUrl: `${slack.base_url}/api/`, logLevel: LogLevel.ERROR };
const ana = new WebClient(slack.user_tokens.ana, clientOptions);
const me = await new WebClient(slack.bot_token, clientOptions).auth.test();
const app = new App({
  signingSecret: slack.signing_secret,
  authorize: async () => ({ botToken: slack.bot_token, botId: me.bot_id, botUserId: me.user_id }),
  endpoints: "/slack/events",
  clientOptions,
  logLevel: LogLevel.ERROR,
});
const events = [];
app.event("message", async ({ event }) => void events.push(event));
app.event("reaction_added", async ({ event }) => void events.push(event));
await app.start(world.events_port);

const event = (what, fits) => waitFor(what, () => events.find(fits));
let root;

await check("a person's message is accepted and dispatched", async () => {
  root = (await ana.chat.postMessage({ channel, text: "Hello Node" })).ts;
  same((await event("the message", (found) => found.ts === root)).user, slack.people.ana);
});

await check("text beyond ASCII keeps its signature", async () => {
  const text = "Grüße, 世界 🌍 \u2028 <tag> & “quotes”";
  const sent = await ana.chat.postMessage({ channel, text });
  const found = await event("the message", (one) => one.ts === sent.ts);
  holds(found.text.includes("世界") && found.text.includes("Grüße"), found.text);
});

await check("edit and deletion", async () => {
  await ana.chat.update({ channel, ts: root, text: "Hello again" });
  same((await event("the edit", (found) => found.subtype === "message_changed")).message.text, "Hello again");
  await ana.chat.delete({ channel, ts: root });
  same((await event("the deletion", (found) => found.subtype === "message_deleted")).deleted_ts, root);
});

finish();
