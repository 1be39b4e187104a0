"use strict";

const { el } = Draw;
const $ = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search);
const view = { me: wanted.get("user") || "", room: wanted.get("channel") || "", root: null, state: null, messages: [], fresh: new Set(), unread: new Set(), known: new Set() };

// Line drawings, so that the page looks the same whatever fonts there are.
const DRAWINGS = {
  lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z", people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20c0-4 3-6 6.500-6s6.500 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14.500c2.200.8 3.500 2.700 3.500 5.500",
  hash: "M9 4L7 20M17 4l-2 16M4.500 9h16M3.500 15h16", reply: "M10 6L4 12l6 6M4 12h10a6 6 0 0 1 6 6v1", smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8.500 14.500c1.800 2.300 5.200 2.300 7 0M9 9.500v.5M15 9.500v.5",
  pen: "M4 20l1-5L16 4l4 4L9 19z", bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5", clip: "M20 11l-8.500 8.500a5 5 0 0 1-7-7L13 4a3.500 3.500 0 0 1 5 5l-8.500 8.500a2 2 0 0 1-3-3L14 7",
  send: "M4 12L20 4l-5 16-3.500-6.500z", close: "M6 6l12 12M18 6L6 18", box: "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8", globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18", at: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM16 8v5.500a2.500 2.500 0 0 0 5 0V12a9 9 0 1 0-4 7.500",
};
const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "drawing");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", DRAWINGS[name]);
  svg.append(path);
  return svg;
};

const api = async (path, options) => (await fetch(path, options)).json();
const act = async (body) => {
  const answer = await api("/_sim/zoom/act", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) toast(answer.error);
  return answer;
};

let toastTimer;
const toast = (text) => {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 3200);
};

