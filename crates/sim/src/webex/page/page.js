"use strict";
// Webex' messages, people and spaces, for the client that all pages share. Threads stand among the messages.

const { $, el, icon, get, safe, linked } = Chat;
const REACTIONS = { thumbsup: "👍", heart: "❤️", celebrate: "🎉", haha: "😆", smiley: "🙂", confused: "😕", sad: "😢" };
const EMOJI = ["👍", "👎", "❤️", "😆", "🙂", "😕", "😢", "🎉", "🙏", "👏", "🔥", "👀", "✅", "🚀", "💯", "🤔", "👋", "☕", "🌟", "📌", "⏰", "❓", "❗", "🌈"];
const COLOURS = ["#0b6b7c", "#7a4fb5", "#b5532b", "#2a7d4f", "#3a62c4", "#a83c6d", "#8a6a12", "#50616b"];
const faceOf = (name, room) => {
  const sum = [...name].reduce((total, letter) => total + letter.codePointAt(0), 0);
  const words = name.replace(/[^\p{L}\p{N} ]/gu, " ").trim().split(/\s+/);
  const text = words.slice(0, room ? 1 : 2).map((word) => [...word][0] || "").join("").toUpperCase();
  return el("span", { class: room ? "face square" : "face", style: `background:${COLOURS[sum % COLOURS.length]}`, "aria-hidden": "true" }, text);
};

// A message's HTML is read by the browser in a document of its own and built anew from what is known: nothing of it runs.
const KEPT = new Set(["P", "BR", "STRONG", "B", "EM", "I", "U", "S", "DEL", "STRIKE", "CODE", "PRE", "BLOCKQUOTE", "UL", "OL", "LI", "H1", "H2", "H3", "H4", "H5", "H6", "HR", "DIV", "SPAN"]);
const clean = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(node.data)];
  if (node.nodeType !== Node.ELEMENT_NODE || ["SCRIPT", "STYLE"].includes(node.tagName)) return [];
  const inside = [...node.childNodes].flatMap(clean);
  if (/^(SPARK|WEBEX)-MENTION$/.test(node.tagName)) {
    const all = node.dataset.objectType === "groupMention";
    const mine = node.dataset.objectId && (node.dataset.objectId === client.view.me || atobSafe(client.view.me).endsWith(`/${node.dataset.objectId}`));
    return [el("span", { class: all ? "mention loud" : mine ? "mention self" : "mention", "data-name": node.textContent }, ...inside)];
  }
  if (node.tagName === "A" && safe(node.getAttribute("href"))) return [el("a", { href: node.getAttribute("href"), target: "_blank", rel: "noopener noreferrer" }, ...inside)];
  if (!KEPT.has(node.tagName)) return inside;
  const made = el(node.tagName.toLowerCase(), {}, ...inside);
  if (node.tagName === "OL" && node.getAttribute("start")) made.setAttribute("start", node.getAttribute("start"));
  if (node.tagName === "BLOCKQUOTE" && /^(danger|success|warning|info)$/.test(node.className)) made.className = node.className;
  return [made];
};
const atobSafe = (text) => { try { return atob(text); } catch { return ""; } };
const parsed = (html) => [...new DOMParser().parseFromString(html, "text/html").body.childNodes];

/** Back to what somebody would type. */
const typed = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  const inside = [...node.childNodes].map(typed).join("");
  switch (node.tagName) {
    case "STRONG": case "B": return `**${inside}**`;
    case "EM": case "I": return `*${inside}*`;
    case "CODE": return node.parentNode && node.parentNode.tagName === "PRE" ? inside : `\`${inside}\``;
    case "PRE": return `\`\`\`\n${inside.replace(/\n$/, "")}\n\`\`\`\n`;
    case "A": return inside === node.getAttribute("href") ? inside : `[${inside}](${node.getAttribute("href")})`;
    case "BR": return "\n";
    case "LI": return `${node.parentNode.tagName === "OL" ? "1." : "-"} ${inside.trim()}\n`;
    case "BLOCKQUOTE": return `${inside.trim().split("\n").map((line) => `> ${line}`).join("\n")}\n\n`;
    case "P": return `${inside}\n\n`;
    case "SPARK-MENTION": case "WEBEX-MENTION": return `@${inside}`;
    default: return inside;
  }
};
const typedOf = (message) => (message.html ? parsed(message.html).map(typed).join("").trim() : message.text || "");

