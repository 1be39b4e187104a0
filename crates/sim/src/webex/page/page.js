"use strict";

const $ = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search);
const view = { me: wanted.get("user") || "", room: wanted.get("room") || "", only: "", root: null, editing: null, state: null, messages: [], fresh: new Set(), unread: new Set(), known: new Set() };

const el = (tag, attrs = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attrs)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};

// Line drawings, so that the page looks the same whatever fonts there are.
const DRAWINGS = {
  people: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7M2.500 20c0-4 3-6 6.500-6s6.500 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14.500c2.200.8 3.500 2.700 3.500 5.500",
  reply: "M9 6L4 11l5 5M4 11h9c4.500 0 7 2.500 7 8", pen: "M4 20l1-5L16 4l4 4L9 19z", bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
  clip: "M20 11l-8.500 8.500a5 5 0 0 1-7-7L13 4a3.300 3.300 0 0 1 4.700 4.700L9.500 17a1.700 1.700 0 0 1-2.400-2.400L15 6.800", send: "M4 12L20 4l-6 16-3-7z", plus: "M12 5v14M5 12h14",
};
const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of [["viewBox", "0 0 24 24"], ["class", "drawing"], ["aria-hidden", "true"]]) svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", DRAWINGS[name]);
  svg.append(path);
  return svg;
};

const REACTIONS = { thumbsup: "👍", heart: "❤️", celebrate: "🎉", haha: "😆", smiley: "🙂", confused: "😕", sad: "😢" };
const COLOURS = ["#0b6b7c", "#7a4fb5", "#b5532b", "#2a7d4f", "#3a62c4", "#a83c6d", "#8a6a12", "#50616b"];
const face = (name, room) => {
  const sum = [...name].reduce((total, letter) => total + letter.codePointAt(0), 0);
  const words = name.replace(/[^\p{L}\p{N} ]/gu, " ").trim().split(/\s+/);
  const text = words.slice(0, room ? 1 : 2).map((word) => [...word][0] || "").join("").toUpperCase();
  return el("span", { class: room ? "face square" : "face", style: `background:${COLOURS[sum % COLOURS.length]}`, "aria-hidden": "true" }, text);
};

const api = async (path, options) => (await fetch(path, options)).json();
const act = async (body) => {
  const answer = await api("/_sim/webex/act", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user: view.me, ...body }) });
  if (!answer.ok) toast(answer.error);
  return answer;
};

let toastTimer;
const toast = (text) => {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 3400);
};

const personOf = (id) => view.state.people.find((one) => one.id === id) || { id, name: "Somebody", email: "" };
const roomOf = () => view.state.rooms.find((one) => one.id === view.room);
const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const dayOf = (time) => {
  const date = new Date(time), yesterday = new Date(Date.now() - 864e5);
  if (date.toDateString() === new Date().toDateString()) return "Today";
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
};

// A message's HTML is read by the browser in a document of its own and built anew from what is known: nothing of it runs.
const KEPT = new Set(["P", "BR", "STRONG", "B", "EM", "I", "U", "S", "DEL", "STRIKE", "CODE", "PRE", "BLOCKQUOTE", "UL", "OL", "LI", "H1", "H2", "H3", "H4", "H5", "H6", "HR", "DIV", "SPAN"]);
const safe = (url) => /^(https?:|mailto:|tel:)/i.test(url || "");
const clean = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(node.data)];
  if (node.nodeType !== Node.ELEMENT_NODE || ["SCRIPT", "STYLE"].includes(node.tagName)) return [];
  const inside = [...node.childNodes].flatMap(clean);
  if (/^(SPARK|WEBEX)-MENTION$/.test(node.tagName)) {
    const all = node.dataset.objectType === "groupMention";
    const mine = node.dataset.objectId && (node.dataset.objectId === view.me || atobSafe(view.me).endsWith(`/${node.dataset.objectId}`));
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

const LINK = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]]/g;
const linked = (text) => {
  const out = [];
  let at = 0;
  for (const hit of text.matchAll(LINK)) {
    out.push(text.slice(at, hit.index), el("a", { href: hit[0], target: "_blank", rel: "noopener noreferrer" }, hit[0]));
    at = hit.index + hit[0].length;
  }
  out.push(text.slice(at));
  return out;
};
const content = (message) => (message.html ? parsed(message.html).flatMap(clean) : linked(message.text || ""));