const avatarOf = (author) => (author.bot ? el("span", { class: "avatar bot" }, icon("box")) : el("img", { class: "avatar", src: `/avatars/${encodeURIComponent(author.id)}.svg`, alt: "" }));
const when = (at) => new Date(at);
const clock = (at) => when(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const dayOf = (at) => {
  const date = when(at), today = new Date(), yesterday = new Date(Date.now() - 864e5);
  if (date.toDateString() === today.toDateString()) return "Today";
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
};
const personOf = (id) => (view.state.people.find((one) => one.id === id) || { name: "Somebody" }).name;

const QUICK = ["👍", "❤️", "😂", "🎉"];
const PALETTE = ["👍", "👎", "❤️", "😂", "😮", "😢", "🎉", "🙏", "👏", "🔥", "👀", "✅", "🚀", "💯", "🤔", "😄", "😍", "😎", "🙌", "💪", "👋", "☕", "🌟", "🐛", "📌", "⏰", "❓", "❗", "➕", "🎈", "🍀", "🌈"];

function palette(onpick, custom) {
  const box = el("div", { class: "palette", role: "listbox" });
  const add = (emoji, label) => box.append(el("button", { type: "button", class: label ? "named" : null, title: emoji, onclick: (event) => { event.stopPropagation(); box.remove(); onpick(emoji); } }, label || emoji));
  for (const emoji of PALETTE) add(emoji);
  if (custom) for (const name of view.state.emoji || []) add(name, `:${name}:`);
  setTimeout(() => document.addEventListener("click", () => box.remove(), { once: true }));
  return box;
}

function toggle(message, emoji) {
  const mine = (message.emoji || []).some((one) => one.emoji === emoji && one.users.includes(view.me));
  act({ action: mine ? "unreact" : "react", user: view.me, room: view.room, id: message.id, emoji });
}

function drawFiles(message) {
  return (message.files || []).map((file) => {
    const url = `/_sim/zoom/file/${encodeURIComponent(file.file_id)}`;
    const end = (/\.([a-z0-9]+)$/i.exec(file.file_name) || [])[1] || "file";
    if (/^(png|jpe?g|gif)$/i.test(end)) return el("a", { href: url, target: "_blank" }, el("img", { class: "picture", src: url, alt: file.file_name, "data-test": "file" }));
    const size = file.file_size > 1048576 ? `${(file.file_size / 1048576).toFixed(1)} MB` : file.file_size > 1024 ? `${Math.round(file.file_size / 1024)} KB` : `${file.file_size} B`;
    return el("span", { class: "file", "data-test": "file" }, el("span", { class: "kind" }, end.slice(0, 4).toUpperCase()), el("span", {}, el("a", { href: url, target: "_blank" }, file.file_name), el("small", {}, size)));
  });
}

const repliesOf = (id) => view.messages.filter((one) => one.root === id);

function drawMessage(message, previous, inThread) {
  const author = message.author || { id: "", name: "" };
  const close = previous && previous.author && previous.author.id === author.id && message.timestamp - previous.timestamp < 300000 && !(repliesOf(previous.id).length && !inThread);
  const body = el("div", { class: "body" });
  const company = author.company && author.company !== view.state.company ? author.company : "";
  if (!close) {
    body.append(el("div", { class: "who" }, el("span", { class: "author", "data-test": "author" }, author.name),
      author.id === view.me ? el("span", { class: "you" }, "You") : null, author.bot ? el("span", { class: "tag" }, "App") : null,
      company ? el("span", { class: "tag out" }, `External · ${company}`) : null, el("time", { class: "time", title: when(message.timestamp).toLocaleString() }, clock(message.timestamp))));
  } else body.append(el("span", { class: "sr", "data-test": "author" }, author.name));
  const text = el("div", { class: "text", "data-test": "message-text" }, ...Draw.content(message));
  if (message.edited) (text.lastChild && text.lastChild.tagName === "DIV" ? text.lastChild : text).append(el("span", { class: "edited" }, "(edited)"));
  body.append(text, ...drawFiles(message));
  if ((message.emoji || []).length) {
    body.append(el("div", { class: "reactions" }, ...message.emoji.map((one) => el("button", { type: "button", class: one.users.includes(view.me) ? "reaction mine" : "reaction",
      "data-test": "reaction", "data-name": one.emoji, title: one.users.map(personOf).join(", "), onclick: () => toggle(message, one.emoji) }, /^[\w]{2,}$/.test(one.emoji) ? `:${one.emoji}:` : one.emoji, el("span", {}, String(one.users.length))))));
  }
  const replies = inThread ? [] : repliesOf(message.id);
  if (replies.length) {
    const last = new Map(replies.map((one) => [one.author.id, one.author]));
    body.append(el("button", { type: "button", class: "replies", "data-test": "replies", onclick: () => openThread(message.id) }, ...[...last.values()].slice(-3).map(avatarOf),
      `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`, el("span", {}, clock(replies[replies.length - 1].timestamp))));
  }
  const row = el("article", { class: close ? "msg more" : "msg", "data-test": "message", "data-id": message.id }, close ? el("span", { class: "tick" }, clock(message.timestamp)) : avatarOf(author), body);
  if (view.fresh.has(message.id)) row.classList.add("fresh");
  row.append(drawTools(message, row, text, inThread));
  return row;
}

function drawTools(message, row, text, inThread) {
  const button = (label, title, test, onclick, kind) => el("button", { type: "button", title, "aria-label": title, "data-test": test, class: kind, onclick }, label);
  const tools = el("div", { class: "tools" });
  for (const emoji of QUICK) tools.append(button(emoji, `React with ${emoji}`, `react-${emoji}`, () => toggle(message, emoji)));
  tools.append(button(icon("smile"), "More reactions", "react", (event) => { event.stopPropagation(); row.append(palette((emoji) => toggle(message, emoji), true)); }));
  if (!inThread) tools.append(button(icon("reply"), "Reply", "reply", () => openThread(message.root || message.id)));
  if ((message.author || {}).id === view.me) {
    if (!(message.author || {}).bot) tools.append(button(icon("pen"), "Edit message", "edit", () => editMessage(message, row, text)));
    tools.append(button(icon("bin"), "Delete message", "delete", () => act({ action: "delete", user: view.me, room: view.room, id: message.id }), "danger"));
  }
  return tools;
}

let editing = null;
const redraw = (id) => {
  for (const row of document.querySelectorAll(`[data-test=message][data-id="${id}"]`)) row.drawn = null;
  editing = null;
  draw();
};
function editMessage(message, row, text) {
  const area = el("textarea", { "data-test": "edit-box", rows: 1, "aria-label": "Edit message" });
  area.value = Draw.typed(message);
  const stop = () => redraw(message.id);
  const save = async () => {
    const value = area.value.trim();
    if (value) await act({ action: "edit", user: view.me, room: view.room, id: message.id, text: value });
    await loadMessages();
    redraw(message.id);
  };
  if (editing) redraw(editing);
  if (!text.isConnected) return;
  const box = el("div", { class: "composer edit" }, area, el("div", { class: "bar" }, el("span", { class: "fill" }), el("button", { type: "button", class: "plain", onclick: stop }, "Cancel"),
    el("button", { type: "button", class: "send", "data-test": "edit-save", onclick: save }, "Save")));
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); save(); }
  });
  area.addEventListener("input", () => grow(area));
  editing = message.id;
  text.replaceWith(box);
  grow(area);
  area.focus();
  box.scrollIntoView({ block: "nearest" });
}

