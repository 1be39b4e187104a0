"use strict";

const { el } = Rich;
const $ = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search);
const view = { me: wanted.get("user") || "", channel: wanted.get("channel") || "", root: null, state: null, messages: [], fresh: new Set(), unread: new Set(), known: new Set() };

// Line drawings, so that the page looks the same whatever fonts there are.
const DRAWINGS = {
  lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z", people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20c0-4 3-6 6.500-6s6.500 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14.500c2.200.8 3.500 2.700 3.500 5.500",
  reply: "M4 5h16v11h-9l-5 4v-4H4z", smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8.500 14.500c1.800 2.300 5.200 2.300 7 0M9 9.500v.5M15 9.500v.5", pen: "M4 20l1-5L16 4l4 4L9 19z",
  bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5", clip: "M12 5v14M5 12h14", send: "M4 4l17 8-17 8 3-8z", close: "M6 6l12 12M18 6L6 18", group: "M4 7h16M4 12h16M4 17h10",
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

const api = async (path, options) => {
  const answer = await fetch(path, options);
  return answer.json();
};

const act = async (body) => {
  const answer = await api("/_sim/slack/act", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) toast(words(answer.error));
  return answer;
};

const words = (code) => ({
  cant_update_message: "You can only edit your own messages.", cant_delete_message: "You can only delete your own messages.",
  is_archived: "This channel is archived.", not_in_channel: "You are not in this channel.", no_text: "Write something first.",
})[code] || `That did not work (${code}).`;

let toastTimer;
const toast = (text) => {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 3200);
};

