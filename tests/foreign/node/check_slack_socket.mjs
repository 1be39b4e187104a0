// Node's Socket Mode client, which acknowledges with an empty payload.
import { check, finish, load, same, waitFor, world } from "./judge.mjs";

const { SocketModeClient, LogLevel } = load("@slack/socket-mode");
const { WebClient } = load("@slack/web-api");
const { slack } = world;
const channel = slack.channel;
const clientOptions = { slackApiUrl: `${slack.base_url}/api/` };
const ana = new WebClient(slack.user_tokens.ana, { ...clientOptions, logLevel: LogLevel.ERROR });
const socket = new SocketModeClient({ appToken: slack.socket.app_token, clientOptions, logLevel: LogLevel.ERROR });
const seen = [];
socket.on("message", async ({ ack, event, retry_num: retry }) => {
  await ack();
  seen.push({ event, retry });
});

await check("connects and receives once", async () => {
  await socket.start();
  const sent = await ana.chat.postMessage({ channel, text: "Over Node's socket" });
  const found = await waitFor("the event", () => seen.find(({ event }) => event.ts === sent.ts));
  same([found.event.user, found.retry ?? 0], [slack.people.ana, 0]);
  same(seen.filter(({ event }) => event.ts === sent.ts).length, 1);
});

await check("events around refreshes are not lost", async () => {
  // The simulator of this script refreshes connections after a few seconds.
  const sent = [];
  const end = Date.now() + 12_000;
  while (Date.now() < end) {
    sent.push((await ana.chat.postMessage({ channel, text: `Through the gap ${sent.length}` })).ts);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const missing = () => sent.filter((ts) => !seen.some(({ event }) => event.ts === ts));
  await waitFor("all events", () => missing().length === 0, 30_000);
});

await socket.disconnect();
finish();