const grow = (area) => { area.style.height = "auto"; area.style.height = `${area.scrollHeight}px`; };

function buildComposer(form, thread) {
  const area = el("textarea", { rows: 1, maxlength: 4000, "data-test": thread ? "thread-composer" : "composer", "aria-label": thread ? "Reply" : "Message" });
  const send = el("button", { type: "submit", class: "send", "data-test": thread ? "thread-send" : "send", title: "Send", "aria-label": "Send", disabled: true }, icon("send"));
  const picker = el("input", { type: "file", hidden: true, "data-test": thread ? "thread-file" : "attach-file" });
  const wrap = (before, after = before) => () => {
    const [start, end] = [area.selectionStart, area.selectionEnd];
    area.setRangeText(before + area.value.slice(start, end) + after, start, end, "end");
    if (start === end) area.selectionStart = area.selectionEnd = start + before.length;
    area.focus();
    changed();
  };
  const lines = (mark) => () => {
    const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const part = area.value.slice(start, area.selectionEnd);
    area.setRangeText(part.split("\n").map((line) => mark + line).join("\n"), start, area.selectionEnd, "end");
    area.focus();
    changed();
  };
  const tool = (label, title, onclick) => el("button", { type: "button", title, "aria-label": title, onclick }, label);
  const left = el("span", { class: "left", hidden: true });
  const changed = () => {
    send.disabled = !area.value.trim();
    const over = area.value.length - 1024;
    left.hidden = over < -100;
    left.textContent = over > 0 ? `${over} too many` : `${-over} left`;
    left.classList.toggle("bad", over > 0);
    grow(area);
    offer();
  };
  let offers = null;
  const closeOffers = () => { if (offers) { offers.box.remove(); offers = null; } };
  const offer = () => {
    closeOffers();
    const before = area.value.slice(0, area.selectionStart);
    const hit = /(^|\s)@([\p{L}\p{N} ._-]{0,24})$/u.exec(before);
    if (!hit) return;
    const start = before.length - hit[2].length - 1;
    const term = hit[2].toLowerCase();
    const all = [...view.state.people.filter((one) => one.id !== view.me).map((one) => ({ label: one.name, image: `/avatars/${encodeURIComponent(one.id)}.svg` })), { label: "all" }, ...view.state.bots.map((one) => ({ label: one.name }))];
    const found = all.filter((one) => one.label.toLowerCase().startsWith(term) && one.label.toLowerCase() !== term).slice(0, 6);
    if (!found.length) return;
    const pick = (one) => { area.setRangeText(`@${one.label} `, start, area.selectionStart, "end"); closeOffers(); area.focus(); changed(); };
    const box = el("ul", { class: "offers", role: "listbox" }, ...found.map((one, index) => el("li", { class: index ? "" : "on", role: "option",
      onmousedown: (event) => { event.preventDefault(); pick(one); } }, one.image ? el("img", { src: one.image, alt: "" }) : icon("at"), one.label)));
    form.append(box);
    offers = { box, found, at: 0, pick };
  };
  area.addEventListener("input", changed);
  area.addEventListener("blur", closeOffers);
  area.addEventListener("keydown", (event) => {
    if (offers && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      offers.box.children[offers.at].className = "";
      offers.at = (offers.at + (event.key === "ArrowDown" ? 1 : offers.found.length - 1)) % offers.found.length;
      offers.box.children[offers.at].className = "on";
    } else if (offers && event.key === "Tab") { event.preventDefault(); offers.pick(offers.found[offers.at]); }
    else if (event.key === "Escape") { if (offers) closeOffers(); else if (thread) closeThread(); }
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
    else if ((event.ctrlKey || event.metaKey) && ["b", "i", "u"].includes(event.key)) { event.preventDefault(); wrap({ b: "**", i: "_", u: "__" }[event.key])(); }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text) return;
    area.value = "";
    changed();
    const body = { action: "post", user: view.me, room: view.room, text };
    if (thread) body.root = view.root;
    const answer = await act(body);
    if (!answer.ok) { area.value = text; changed(); }
  });
  picker.addEventListener("change", async () => {
    const file = picker.files[0];
    if (!file) return;
    const query = new URLSearchParams({ user: view.me, room: view.room, name: file.name, text: area.value.trim(), root: thread ? view.root : "" });
    const answer = await api(`/_sim/zoom/upload?${query}`, { method: "POST", body: file });
    picker.value = "";
    if (answer.ok) { area.value = ""; changed(); } else toast(answer.error);
  });
  form.append(area, el("div", { class: "bar" }, tool(el("b", {}, "B"), "Bold", wrap("**")), tool(el("i", {}, "I"), "Italic", wrap("_")), tool(el("s", {}, "S"), "Strikethrough", wrap("~~")), tool(el("u", {}, "U"), "Underline", wrap("__")),
    tool("❝", "Quote", lines("> ")), tool("•", "List", lines("* ")), el("span", { class: "split" }), tool(icon("clip"), "Attach a file", () => picker.click()),
    tool(icon("smile"), "Emoji", (event) => { event.stopPropagation(); form.append(palette((emoji) => wrap(emoji, "")())); }), tool(icon("at"), "Mention", () => wrap("@", "")()), el("span", { class: "fill" }), left, picker, send));
  return area;
}