function drawFiles(message) {
  return message.shownFiles.map((file, index) => {
    const url = `/_sim/webex/file/${message.id}/${index}`;
    if (file.type.startsWith("image/")) return el("a", { href: url, target: "_blank" }, el("img", { class: "picture", src: url, alt: file.name, "data-test": "file" }));
    const size = file.size > 1048576 ? `${(file.size / 1048576).toFixed(1)} MB` : file.size > 1024 ? `${Math.round(file.size / 1024)} KB` : `${file.size} B`;
    const kind = (file.name.split(".").pop() || "file").slice(0, 4).toUpperCase();
    return el("span", { class: "file", "data-test": "file" }, el("span", { class: "kind" }, kind), el("span", {}, el("a", { href: url, target: "_blank" }, file.name), el("small", {}, size)));
  });
}

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
      act({ action: "click", message: message.id, inputs });
    } }, one.title);
  });
  if (acts.length) box.append(el("div", { class: "acts" }, ...acts.filter(Boolean)));
  return box;
}

function drawMessage(message, previous) {
  const person = personOf(message.personId);
  const close = previous && previous.personId === message.personId && Date.parse(message.created) - Date.parse(previous.created) < 3e5;
  const body = el("div", { class: "body" });
  if (close) body.append(el("span", { class: "sr", "data-test": "author" }, person.name));
  else {
    body.append(el("div", { class: "who" }, el("span", { class: "author", "data-test": "author" }, person.name), person.bot ? el("span", { class: "tag" }, "Bot") : null,
      person.outside ? el("span", { class: "tag out" }, person.org) : null, el("time", { title: new Date(message.created).toLocaleString() }, clock(message.created)),
      message.via ? el("span", { class: "via" }, `via ${message.via}`) : null));
  }
  const text = el("div", { class: message.html ? "text rich" : "text", "data-test": "message-text" }, ...content(message));
  body.append(text);
  if (message.updated) (text.lastElementChild && text.lastElementChild.tagName === "P" ? text.lastElementChild : text).append(el("span", { class: "edited" }, "Edited"));
  body.append(...(message.attachments || []).map((card) => drawCard(message, card)), ...drawFiles(message));
  const reactions = Object.entries(message.reactions);
  if (reactions.length) {
    body.append(el("div", { class: "reactions" }, ...reactions.map(([name, people]) => el("button", { type: "button", class: people.includes(view.me) ? "reaction mine" : "reaction",
      "data-test": "reaction", "data-name": name, title: people.map((one) => personOf(one).name).join(", "), onclick: () => act({ action: "react", message: message.id, name }) },
    `${REACTIONS[name] || name} ${people.length}`))));
  }
  const row = el("article", { class: close ? "msg more" : "msg", "data-test": "message", "data-id": message.id, "data-parent": message.parentId || null },
    close ? el("span", { class: "tick" }, clock(message.created)) : face(person.name), body);
  if (view.fresh.has(message.id)) row.classList.add("fresh");
  row.append(drawTools(message, row, text));
  return row;
}

