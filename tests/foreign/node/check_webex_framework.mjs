// webex-node-bot-framework as a bot that listens, hears and answers.
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, finish, holds, load, same, waitFor, world } from "./judge.mjs";

const { webex } = world;
const api = `${webex.base_url}/v1`;
// Read when the SDK below the framework is loaded.
process.env.HYDRA_SERVICE_URL = api;
const Framework = load("webex-node-bot-framework");
const webhook = load("webex-node-bot-framework/webhook");
const secret = "framework-secret";

async function call(token, method, path, body) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : undefined };
}
const gita = (method, path, body) => call(webex.user_tokens.gita, method, path, body);
const say = async (markdown) => (await gita("POST", "/messages", { roomId: webex.room, markdown })).body;

const framework = new Framework({
  token: webex.bot_token,
  webhookUrl: `http://127.0.0.1:${world.events_port}/framework`,
  webhookSecret: secret,
  removeWebhooksOnStart: true,
});
const handle = webhook(framework);
const deliveries = [];
const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    request.body = JSON.parse(Buffer.concat(parts).toString("utf8"));
    deliveries.push(request.body);
    response.status = (code) => { response.statusCode = code; return response; };
    response.send = (text) => response.end(text);
    handle(request, response);
  });
});
await new Promise((resolve) => server.listen(world.events_port, "127.0.0.1", resolve));
const seen = [];
for (const name of ["messageCreated", "messageDeleted", "spawn", "memberEnters", "roomRenamed", "attachmentAction"]) {
  framework.on(name, (...details) => void seen.push({ name, details }));
}
const noticed = (name, fits = () => true) => waitFor(name, () => seen.find((one) => one.name === name && fits(...one.details)));
framework.hears("ahoy", async (bot, trigger) => bot.say("markdown", `**Ahoy** ${trigger.person.displayName}`));

await check("it starts, finds its space and registers its webhooks", async () => {
  await framework.start();
  const list = async () => (await call(webex.bot_token, "GET", "/webhooks")).body.items;
  await waitFor("two webhooks", async () => (await list()).length === 2);
  same((await list()).map((one) => [one.resource, one.event]).sort(), [["all", "all"], ["attachmentActions", "created"]]);
  same((await list()).every((one) => one.secret === secret), true);
  await noticed("spawn", (bot) => bot.room.id === webex.room);
});

await check("a mention is verified, fetched, heard and answered", async () => {
  const said = await say("<@personEmail:dragoman@webex.bot> ahoy");
  await noticed("messageCreated", (message) => message.id === said.id);
  const answered = await waitFor("the answer", async () =>
    (await gita("GET", `/messages?roomId=${webex.room}&max=5`)).body.items.find((one) => one.personEmail === "dragoman@webex.bot"));
  same(answered.html, "<p><strong>Ahoy</strong> Gita Rao</p>");
});

await check("what does not mention it does not reach it", async () => {
  const quiet = await say("among people");
  const mark = await say("<@personEmail:dragoman@webex.bot> mark");
  await noticed("messageCreated", (message) => message.id === mark.id);
  holds(!deliveries.some((one) => one.data.id === quiet.id), "no delivery for a message without a mention");
});

await check("text beyond ASCII keeps its signature", async () => {
  const title = "Käpt'n 世界 🌍";
  same((await gita("PUT", `/rooms/${webex.room}`, { title })).status, 200);
  await noticed("roomRenamed", (bot, room) => room.title === title);
});

await check("a new member and a deletion are noticed", async () => {
  const room = (await gita("POST", "/rooms", { title: "Made in Node" })).body;
  same((await gita("POST", "/memberships", { roomId: room.id, personEmail: "dragoman@webex.bot" })).status, 200);
  await noticed("spawn", (bot) => bot.room.id === room.id);
  same((await gita("POST", "/memberships", { roomId: room.id, personId: webex.people.henrik })).status, 200);
  await noticed("memberEnters", (bot, membership) => membership.personId === webex.people.henrik);
  const said = await say("<@personEmail:dragoman@webex.bot> gone soon");
  await noticed("messageCreated", (message) => message.id === said.id);
  same((await gita("DELETE", `/messages/${said.id}`)).status, 204);
  await noticed("messageDeleted", (message) => message.id === said.id);
});

await check("a local file goes up with a text, and its reader gets the bytes", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "framework-")), "plan.txt");
  writeFileSync(file, "the plan");
  const sent = await framework.getBotByRoomId(webex.room).sayWithLocalFile("see", file);
  const found = (await gita("GET", `/messages/${sent.id}`)).body;
  same([found.text, found.files.length], ["see", 1]);
  const answer = await fetch(found.files[0], { headers: { authorization: `Bearer ${webex.user_tokens.gita}` } });
  holds(answer.headers.get("content-disposition").includes("plan.txt"), answer.headers.get("content-disposition"));
  same(await answer.text(), "the plan");
});

await check("a file that somebody shares is in the trigger", async () => {
  const form = new FormData();
  form.append("roomId", webex.room);
  form.append("markdown", "<@personEmail:dragoman@webex.bot> take this");
  form.append("files", new Blob(["from Gita"], { type: "text/plain" }), "note.txt");
  const sent = await fetch(`${api}/messages`, { method: "POST", headers: { authorization: `Bearer ${webex.user_tokens.gita}` }, body: form });
  const said = await sent.json();
  const [message] = (await noticed("messageCreated", (one) => one.id === said.id)).details;
  const answer = await fetch(message.files[0], { headers: { authorization: `Bearer ${webex.bot_token}` } });
  same(await answer.text(), "from Gita");
});

await check("a direct message by address, and its answer", async () => {
  const sent = await framework.getBotByRoomId(webex.room).dm(webex.emails.gita, "markdown", "**only** you");
  same([sent.roomType, sent.html], ["direct", "<p><strong>only</strong> you</p>"]);
  const said = (await gita("POST", "/messages", { roomId: sent.roomId, text: "only me" })).body;
  await noticed("messageCreated", (message) => message.id === said.id);
});

await check("a card is clicked", async () => {
  const bot = framework.getBotByRoomId(webex.room);
  const card = { type: "AdaptiveCard", version: "1.2", body: [], actions: [{ type: "Action.Submit", title: "Go" }] };
  const sent = await bot.sendCard(card, "a card");
  same((await gita("POST", "/attachment/actions", { type: "submit", messageId: sent.id, inputs: { go: "yes" } })).status, 202);
  const [, trigger] = (await noticed("attachmentAction")).details;
  same(trigger.attachmentAction.inputs, { go: "yes" });
});

finish();