function drawList(where, messages, inThread) {
  const box = $(where);
  const bottom = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const nodes = [];
  const old = new Map([...box.children].map((node) => [node.key, node]));
  // What has not changed stays as it is, under the mouse or half edited.
  const keep = (key, drawn, make) => {
    const known = old.get(key);
    const fits = known && (known.drawn === drawn || (editing && editing === key && known.drawn));
    const node = fits ? known : make();
    Object.assign(node, { key, drawn: fits ? known.drawn : drawn });
    if (known && !fits) node.classList.remove("fresh");
    nodes.push(node);
  };
  const book = JSON.stringify([view.me, view.room, view.state.company]);
  let previous = null, day = "";
  for (const message of messages) {
    const today = dayOf(message.timestamp);
    if (today !== day && !inThread) { keep(`day ${today}`, today, () => el("div", { class: "day" }, el("span", {}, today))); day = today; previous = null; }
    const before = previous;
    const above = before && [before.id, before.author, repliesOf(before.id).length];
    const below = inThread ? 0 : repliesOf(message.id).map((one) => one.id).join();
    const plain = { ...message, files: (message.files || []).map((one) => one.file_id), download_url: "" };
    keep(message.id, JSON.stringify([plain, above, below, book]), () => drawMessage(message, before, inThread));
    previous = message;
    if (inThread && message.id === view.root) previous = null;
  }
  if (!nodes.length) {
    const room = view.state.rooms.find((one) => one.id === view.room);
    nodes.push(el("div", { class: "empty" }, el("b", {}, room ? room.name : "Nothing here"), "There are no messages yet. Say hello."));
  }
  const staying = new Set(nodes);
  for (const node of [...box.children]) if (!staying.has(node)) node.remove();
  nodes.forEach((node, index) => { if (box.children[index] !== node) box.insertBefore(node, box.children[index] || null); });
  if (bottom || !box.dataset.seen) box.scrollTop = box.scrollHeight;
  box.dataset.seen = "1";
}