function drawTools(message, row, text) {
  const button = (label, title, test, onclick, kind) => el("button", { type: "button", title, "aria-label": title, "data-test": test, class: kind, onclick }, label);
  const tools = el("div", { class: "tools" });
  for (const name of ["thumbsup", "heart", "celebrate"]) tools.append(button(REACTIONS[name], `React: ${name}`, `react-${name}`, () => act({ action: "react", message: message.id, name })));
  tools.append(button(icon("reply"), "Reply to thread", "reply", () => openThread(message.parentId || message.id)));
  if (message.personId === view.me) {
    if (!message.shownFiles.length && !(message.attachments || []).length) tools.append(button(icon("pen"), "Edit message", "edit", () => editMessage(message, text)));
    tools.append(button(icon("bin"), "Delete message", "delete", () => act({ action: "delete", message: message.id }), "danger"));
  }
  return tools;
}

const grow = (area) => { area.style.height = "auto"; area.style.height = `${area.scrollHeight}px`; };
const redraw = (id) => {
  for (const node of document.querySelectorAll("[data-key]")) if (!id || node.dataset.key === id || node.dataset.holds === id) node.drawn = null;
  view.editing = null;
  draw();
};

function editMessage(message, text) {
  if (view.editing) redraw();
  if (!text.isConnected) return;
  const area = el("textarea", { rows: 1, "data-test": "edit-box", "aria-label": "Edit message" });
  area.value = typedOf(message);
  const stop = () => redraw();
  const save = async () => {
    const value = area.value.trim();
    if (value) await act({ action: "edit", message: message.id, text: value });
    await loadMessages();
    redraw();
  };
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); save(); }
  });
  area.addEventListener("input", () => grow(area));
  view.editing = message.parentId || message.id;
  text.replaceWith(el("div", { class: "write edit" }, area, el("div", { class: "bar" }, el("span", { class: "fill" }),
    el("button", { type: "button", class: "plain", onclick: stop }, "Cancel"), el("button", { type: "button", class: "send", "data-test": "edit-save", onclick: save }, "Save"))));
  grow(area);
  area.focus();
}

function composer(form, thread) {
  const area = el("textarea", { rows: 1, "data-test": thread ? "thread-composer" : "composer", "aria-label": thread ? "Reply to thread" : "Message" });
  const send = el("button", { type: "submit", class: "send", "data-test": thread ? "thread-send" : "send", title: "Send", "aria-label": "Send", disabled: true }, icon("send"));
  const picker = el("input", { type: "file", hidden: true, "data-test": thread ? "thread-file" : "attach-file" });
  let offers = null;
  const closeOffers = () => { if (offers) { offers.box.remove(); offers = null; } };
  const offer = () => {
    closeOffers();
    const before = area.value.slice(0, area.selectionStart);
    const hit = /(^|\s)@([\p{L}\p{N} ._-]{0,24})$/u.exec(before);
    if (!hit) return;
    const term = hit[2].toLowerCase();
    const people = (roomOf() || { members: [] }).members.map(personOf).map((one) => one.name).concat("All");
    const found = people.filter((name) => name.toLowerCase().startsWith(term) && name.toLowerCase() !== term).slice(0, 6);
    if (!found.length) return;
    const pick = (name) => { area.setRangeText(`@${name} `, before.length - hit[2].length - 1, area.selectionStart, "end"); closeOffers(); area.focus(); changed(); };
    const box = el("ul", { class: "offers", role: "listbox" }, ...found.map((name, index) => el("li", { class: index ? "" : "on", role: "option",
      onmousedown: (event) => { event.preventDefault(); pick(name); } }, face(name), name)));
    form.append(box);
    offers = { box, found, at: 0, pick };
  };
  const changed = () => { send.disabled = !area.value.trim(); grow(area); offer(); };
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
  area.addEventListener("input", changed);
  area.addEventListener("blur", closeOffers);
  area.addEventListener("keydown", (event) => {
    if (offers && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      offers.box.children[offers.at].className = "";
      offers.at = (offers.at + (event.key === "ArrowDown" ? 1 : offers.found.length - 1)) % offers.found.length;
      offers.box.children[offers.at].className = "on";
      return;
    }
    if (offers && ["Enter", "Tab"].includes(event.key)) { event.preventDefault(); offers.pick(offers.found[offers.at]); return; }
    if (event.key === "Escape") { if (offers) closeOffers(); else if (thread) closeThread(); }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text) return;
    area.value = "";
    changed();
    const answer = await act({ action: "post", room: view.room, text, parent: thread ? view.root : null });
    if (!answer.ok) { area.value = text; changed(); }
  });
  picker.addEventListener("change", async () => {
    const file = picker.files[0];
    if (!file) return;
    const query = new URLSearchParams({ user: view.me, room: view.room, name: file.name, text: area.value.trim(), parent: thread ? view.root : "" });
    const answer = await api(`/_sim/webex/upload?${query}`, { method: "POST", body: file });
    picker.value = "";
    if (answer.ok) { area.value = ""; changed(); } else toast(answer.error);
  });
  form.append(area, el("div", { class: "bar" }, tool(icon("clip"), "Attach a file", () => picker.click()), tool("@", "Mention somebody", () => wrap("@", "")()),
    tool(el("b", {}, "B"), "Bold", wrap("**")), tool(el("i", {}, "I"), "Italic", wrap("*")), tool("</>", "Code", wrap("`")), tool("❝", "Quote", lines("> ")), tool("•", "List", lines("- ")),
    el("span", { class: "fill" }), thread ? el("button", { type: "button", class: "plain", "data-test": "thread-close", onclick: closeThread }, "Cancel") : null, picker, send));
  return area;
}