const initials = (name, seed) => {
  const colours = ["#4f6bed", "#c2513b", "#2f8f6b", "#8a55c7", "#b3791b", "#2b7fa6", "#b2457c", "#5a7d2a"];
  const sum = [...(seed || name)].reduce((total, letter) => total + letter.codePointAt(0), 0);
  const text = name.replace(/[^\p{L}\p{N} ]/gu, " ").trim().split(/\s+/).slice(0, 2).map((word) => [...word][0] || "").join("").toUpperCase();
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><rect width="96" height="96" fill="${colours[sum % colours.length]}"/><text x="48" y="61" text-anchor="middle" font-family="system-ui,sans-serif" font-size="38" font-weight="600" fill="#fff">${text.replace(/[<&>]/g, "")}</text></svg>`;
  return "data:image/svg+xml," + encodeURIComponent(svg);
};

const avatarOf = (message) => {
  const name = authorOf(message);
  const icons = message.icons || {};
  if (icons.emoji) return el("span", { class: "avatar emoji" }, Rich.emoji(icons.emoji.replace(/^:|:$/g, "")));
  const fallback = initials(name, name);
  const source = icons.image_72 || icons.image_48 || (message.user && message.user !== "USLACKBOT" ? `/avatars/${message.user}.svg` : fallback);
  const picture = el("img", { class: "avatar", src: source, alt: "", referrerpolicy: "no-referrer" });
  picture.addEventListener("error", () => { picture.src = fallback; }, { once: true });
  return picture;
};

/** Pictures of those who replied, the last ones. */
const facesOf = (root) => {
  const last = new Map();
  for (const one of view.messages) if (one.thread_ts === root && one.ts !== root) last.set(authorOf(one), one);
  return [...last.values()].slice(-3).map(avatarOf);
};

const authorOf = (message) => message.username || (message.user ? Rich.nameOf(message.user) : (message.bot_profile || {}).name || "Integration");
const when = (ts) => new Date(parseFloat(ts) * 1000);
const clock = (ts) => when(ts).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const dayOf = (ts) => {
  const date = when(ts), today = new Date(), yesterday = new Date(Date.now() - 864e5);
  if (date.toDateString() === today.toDateString()) return "Today";
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
};

const QUICK = ["+1", "tada", "eyes"];
const SYSTEM = /^(channel|group)_|^pinned_item$/;

function palette(onpick) {
  const box = el("div", { class: "palette", role: "listbox" });
  const seen = new Set();
  for (const [name, character] of Object.entries(view.state.emoji)) {
    if (seen.has(character)) continue;
    seen.add(character);
    box.append(el("button", { type: "button", title: `:${name}:`, onclick: (event) => { event.stopPropagation(); box.remove(); onpick(name, character); } }, character));
  }
  setTimeout(() => document.addEventListener("click", () => box.remove(), { once: true }));
  return box;
}

function toggle(message, name) {
  const mine = (message.reactions || []).some((one) => one.name === name && one.users.includes(view.me));
  act({ action: mine ? "unreact" : "react", user: view.me, channel: view.channel, ts: message.ts, name });
}

function drawFiles(message) {
  return (message.files || []).map((file) => {
    if (file.mode === "tombstone") return el("div", { class: "note" }, "This file was deleted.");
    const url = `/_sim/slack/file/${file.id}`;
    if ((file.mimetype || "").startsWith("image/")) return el("a", { href: url, target: "_blank" }, el("img", { class: "picture", src: url, alt: file.title || file.name, "data-test": "file" }));
    const size = file.size > 1048576 ? `${(file.size / 1048576).toFixed(1)} MB` : file.size > 1024 ? `${Math.round(file.size / 1024)} KB` : `${file.size} B`;
    return el("span", { class: "file", "data-test": "file" }, el("span", { class: "kind" }, (file.filetype || "file").slice(0, 4).toUpperCase()),
      el("span", {}, el("a", { href: url, target: "_blank" }, file.title || file.name), el("small", {}, size)));
  });
}

function drawMessage(message, previous, inThread) {
  const system = SYSTEM.test(message.subtype || "");
  const close = previous && authorOf(previous) === authorOf(message) && !SYSTEM.test(previous.subtype || "") && !system
    && (message.icons || {}).image_72 === (previous.icons || {}).image_72
    && parseFloat(message.ts) - parseFloat(previous.ts) < 300 && !(previous.reply_count && !inThread);
  const stone = message.subtype === "tombstone";
  const body = el("div", { class: "body" });
  const person = view.state.names[message.user];
  if (!close) {
    body.append(el("div", { class: "who" }, el("span", { class: "author", "data-test": "author" }, authorOf(message)),
      message.bot_id ? el("span", { class: "tag" }, "APP") : null,
      person && person.team && person.team !== view.state.workspace ? el("span", { class: "tag out" }, person.team) : null,
      el("time", { class: "time", title: when(message.ts).toLocaleString() }, clock(message.ts))));
  } else {
    body.append(el("span", { class: "sr", "data-test": "author" }, authorOf(message)));
  }
  if (message.subtype === "thread_broadcast" && !inThread) body.append(el("div", { class: "note" }, "replied to a thread"));
  const text = el("div", { class: system || stone ? "text system" : message.subtype === "me_message" ? "text me" : "text", "data-test": "message-text" }, ...Rich.content(message));
  body.append(text);
  if (message.edited) (text.lastChild && text.lastChild.tagName === "DIV" ? text.lastChild : text).append(el("span", { class: "edited" }, "(edited)"));
  for (const one of message.attachments || []) {
    body.append(el("div", { class: "unfurl" }, one.title ? el("b", {}, one.title) : null, ...(one.text ? Rich.mrkdwn(one.text) : [one.fallback || ""])));
  }
  body.append(...drawFiles(message));
  if ((message.reactions || []).length) {
    body.append(el("div", { class: "reactions" }, ...message.reactions.map((one) =>
      el("button", { type: "button", class: one.users.includes(view.me) ? "reaction mine" : "reaction", "data-test": "reaction", "data-name": one.name,
        title: `${one.users.map(Rich.nameOf).join(", ")} reacted with :${one.name}:`, onclick: () => toggle(message, one.name) }, Rich.emoji(one.name), String(one.count)))));
  }
  if (message.reply_count && !inThread) {
    body.append(el("button", { type: "button", class: "replies", "data-test": "replies", onclick: () => openThread(message.ts) },
      ...facesOf(message.ts),
      `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`, el("span", {}, `Last reply ${clock(message.latest_reply)}`)));
  }
  const row = el("article", { class: close ? "msg more" : "msg", "data-test": "message", "data-id": message.ts, "data-subtype": message.subtype || null },
    close ? el("span", { class: "tick" }, clock(message.ts)) : avatarOf(message), body);
  if (view.fresh.has(message.ts)) row.classList.add("fresh");
  if (!stone) row.append(drawTools(message, row, text, inThread, system));
  return row;
}

function drawTools(message, row, text, inThread, system) {
  const button = (label, title, test, onclick, kind) => el("button", { type: "button", title, "aria-label": title, "data-test": test, class: kind, onclick }, label);
  const tools = el("div", { class: "tools" });
  for (const name of QUICK) tools.append(button(Rich.emoji(name), `React with :${name}:`, `react-${name}`, () => toggle(message, name)));
  tools.append(button(icon("smile"), "Find a reaction", "react", (event) => { event.stopPropagation(); row.append(palette((name) => toggle(message, name))); }));
  if (!inThread) tools.append(button(icon("reply"), "Reply in thread", "reply", () => openThread(message.thread_ts || message.ts)));
  const own = message.user === view.me && !message.bot_id && !system;
  if (own) {
    tools.append(button(icon("pen"), "Edit message", "edit", () => editMessage(message, row, text)));
    tools.append(button(icon("bin"), "Delete message", "delete", () => act({ action: "delete", user: view.me, channel: view.channel, ts: message.ts }), "danger"));
  }
  return tools;
}

let editing = null;
const redraw = (ts) => {
  for (const row of document.querySelectorAll(`[data-test=message][data-id="${ts}"]`)) row.drawn = null;
  editing = null;
  draw();
};
function editMessage(message, row, text) {
  const area = el("textarea", { "data-test": "edit-box", rows: 1, "aria-label": "Edit message" });
  area.value = Rich.typed(message.text || "");
  const stop = () => redraw(message.ts);
  const save = async () => {
    const value = area.value.trim();
    if (value) await act({ action: "edit", user: view.me, channel: view.channel, ts: message.ts, text: value });
    await loadMessages();
    redraw(message.ts);
  };
  if (editing) redraw(editing);
  if (!text.isConnected) return;
  const box = el("div", { class: "composer edit" }, area,
    el("div", { class: "bar" }, el("span", { class: "fill" }), el("button", { type: "button", class: "plain", onclick: stop }, "Cancel"),
      el("button", { type: "button", class: "send", "data-test": "edit-save", onclick: save }, "Save")));
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); save(); }
  });
  area.addEventListener("input", () => grow(area));
  editing = message.ts;
  text.replaceWith(box);
  grow(area);
  area.focus();
  box.scrollIntoView({ block: "nearest" });
}

const grow = (area) => { area.style.height = "auto"; area.style.height = `${area.scrollHeight}px`; };

function buildComposer(form, thread) {
  const area = el("textarea", { rows: 1, "data-test": thread ? "thread-composer" : "composer", "aria-label": thread ? "Reply" : "Message" });
  const send = el("button", { type: "submit", class: "send", "data-test": thread ? "thread-send" : "send", title: "Send", "aria-label": "Send", disabled: true }, icon("send"));
  const also = thread ? el("input", { type: "checkbox", "data-test": "broadcast" }) : null;
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
    area.setRangeText(part.split("\n").map((line, index) => (typeof mark === "function" ? mark(index) : mark) + line).join("\n"), start, area.selectionEnd, "end");
    area.focus();
    changed();
  };
  const tool = (label, title, onclick) => el("button", { type: "button", title, "aria-label": title, onclick }, label);
  const changed = () => { send.disabled = !area.value.trim(); grow(area); offer(); };
  let offers = null;
  const closeOffers = () => { if (offers) { offers.box.remove(); offers = null; } };
  const offer = () => {
    closeOffers();
    const before = area.value.slice(0, area.selectionStart);
    const hit = /(^|\s)([@#])([\p{L}\p{N} ._-]{0,24})$/u.exec(before);
    if (!hit) return;
    const start = before.length - hit[3].length - 1;
    const term = hit[3].toLowerCase();
    const all = hit[2] === "@"
      ? Object.entries(view.state.names).map(([id, one]) => ({ label: one.name, image: `/avatars/${id}.svg` })).concat(["here", "channel"].map((label) => ({ label })))
      : view.state.channels.filter((one) => one.kind === "channel" || one.kind === "group").map((one) => ({ label: one.name }));
    const found = all.filter((one) => one.label.toLowerCase().startsWith(term) && one.label.toLowerCase() !== term).slice(0, 6);
    if (!found.length) return;
    const pick = (one) => { area.setRangeText(`${hit[2]}${one.label} `, start, area.selectionStart, "end"); closeOffers(); area.focus(); changed(); };
    const box = el("ul", { class: "offers", role: "listbox" }, ...found.map((one, index) => el("li", { class: index ? "" : "on", role: "option",
      onmousedown: (event) => { event.preventDefault(); pick(one); } }, one.image ? el("img", { src: one.image, alt: "" }) : hit[2], one.label)));
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
    else if (event.key === "ArrowUp" && !area.value && !thread) {
      const own = view.messages.filter((one) => one.user === view.me && !one.bot_id && !one.thread_ts).pop();
      const button = own && document.querySelector(`#messages [data-id="${own.ts}"] [data-test=edit]`);
      if (button) { event.preventDefault(); button.click(); }
    } else if ((event.ctrlKey || event.metaKey) && ["b", "i"].includes(event.key)) { event.preventDefault(); wrap(event.key === "b" ? "*" : "_")(); }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text) return;
    area.value = "";
    changed();
    const body = { action: "post", user: view.me, channel: view.channel, text };
    if (thread) Object.assign(body, { thread_ts: view.root, broadcast: also.checked });
    const answer = await act(body);
    if (!answer.ok) { area.value = text; changed(); }
    if (also) also.checked = false;
  });
  picker.addEventListener("change", async () => {
    const file = picker.files[0];
    if (!file) return;
    const query = new URLSearchParams({ user: view.me, channel: view.channel, name: file.name, text: area.value.trim(), thread_ts: thread ? view.root : "" });
    const answer = await api(`/_sim/slack/upload?${query}`, { method: "POST", body: file });
    picker.value = "";
    if (answer.ok) { area.value = ""; changed(); } else toast(words(answer.error));
  });
  form.append(
    el("div", { class: "bar top" }, tool(el("b", {}, "B"), "Bold", wrap("*")), tool(el("i", {}, "I"), "Italic", wrap("_")), tool(el("s", {}, "S"), "Strikethrough", wrap("~")),
      tool("</>", "Code", wrap("`")), tool("{ }", "Code block", wrap("```\n", "\n```")), tool("❝", "Quote", lines("> ")), tool("•", "List", lines("- ")), tool("1.", "Numbered list", lines((index) => `${index + 1}. `))),
    area,
    el("div", { class: "bar" }, tool(icon("clip"), "Attach a file", () => picker.click()), tool(icon("smile"), "Emoji", (event) => { event.stopPropagation(); form.append(palette((_, character) => wrap(character, "")())); }),
      tool("@", "Mention", () => wrap("@", "")()), also ? el("label", {}, also, "Also send to channel") : null, el("span", { class: "fill" }), picker, send));
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
  const book = JSON.stringify([view.me, view.channel, view.state.names, view.state.channels.map((one) => one.name)]);
  let previous = null, day = "";
  for (const message of messages) {
    const today = dayOf(message.ts);
    if (today !== day && !inThread) { keep(`day ${today}`, today, () => el("div", { class: "day" }, today)); day = today; previous = null; }
    const before = previous;
    const above = before && [before.ts, authorOf(before), before.subtype, before.icons, before.reply_count];
    keep(message.ts, JSON.stringify([message, above, book]), () => drawMessage(message, before, inThread));
    previous = message;
    if (inThread && message.ts === view.root) previous = null;
  }
  if (!nodes.length) {
    const room = view.state.channels.find((one) => one.id === view.channel);
    nodes.push(el("div", { class: "empty" }, el("b", {}, room ? (room.kind === "im" || room.kind === "mpim" ? room.name : `#${room.name}`) : "Nothing here"), "This is the very beginning. Say hello."));
  }
  const wanted = new Set(nodes);
  for (const node of [...box.children]) if (!wanted.has(node)) node.remove();
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
  drawList("messages", view.messages.filter((one) => !one.thread_ts || one.thread_ts === one.ts || one.subtype === "thread_broadcast"), false);
  if (view.root) {
    drawList("thread-messages", view.messages.filter((one) => one.ts === view.root || one.thread_ts === view.root), true);
  }
  view.fresh.clear();
}