// Whoever reads the end stays there when the room for it changes.
for (const box of [$("messages"), $("thread-messages")]) {
  let end = true, size = "";
  const sizeNow = () => `${box.clientWidth} ${box.clientHeight}`;
  box.addEventListener("scroll", () => { if (sizeNow() === size) end = box.scrollHeight - box.scrollTop - box.clientHeight < 80; });
  new ResizeObserver(() => { size = sizeNow(); if (end) box.scrollTop = box.scrollHeight; }).observe(box);
}

function draw() {
  drawList("messages", view.messages.filter((one) => !one.root), false);
  if (view.root) drawList("thread-messages", view.messages.filter((one) => one.id === view.root || one.root === view.root), true);
  view.fresh.clear();
}

function drawSide() {
  const state = view.state;
  $("company").textContent = state.company || "Team chat";
  document.title = `${state.company || "Team"}: chat`;
  $("me-avatar").src = `/avatars/${encodeURIComponent(view.me)}.svg`;
  const select = $("person");
  select.replaceChildren(...state.people.map((one) => el("option", { value: one.id, selected: one.id === view.me }, one.foreign ? `${one.name} (${one.company})` : one.name)));
  select.value = view.me;
  const row = (id, name, sign, attrs) => el("li", {}, el("button", { type: "button", ...attrs }, sign, el("span", { class: "label" }, name)));
  const face = (id) => el("img", { src: `/avatars/${encodeURIComponent(id)}.svg`, alt: "" });
  const item = (room) => {
    const sign = room.kind === "direct" ? face(room.other) : el("span", { class: "sign" }, icon(room.kind === "bot" ? "box" : room.foreign ? "globe" : room.private ? "lock" : "hash"));
    return row(room.id, room.name, sign, { "data-test": "channel", "data-id": room.id, "data-name": room.name, class: [room.id === view.room ? "on" : "", view.unread.has(room.id) ? "new" : ""].join(" ").trim() || null,
      "aria-current": room.id === view.room ? "true" : null, onclick: () => openRoom(room.id) });
  };
  const rooms = state.rooms.filter((one) => !one.archived || one.id === view.room);
  const start = async (body) => {
    const answer = await act(body);
    if (answer.ok) { await loadState(); openRoom(answer.result); }
  };
  $("channels").replaceChildren(...rooms.filter((one) => one.kind === "channel").map(item));
  const directs = rooms.filter((one) => one.kind === "direct");
  const met = new Set(directs.map((one) => one.other));
  const others = state.people.filter((one) => one.id !== view.me && !met.has(one.id) && !one.foreign);
  $("directs").replaceChildren(...directs.map(item), ...others.map((one) => row(one.id, one.name, face(one.id), { "data-test": "start-direct", "data-user": one.id, onclick: () => start({ action: "direct", user: view.me, other: one.id }) })));
  const bots = rooms.filter((one) => one.kind === "bot");
  const known = new Set(bots.map((one) => one.name));
  const strange = state.bots.filter((one) => !known.has(one.name));
  $("apps").replaceChildren(...bots.map(item), ...strange.map((one) => row(one.id, one.name, el("span", { class: "sign" }, icon("box")), { "data-test": "start-bot", onclick: () => start({ action: "bot", user: view.me, app: one.id }) })));
  $("apps-title").hidden = !bots.length && !strange.length;
  const room = state.rooms.find((one) => one.id === view.room);
  const channel = room && room.kind === "channel";
  $("room-name").textContent = room ? room.name : "";
  $("room-note").textContent = room ? [room.foreign ? "External people are in this channel" : "", room.archived ? "Archived" : "", room.private ? "Private" : ""].filter(Boolean).join(" · ") : "";
  $("room-members").replaceChildren(...(channel ? [icon("people"), String(room.members)] : []));
  $("room-members").hidden = !channel;
  composer.placeholder = room && room.archived ? "This channel is archived" : room ? `Message ${room.name}` : "Message";
  composer.disabled = !!(room && room.archived);
  $("thread-where").textContent = room ? room.name : "";
}