function drawCard(message, card) {
  const box = el("div", { class: "card", "data-test": "card" });
  for (const part of (card.content || {}).body || []) {
    if (part.type === "TextBlock") box.append(el(part.weight === "Bolder" ? "b" : "span", {}, part.text || ""));
    if (/^Input\./.test(part.type || "")) box.append(el("input", { name: part.id, placeholder: part.placeholder || part.label || "", "aria-label": part.label || part.id }));
  }
  const acts = ((card.content || {}).actions || []).map((one) => {
    if (one.type === "Action.OpenUrl") return safe(one.url) ? el("a", { href: one.url, target: "_blank", rel: "noopener noreferrer" }, one.title) : null;
    if (one.type !== "Action.Submit") return null;
    return el("button", { type: "button", onclick: () => {
      const inputs = typeof one.data === "object" ? { ...one.data } : {};
      for (const field of box.querySelectorAll("input")) inputs[field.name] = field.value;
      client.act(doing({ action: "click", user: client.view.me, message: message.id, inputs }));
    } }, one.title);
  });
  if (acts.length) box.append(el("div", { class: "acts" }, ...acts.filter(Boolean)));
  return box;
}

let only = "";
const personIn = (people) => (id) => people.find((one) => one.id === id) || { id, name: "Somebody", email: "" };

async function read(me) {
  const state = await get(`/_sim/webex/state?user=${encodeURIComponent(me)}`);
  const personOf = personIn(state.people);
  const rooms = state.rooms.map((one) => {
    const group = one.type === "group";
    const away = one.members.some((id) => personOf(id).outside);
    return { id: one.id, name: one.title, kind: group ? "channel" : "direct", people: one.members.length, members: one.members, last: one.lastActivity, sign: () => faceOf(one.title, group), other: group ? null : one.other,
      small: group ? `${one.members.length} people` : personOf(one.other).email, prompt: `Write a message to ${one.title}`, closed: one.maySpeak ? "" : "Only moderators can post here",
      note: [group ? "Space" : personOf(one.other).email, one.isLocked ? "moderated" : "", away ? "includes people outside your organisation" : ""].filter(Boolean).join(" · ") };
  });
  const met = new Set(rooms.map((one) => one.other));
  const strangers = state.people.filter((one) => one.id !== state.me && !met.has(one.id) && only !== "channel").map((one) => ({ id: one.id, name: one.name,
    small: one.bot ? "Bot" : one.outside ? one.org : one.email, sign: () => faceOf(one.name), start: doing({ action: "direct", user: state.me, other: one.id }) }));
  const listed = rooms.filter((one) => !only || one.kind === only).sort((a, b) => (a.last < b.last ? 1 : -1));
  return { me: state.me, org: state.org, people: state.people.filter((one) => !one.bot), persons: state.people, rooms, print: state.people.map((one) => one.name), myFace: () => faceOf(personOf(state.me).name),
    lists: [{ title: "", rows: listed }, { title: "Start a conversation", rows: strangers }] };
}

async function list(view) {
  const { messages } = await get(`/_sim/webex/messages?room=${encodeURIComponent(view.room)}`);
  const personOf = personIn(view.state.persons);
  return messages.map((one) => {
    const author = personOf(one.personId);
    const mine = one.personId === view.me;
    const cards = one.attachments || [];
    return {
      id: one.id, at: Date.parse(one.created), root: one.parentId, author: { id: author.id, name: author.name }, print: one, edited: !!one.updated, mine, editable: mine && !one.shownFiles.length && !cards.length,
      tags: [author.bot ? ["Bot"] : null, author.outside ? [author.org, "out"] : null].filter(Boolean), aside: one.via ? `via ${one.via}` : "", style: one.html ? "rich" : "",
      content: () => (one.html ? parsed(one.html).flatMap(clean) : linked(one.text || "")), typed: () => typedOf(one), more: () => cards.map((card) => drawCard(one, card)),
      files: one.shownFiles.map((file, index) => ({ ...file, url: `/_sim/webex/file/${one.id}/${index}` })),
      reactions: Object.entries(one.reactions).map(([name, people]) => ({ name, shown: REACTIONS[name] || name, people: people.map((id) => personOf(id).name), mine: people.includes(view.me) })),
    };
  });
}

/** A thread whose root is gone stands where its first reply was. */
function roots(messages) {
  const known = new Set(messages.map((one) => one.id));
  const first = new Map();
  for (const one of messages) if (one.root && !known.has(one.root) && !first.has(one.root)) first.set(one.root, one);
  return messages.filter((one) => !one.root || first.get(one.root) === one).map((one) => (one.root ? { ...one, lost: true } : one));
}