function drawSide() {
  const state = view.state;
  $("workspace").textContent = state.workspace || "Workspace";
  document.title = `${state.workspace || "Workspace"}: chat`;
  $("me-avatar").src = `/avatars/${view.me}.svg`;
  const select = $("person");
  select.replaceChildren(...state.people.map((one) => el("option", { value: one.id, selected: one.id === view.me }, one.real_name)));
  select.value = view.me;
  const item = (room) => {
    const direct = room.kind === "im" || room.kind === "mpim";
    const sign = direct && room.other ? el("img", { src: `/avatars/${room.other}.svg`, alt: "" }) : el("span", { class: "sign" }, room.kind === "group" ? icon("lock") : direct ? icon("group") : "#");
    return el("li", {}, el("button", { type: "button", "data-test": "channel", "data-id": room.id, "data-name": room.name,
      class: [room.id === view.channel ? "on" : "", view.unread.has(room.id) ? "new" : ""].join(" ").trim() || null,
      "aria-current": room.id === view.channel ? "true" : null, onclick: () => openChannel(room.id) }, sign, el("span", { class: "label" }, room.name)));
  };
  const rooms = state.channels.filter((one) => !one.archived || one.id === view.channel);
  $("channels").replaceChildren(...rooms.filter((one) => one.kind === "channel" || one.kind === "group").map(item));
  const directs = rooms.filter((one) => one.kind === "im" || one.kind === "mpim");
  const met = new Set(directs.map((one) => one.other));
  const others = Object.entries(state.names).filter(([id]) => id !== view.me && !met.has(id));
  $("directs").replaceChildren(...directs.map(item), ...others.map(([id, one]) => el("li", {}, el("button", { type: "button", "data-test": "start-direct", "data-user": id,
    onclick: async () => {
      const answer = await act({ action: "direct", members: [view.me, id] });
      if (answer.ok) { await loadState(); openChannel(answer.result); }
    } }, el("img", { src: `/avatars/${id}.svg`, alt: "" }), el("span", { class: "label" }, one.name)))));
  const room = state.channels.find((one) => one.id === view.channel);
  const direct = room && (room.kind === "im" || room.kind === "mpim");
  $("room-name").textContent = room ? (direct ? room.name : `# ${room.name}`) : "";
  $("room-topic").textContent = room ? [room.shared ? "Shared with another organisation" : "", room.topic].filter(Boolean).join(" · ") : "";
  $("room-members").replaceChildren(...(room ? [icon("people"), String(room.members)] : []));
  const label = room ? (direct ? `Message ${room.name}` : `Message #${room.name}`) : "Message";
  composer.placeholder = room && room.archived ? "This channel is archived" : label;
  composer.disabled = !!(room && room.archived);
  $("thread-where").textContent = room ? (direct ? room.name : `#${room.name}`) : "";
}