async function loadState() {
  view.state = await api(`/_sim/zoom/state?user=${encodeURIComponent(view.me)}`);
  view.me = view.state.me;
  Draw.use({ me: view.me });
  if (!view.state.rooms.some((one) => one.id === view.room)) {
    view.room = (view.state.rooms.find((one) => one.kind === "channel") || view.state.rooms[0] || {}).id || "";
    closeThread();
  }
  drawSide();
}

async function loadMessages() {
  const room = view.room;
  const answer = await api(`/_sim/zoom/messages?room=${encodeURIComponent(room)}&user=${encodeURIComponent(view.me)}`);
  if (room !== view.room) return;
  Draw.use({ utf16: answer.utf16 });
  const first = !view.known.has(room);
  const before = new Set(view.messages.map((one) => one.id));
  if (!first) for (const one of answer.messages) if (!before.has(one.id)) view.fresh.add(one.id);
  view.known.add(room);
  view.messages = answer.messages;
  if (view.root && !view.messages.some((one) => one.id === view.root)) closeThread();
  draw();
}

async function openRoom(id) {
  if (id !== view.room) closeThread();
  view.room = id;
  view.known.delete(id);
  view.unread.delete(id);
  view.messages = [];
  delete $("messages").dataset.seen;
  drawSide();
  await loadMessages();
  composer.focus();
}

function openThread(root) {
  view.root = root;
  $("thread").hidden = false;
  $("app").classList.add("with-thread");
  delete $("thread-messages").dataset.seen;
  draw();
  threadComposer.focus();
}

function closeThread() {
  view.root = null;
  $("thread").hidden = true;
  $("app").classList.remove("with-thread");
}

const composer = buildComposer($("composer-form"), false);
const threadComposer = buildComposer($("thread-form"), true);
threadComposer.placeholder = "Reply";
$("thread-close").append(icon("close"));
$("thread-close").addEventListener("click", closeThread);
$("person").addEventListener("change", async (event) => {
  view.me = event.target.value;
  editing = null;
  await loadState();
  await openRoom(view.room);
});

let pending = false;
const refresh = () => {
  if (pending) return;
  pending = true;
  // One drawing for a burst of changes.
  setTimeout(async () => {
    pending = false;
    try { await loadState(); await loadMessages(); } catch { /* the stream tells when the server is back */ }
  }, 40);
};

function listen() {
  const stream = new EventSource("/_sim/events");
  stream.onopen = () => { $("live").classList.add("up"); $("live-text").textContent = "live"; refresh(); };
  stream.onerror = () => { $("live").classList.remove("up"); $("live-text").textContent = "reconnecting"; };
  stream.onmessage = (event) => {
    const change = JSON.parse(event.data);
    if (change.room && change.room !== view.room) view.unread.add(change.room);
    refresh();
  };
}

(async () => {
  await loadState();
  await loadMessages();
  listen();
})();