// One for all threads; it moves to the one that is open.
const threadForm = el("form", { class: "write", autocomplete: "off" });
const threadArea = composer(threadForm, true);
threadArea.placeholder = "Reply to thread";
const mainArea = composer($("write"), false);

function drawThread(root, replies, book, old) {
  const open = view.root === root;
  const key = `thread ${root}`;
  const box = old.get(key) || el("div", { class: "replies" });
  box.setAttribute("data-test", open ? "thread" : "replies");
  const gone = !view.messages.some((one) => one.id === root);
  const drawn = JSON.stringify([replies, gone, book]);
  if (box.drawn !== drawn && !(view.editing === root && box.drawn)) {
    let previous = null;
    const rows = replies.map((one) => { const row = drawMessage(one, previous); previous = one; return row; });
    for (const child of [...box.children]) if (child !== threadForm) child.remove();
    box.prepend(...(gone ? [el("div", { class: "gone" }, "The first message of this thread was deleted.")] : []), ...rows);
    box.drawn = drawn;
  }
  for (const again of box.querySelectorAll(":scope > .again")) again.remove();
  if (open) {
    if (threadForm.parentNode !== box || threadForm.nextSibling) box.append(threadForm);
  } else if (replies.length) {
    if (threadForm.parentNode === box) threadForm.remove();
    box.append(el("button", { type: "button", class: "again", "data-test": "reply-thread", onclick: () => openThread(root) }, "Reply to thread"));
  }
  box.dataset.key = key;
  box.dataset.holds = root;
  return box;
}