async function loadState() {
  view.state = await api(`/_sim/slack/state?user=${encodeURIComponent(view.me)}`);
  view.me = view.state.me;
  const channels = {};
  for (const one of view.state.channels) channels[one.id] = one.name;
  Rich.use({ names: view.state.names, channels, groups: view.state.groups, emoji: view.state.emoji, me: view.me });
  if (!view.state.channels.some((one) => one.id === view.channel)) {
    view.channel = (view.state.channels.find((one) => one.kind === "channel") || view.state.channels[0] || {}).id || "";
    closeThread();
  }
  drawSide();
}

async function loadMessages() {
  const channel = view.channel;
  const answer = await api(`/_sim/slack/messages?channel=${encodeURIComponent(channel)}`);
  if (channel !== view.channel) return;
  const first = !view.known.has(channel);
  const before = new Set(view.messages.map((one) => one.ts));
  if (!first) for (const one of answer.messages) if (!before.has(one.ts)) view.fresh.add(one.ts);
  view.known.add(channel);
  view.messages = answer.messages;
  if (view.root && !view.messages.some((one) => one.ts === view.root)) closeThread();
  draw();
}

async function openChannel(id) {
  if (id !== view.channel) closeThread();
  view.channel = id;
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
threadComposer.placeholder = "Reply…";
$("thread-close").append(icon("close"));
$("thread-close").addEventListener("click", closeThread);
$("person").addEventListener("change", async (event) => {
  view.me = event.target.value;
  editing = null;
  await loadState();
  await openChannel(view.channel);
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
    if (change.channel && change.channel !== view.channel) view.unread.add(change.channel);
    refresh();
  };
}

(async () => {
  await loadState();
  await loadMessages();
  listen();
})();