/** The thread under a root: its replies, and the field for another where it is open. */
function below(message, old, book, { view, threadForm, drawMessage, openThread }) {
  const root = message.root || message.id;
  const replies = view.messages.filter((one) => one.root === root);
  const open = view.root === root;
  if (!replies.length && !open) return null;
  const key = `thread ${root}`;
  const box = old.get(key) || el("div", { class: "replies" });
  box.setAttribute("data-test", open ? "thread" : "replies");
  box.key = key;
  const drawn = JSON.stringify([replies.map((one) => one.print), !!message.lost, book]);
  if (box.drawn !== drawn && !(replies.some((one) => one.id === view.editing) && box.drawn)) {
    let previous = null;
    const rows = replies.map((one) => { const row = drawMessage(one, previous, true); previous = one; return row; });
    for (const child of [...box.children]) if (child !== threadForm) child.remove();
    box.prepend(...(message.lost ? [el("div", { class: "lost" }, "The first message of this thread was deleted.")] : []), ...rows);
    box.drawn = drawn;
  }
  for (const again of box.querySelectorAll(":scope > .again")) again.remove();
  if (open) {
    if (threadForm.parentNode !== box || threadForm.nextSibling) box.append(threadForm);
  } else {
    if (threadForm.parentNode === box) threadForm.remove();
    box.append(el("button", { type: "button", class: "again", "data-test": "reply-thread", onclick: () => openThread(root) }, "Reply to thread"));
  }
  return box;
}

function side({ view, act }, room) {
  $("room-face").replaceChildren(...(room ? [faceOf(room.name, room.kind === "channel")] : []));
  if ($("panel").hidden || !room) return;
  const group = room.kind === "channel";
  const row = (one, label, action) => el("div", {}, faceOf(one.name), el("span", {}, one.name, el("small", {}, one.email)), label ? el("button", { type: "button", class: "add",
    onclick: () => act(doing({ action, user: view.me, room: room.id, person: one.id })) }, label) : null);
  const inside = room.members.map(personIn(view.state.persons)), outside = view.state.persons.filter((one) => !room.members.includes(one.id));
  $("panel").replaceChildren(...inside.map((one) => row(one, group ? (one.id === view.me ? "Leave" : "Remove") : null, "remove")), ...(group ? [el("hr"),
    ...outside.map((one) => row(one, "Add", "add")), el("button", { type: "button", class: "rename", onclick: () => {
      const title = prompt("New title", room.name);
      if (title) act(doing({ action: "rename", user: view.me, room: room.id, title }));
    } }, "Rename this space…")] : []));
}

const doing = (body) => ["/_sim/webex/act", body];
const on = (message, more) => doing({ user: client.view.me, message: message.id, ...more });
const client = Chat.start({
  asked: ["user", "room"], read, list, roots, below, side, edited: "Edited", replyPrompt: "Reply to thread", replySign: "undo",
  face: (message) => faceOf(message.author.name), left: () => { $("panel").hidden = true; },
  quick: ["thumbsup", "heart", "celebrate"].map((name) => [name, REACTIONS[name]]), reactions: () => Object.entries(REACTIONS), emoji: () => EMOJI.map((one) => [one, one]),
  marks: [[el("b", {}, "B"), "Bold", "**"], [el("i", {}, "I"), "Italic", "*"], ["</>", "Code", "`"], ["❝", "Quote", "> "], ["•", "List", "- "]],
  keys: { b: "**", i: "*" },
  names: (sign, { state, room }) => (sign === "#" ? [] : [...(state.rooms.find((one) => one.id === room) || { members: [] }).members.map(personIn(state.persons)).map((one) => ({ name: one.name, sign: () => faceOf(one.name) })), { name: "All" }]),
  post: ({ room, root, text }, { me }) => doing({ action: "post", user: me, room, text, parent: root }),
  upload: ({ room, root, text }, { me }) => `/_sim/webex/upload?${new URLSearchParams({ user: me, room, text, parent: root || "" })}`,
  edit: (message, text) => on(message, { action: "edit", text }),
  remove: (message) => on(message, { action: "delete" }),
  react: (message, name) => on(message, { action: "react", name }),
  heard: (change) => change.channel,
});

$("create").append(icon("plus"));
$("create").addEventListener("click", () => {
  const title = prompt("Title of the new space");
  if (title) client.begin(doing({ action: "create", user: client.view.me, title }));
});
$("room-people").addEventListener("click", () => {
  $("panel").hidden = !$("panel").hidden;
  $("room-people").setAttribute("aria-expanded", String(!$("panel").hidden));
  client.drawSide();
});
for (const tab of document.querySelectorAll(".tabs [data-only]")) {
  tab.addEventListener("click", () => {
    only = tab.dataset.only;
    for (const other of document.querySelectorAll(".tabs [data-only]")) other.classList.toggle("on", other === tab);
    client.loadState();
  });
}