function draw() {
  const box = $("messages");
  const bottom = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const focused = document.activeElement;
  const old = new Map([...box.children].map((node) => [node.dataset.key, node]));
  const book = [view.me, view.room, view.state.people.map((one) => one.name)];
  const nodes = [];
  // What has not changed stays as it is, under the mouse or half edited.
  const keep = (key, drawn, make) => {
    const known = old.get(key);
    const fits = known && (known.drawn === drawn || (view.editing === key && known.drawn));
    const node = fits ? known : make();
    node.dataset.key = key;
    node.drawn = fits ? known.drawn : drawn;
    nodes.push(node);
  };
  const replies = new Map();
  for (const one of view.messages) if (one.parentId) replies.set(one.parentId, [...(replies.get(one.parentId) || []), one]);
  // A thread whose root is gone stands where its first reply was.
  const roots = view.messages.filter((one) => !one.parentId || (!view.messages.some((other) => other.id === one.parentId) && replies.get(one.parentId)[0] === one));
  let previous = null, day = "";
  for (const message of roots) {
    const today = dayOf(message.created);
    if (today !== day) { keep(`day ${today}`, today, () => el("div", { class: "day" }, el("span", {}, today))); day = today; previous = null; }
    const root = message.parentId || message.id;
    if (!message.parentId) {
      const before = previous;
      keep(message.id, JSON.stringify([message, before && before.id, book]), () => drawMessage(message, before));
      previous = message;
    }
    if (replies.has(root) || view.root === root) { nodes.push(drawThread(root, replies.get(root) || [], book, old)); previous = null; }
  }
  if (!nodes.length) {
    const room = roomOf();
    nodes.push(el("div", { class: "empty" }, el("b", {}, room ? room.title : "Nothing here"), "This is the very beginning. Say hello."));
  }
  const keepers = new Set(nodes);
  for (const node of [...box.children]) if (!keepers.has(node)) node.remove();
  nodes.forEach((node, index) => { if (box.children[index] !== node) box.insertBefore(node, box.children[index] || null); });
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus();
  if (bottom || !box.dataset.seen) box.scrollTop = box.scrollHeight;
  box.dataset.seen = "1";
  view.fresh.clear();
}

// Whoever reads the end stays there when the room for it changes.
{
  const box = $("messages");
  let end = true, size = "";
  const now = () => `${box.clientWidth} ${box.clientHeight}`;
  box.addEventListener("scroll", () => { if (now() === size) end = box.scrollHeight - box.scrollTop - box.clientHeight < 80; });
  new ResizeObserver(() => { size = now(); if (end) box.scrollTop = box.scrollHeight; }).observe(box);
}

function openThread(root) {
  view.root = root;
  draw();
  threadForm.scrollIntoView({ block: "nearest" });
  threadArea.focus();
}

function closeThread() {
  view.root = null;
  threadArea.value = "";
  threadForm.remove();
  if (view.state) draw();
}

function drawSide() {
  const state = view.state;
  $("org").textContent = state.org || "";
  document.title = `${state.org || "Spaces"}: messaging`;
  $("me-face").replaceChildren(face(personOf(view.me).name));
  $("person").replaceChildren(...state.people.filter((one) => !one.bot).map((one) => el("option", { value: one.id, selected: one.id === view.me }, one.name)));
  $("person").value = view.me;
  const item = (room) => el("li", {}, el("button", { type: "button", "data-test": "channel", "data-id": room.id, "data-name": room.title,
    class: [room.id === view.room ? "on" : "", view.unread.has(room.id) ? "new" : ""].join(" ").trim() || null, "aria-current": room.id === view.room ? "true" : null,
    onclick: () => openRoom(room.id) }, face(room.title, room.type === "group"), el("span", { class: "label" }, room.title,
    el("small", {}, room.type === "direct" ? personOf(room.other).email : `${room.members.length} people`))));
  const rooms = state.rooms.filter((one) => !view.only || one.type === view.only).sort((a, b) => (a.lastActivity < b.lastActivity ? 1 : -1));
  const met = new Set(state.rooms.filter((one) => one.type === "direct").map((one) => one.other));
  const others = state.people.filter((one) => one.id !== view.me && !met.has(one.id) && view.only !== "group");
  $("rooms").replaceChildren(...rooms.map(item), others.length ? el("li", { class: "group" }, "Start a conversation") : null, ...others.map((one) => el("li", {}, el("button",
    { type: "button", "data-test": "start-direct", "data-user": one.id, onclick: async () => {
      const answer = await act({ action: "direct", other: one.id });
      if (answer.ok) { await loadState(); openRoom(answer.result); }
    } }, face(one.name), el("span", { class: "label" }, one.name, el("small", {}, one.bot ? "Bot" : one.outside ? one.org : one.email))))));
  const room = roomOf();
  $("room-name").textContent = room ? room.title : "";
  $("room-face").replaceChildren(...(room ? [face(room.title, room.type === "group")] : []));
  const foreign = room && room.members.some((one) => personOf(one).outside);
  $("room-note").textContent = room ? [room.type === "direct" ? personOf(room.other).email : "Space", room.isLocked ? "moderated" : "", foreign ? "includes people outside your organisation" : ""].filter(Boolean).join(" · ") : "";
  $("people").replaceChildren(icon("people"), room ? String(room.members.length) : "0");
  mainArea.placeholder = room && !room.maySpeak ? "Only moderators can post here" : room ? `Write a message to ${room.title}` : "Write a message";
  mainArea.disabled = !!(room && !room.maySpeak);
  drawPanel();
}

function drawPanel() {
  const room = roomOf();
  if ($("panel").hidden || !room) return;
  const row = (one, label, action) => el("div", {}, face(one.name), el("span", {}, one.name, el("small", {}, one.email)), label ? el("button", { type: "button", class: "add",
    onclick: () => act({ action, room: room.id, person: one.id }) }, label) : null);
  const group = room.type === "group";
  const inside = room.members.map(personOf), outside = view.state.people.filter((one) => !room.members.includes(one.id));
  $("panel").replaceChildren(...inside.map((one) => row(one, group ? (one.id === view.me ? "Leave" : "Remove") : null, "remove")), ...(group ? [el("hr"),
    ...outside.map((one) => row(one, "Add", "add")), el("button", { type: "button", class: "rename", onclick: () => {
      const title = prompt("New title", room.title);
      if (title) act({ action: "rename", room: room.id, title });
    } }, "Rename this space…")] : []));
}

async function loadState() {
  view.state = await api(`/_sim/webex/state?user=${encodeURIComponent(view.me)}`);
  view.me = view.state.me;
  if (!view.state.rooms.some((one) => one.id === view.room)) {
    view.room = (view.state.rooms.find((one) => one.type === "group") || view.state.rooms[0] || {}).id || "";
    view.messages = [];
    closeThread();
  }
  drawSide();
}

async function loadMessages() {
  const room = view.room;
  const answer = await api(`/_sim/webex/messages?room=${encodeURIComponent(room)}`);
  if (room !== view.room) return;
  const before = new Set(view.messages.map((one) => one.id));
  if (view.known.has(room)) for (const one of answer.messages) if (!before.has(one.id)) view.fresh.add(one.id);
  view.known.add(room);
  view.messages = answer.messages;
  draw();
}

async function openRoom(id) {
  if (id !== view.room) { closeThread(); $("panel").hidden = true; }
  Object.assign(view, { room: id, messages: [], editing: null });
  view.known.delete(id);
  view.unread.delete(id);
  delete $("messages").dataset.seen;
  drawSide();
  await loadMessages();
  mainArea.focus();
}

$("create").append(icon("plus"));
$("create").addEventListener("click", async () => {
  const title = prompt("Title of the new space");
  const answer = title && await act({ action: "create", title });
  if (answer && answer.ok) { await loadState(); openRoom(answer.result); }
});
$("people").addEventListener("click", () => {
  $("panel").hidden = !$("panel").hidden;
  $("people").setAttribute("aria-expanded", String(!$("panel").hidden));
  drawPanel();
});
for (const tab of document.querySelectorAll(".tabs [data-only]")) {
  tab.addEventListener("click", () => {
    view.only = tab.dataset.only;
    for (const other of document.querySelectorAll(".tabs [data-only]")) other.classList.toggle("on", other === tab);
    drawSide();
  });
}
$("person").addEventListener("change", async (event) => {
  view.me = event.target.value;
  view.editing = null;
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
    if (change.channel && change.channel !== view.room) view.unread.add(change.channel);
    refresh();
  };
}

(async () => {
  await loadState();
  await loadMessages();
  listen();
})();
