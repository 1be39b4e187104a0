"use strict";
// The chat page: everything it does goes through /_sim/ as the chosen person.
const $ = (s, at = document) => at.querySelector(s);
const params = new URLSearchParams(location.search);
const page = { state: null, me: params.get("as") || "", open: params.get("conversation") || "", thread: null, messages: new Map(), unread: new Map(), editing: null };
const esc = (t) => String(t ?? "").replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);
const faces = { like: "👍", heart: "❤️", laugh: "😆", surprised: "😮", sad: "😢", angry: "😡" };
const bubble = `<svg width="12" height="12" viewBox="0 0 16 16" fill="currentColor"><path d="M3 2h10a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H7l-4 3v-3a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2z"/></svg>`;
const quick = ["👍", "❤️", "😆", "🎉"];

async function get(path) {
  const r = await fetch(path);
  if (!r.ok) throw new Error(`${path}: ${r.status}`);
  return r.json();
}
async function act(name, body) {
  const r = await fetch(`/_sim/${name}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ as: page.me, ...body }) });
  const answer = await r.json();
  if (!r.ok) toast(answer.error || "That did not work.");
  return r.ok;
}
function toast(text) {
  const t = $("#toast");
  t.textContent = text;
  t.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => (t.hidden = true), 3500);
}

// Places -------------------------------------------------------------------
function places() {
  const s = page.state;
  return [
    ...s.teams.flatMap((t) => t.channels.map((c) => ({ id: c.id, name: c.name, where: t.name, channel: true, hidden: c.membership !== "standard" }))),
    ...s.chats.map((c) => ({ id: c.id, name: c.name, where: c.kind === "oneOnOne" ? "Chat" : "Group chat", channel: false })),
  ];
}
const here = () => places().find((p) => p.id === page.open);

async function loadState() {
  page.state = await get(`/_sim/state?as=${encodeURIComponent(page.me)}`);
  page.me = page.state.me;
  const all = places();
  if (!all.some((p) => p.id === page.open)) page.open = all[0]?.id ?? "";
  $("#tenant").textContent = page.state.tenant;
  document.title = `${page.state.tenant} · Teams simulator`;
  $("#person").innerHTML = page.state.people.map((p) => `<option value="${esc(p.id)}"${p.id === page.me ? " selected" : ""}>${esc(p.name)}${p.guest ? " (guest)" : ""}</option>`).join("");
  $("#me-avatar").src = `/_sim/avatar/${page.me}`;
  showPlaces();
}
function showPlaces() {
  const item = (p) => `<button data-test="channel" data-id="${esc(p.id)}" data-act="open" aria-current="${p.id === page.open}"><span class="glyph" aria-hidden="true">${p.channel ? (p.hidden ? "◈" : "#") : bubble}</span><span class="name">${esc(p.name)}</span>${page.unread.get(p.id) ? `<span class="new">${page.unread.get(p.id)}</span>` : ""}</button>`;
  const all = places();
  $("#places").innerHTML =
    page.state.teams.map((t) => `<h2>${esc(t.name)}</h2>${t.channels.map((c) => item(all.find((p) => p.id === c.id))).join("")}`).join("") +
    (page.state.chats.length ? `<h2>Chats</h2>${all.filter((p) => !p.channel).map(item).join("")}` : "");
}

// Messages -----------------------------------------------------------------
const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const day = (ms) => new Date(ms).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
function words(name) {
  return name.replace(/([A-Z])/g, " $1").toLowerCase().trim();
}
function texts(node) {
  if (!node || typeof node !== "object") return [];
  const own = typeof node.text === "string" ? [[node.text, node.weight === "bolder"]] : typeof node.title === "string" ? [[node.title, true]] : [];
  return [...own, ...["body", "items", "columns", "facts", "actions"].flatMap((k) => (node[k] || []).flatMap(texts))];
}
/** Where the page gets a file that is on the tenant's sites. */
const onSite = (url) => /^\/(sites|personal)\//.test(new URL(url, location.href).pathname);
const stored = (url) => (onSite(url) ? `/_sim/file?address=${encodeURIComponent(url)}` : url);
function attachment(a) {
  if (a.type === "messageReference") {
    const from = a.content?.messageSender?.user?.displayName || a.content?.messageSender?.application?.displayName || "";
    return `<div class="quote"><b>${esc(from)}</b><br>${esc(a.content?.messagePreview)}</div>`;
  }
  if (a.type === "reference") return `<a class="file" data-test="file" href="${esc(stored(a.url))}" rel="noreferrer">📎 ${esc(a.name)}</a>`;
  return `<div class="card">${texts(a.content).map(([t, bold]) => (bold ? `<b>${esc(t)}</b>` : `${esc(t)}<br>`)).join("") || esc(a.name || a.type)}</div>`;
}
function body(m) {
  const host = document.createElement("div");
  host.innerHTML = m.html;
  for (const e of host.querySelectorAll("emoji,customemoji")) e.replaceWith(e.getAttribute("alt") || "");
  const left = new Map(m.attachments.map((a) => [a.id, a]));
  for (const e of host.querySelectorAll("attachment")) {
    const a = left.get(e.id);
    if (a) {
      const slot = document.createElement("div");
      slot.innerHTML = attachment(a);
      e.replaceWith(slot);
      left.delete(a.id);
    }
  }
  for (const a of host.querySelectorAll("a[href]")) {
    if (a.protocol.startsWith("http") && onSite(a.href)) {
      a.href = stored(a.href);
      a.dataset.test = "file";
    }
    a.target = "_blank";
    a.rel = "noreferrer";
  }
  return host.innerHTML + [...left.values()].map(attachment).join("");
}
function card(m, inThread) {
  if (m.system) return `<div class="main"><span data-test="message-text">${esc(words(m.html))}</span></div>`;
  const mine = m.author?.id === page.me;
  const name = m.author?.name || "Unknown user";
  const channel = here()?.channel;
  const replies = channel && !m.root && !inThread ? [...page.messages.values()].filter((r) => r.root === m.id && !r.deleted) : [];
  const tools = m.deleted
    ? mine ? `<button data-act="restore" data-test="restore">Undo delete</button>` : ""
    : quick.map((k) => `<button data-act="react" data-kind="${k}" data-test="react" aria-label="React ${k}">${k}</button>`).join("") +
      (channel && !inThread ? `<button data-act="thread" data-test="reply">Reply</button>` : "") +
      (mine ? `<button data-act="edit" data-test="edit">Edit</button><button class="danger" data-act="delete" data-test="delete">Delete</button>` : "");
  const reactions = m.deleted ? "" : m.reactions.map((r) => `<button class="react${r.by.includes(page.me) ? " mine" : ""}" data-act="react" data-kind="${esc(r.kind)}" data-test="reaction" title="${esc(r.by.map(nameOf).join(", "))}">${faces[r.kind] || esc(r.kind)} ${r.by.length}</button>`).join("");
  const last = replies.at(-1);
  const summary = replies.length ? `<button class="replies" data-act="thread" data-test="replies">${replies.length === 1 ? "1 reply" : `${replies.length} replies`} · ${esc(last.author?.name || "")} ${clock(last.at)}</button>` : "";
  return `<img class="avatar" src="/_sim/avatar/${esc(m.author?.id || "nobody")}" alt=""><div class="main"><div class="head"><span class="author" data-test="author">${esc(name)}</span>${m.author?.bot ? `<span class="bot">APP</span>` : ""}<time>${clock(m.at)}</time>${m.edited && !m.deleted ? `<span class="edited" data-test="edited">Edited</span>` : ""}</div>${m.subject && !m.deleted ? `<div class="subject">${esc(m.subject)}</div>` : ""}<div class="text" data-test="message-text">${m.deleted ? "This message has been deleted." : body(m)}</div><div class="foot">${reactions}${summary}</div></div>${tools ? `<div class="bar">${tools}</div>` : ""}`;
}
function nameOf(id) {
  return [...page.state.people, ...page.state.apps].find((p) => p.id === id)?.name || "Somebody";
}
/** Draws a list without touching what has not changed. */
function draw(list, messages, inThread, fresh) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const old = new Map([...list.children].map((e) => [e.dataset.key, e]));
  const wanted = [];
  let lastDay = "";
  for (const m of messages) {
    const d = day(m.at);
    if (d !== lastDay && !inThread) {
      wanted.push(["day " + d, "day", esc(d), null]);
      lastDay = d;
    }
    const kind = ["msg", m.author?.id === page.me && "mine", m.deleted && "gone", m.system && "system"].filter(Boolean).join(" ");
    wanted.push([m.id, kind, card(m, inThread), m]);
  }
  if (!messages.length) wanted.push(["none", "empty", "<b>Nothing here yet</b>Say hello.", null]);
  let at = list.firstElementChild;
  for (const [key, kind, html, m] of wanted) {
    let e = old.get(key);
    old.delete(key);
    if (!e) {
      e = document.createElement(m ? "article" : "div");
      e.dataset.key = key;
      if (m) {
        e.dataset.test = "message";
        e.dataset.id = key;
      }
      if (fresh) e.classList.add("fresh");
    }
    const shown = fresh && !e.isConnected ? `${kind} fresh` : kind;
    if (e.drawn !== html) {
      e.innerHTML = html;
      e.drawn = html;
    }
    if (e.className !== shown) e.className = shown;
    if (at === e) at = at.nextElementSibling;
    else list.insertBefore(e, at);
  }
  for (const e of old.values()) e.remove();
  if (atEnd || !fresh) list.scrollTop = list.scrollHeight;
}
// Whoever reads the end stays there when the room for it changes.
for (const list of [$("#messages"), $("#thread-messages")]) {
  let end = true;
  let size = "";
  const sizeNow = () => `${list.clientWidth} ${list.clientHeight}`;
  list.addEventListener("scroll", () => {
    if (sizeNow() === size) end = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  });
  new ResizeObserver(() => {
    size = sizeNow();
    if (end) list.scrollTo({ top: list.scrollHeight, behavior: "instant" });
  }).observe(list);
}
function show(fresh = false) {
  const place = here();
  $("#title").textContent = place?.name || "No conversation";
  $("#subtitle").textContent = place?.where || "";
  const list = $("#messages");
  list.classList.toggle("chat", !place?.channel);
  const all = [...page.messages.values()].sort((a, b) => a.id.length - b.id.length || (a.id < b.id ? -1 : 1));
  draw(list, all.filter((m) => !m.root), false, fresh);
  $("#write .editor").dataset.empty = place?.channel ? `Start a new conversation in ${place.name}` : `Message ${place?.name || ""}`;
  const panel = $("#thread");
  const opening = panel.hidden;
  panel.hidden = !page.thread;
  if (page.thread) {
    $("#thread-place").textContent = place?.name || "";
    draw($("#thread-messages"), all.filter((m) => m.id === page.thread || m.root === page.thread), true, fresh && !opening);
  }
}
async function open(id) {
  page.open = id;
  page.thread = null;
  stopEditing();
  page.unread.delete(id);
  document.body.classList.remove("menu");
  await reload();
  showPlaces();
  $("#write .editor").focus({ preventScroll: true });
}
async function reload() {
  page.messages = new Map();
  if (page.open) {
    const { messages } = await get(`/_sim/messages?conversation=${encodeURIComponent(page.open)}`);
    for (const m of messages) page.messages.set(m.id, m);
  }
  show();
}

// Writing ------------------------------------------------------------------
const toolbar = (test) => `<button type="button" data-cmd="bold" title="Bold"><b>B</b></button><button type="button" data-cmd="italic" title="Italic"><i>I</i></button><button type="button" data-cmd="strikeThrough" title="Strikethrough"><s>S</s></button><button type="button" data-cmd="code" title="Code">&lt;/&gt;</button><button type="button" data-cmd="quote" title="Quote">❝</button><button type="button" data-cmd="insertUnorderedList" title="List">•</button><button type="button" data-cmd="at" title="Mention">@</button><label class="clip" title="Attach a file">📎<input type="file" data-test="attach" aria-label="Attach a file"></label><span class="gap"></span>${test}`;
$("#write .tools").innerHTML = toolbar(`<button class="send" data-test="send">Send</button>`);
$("#thread-write .tools").innerHTML = toolbar(`<button class="send" data-test="thread-send">Reply</button>`);

function clean(editor) {
  const copy = editor.cloneNode(true);
  if (!copy.textContent.trim() && !copy.querySelector("img")) return "";
  return copy.innerHTML.replace(/<div><br><\/div>/g, "<br>").replace(/^(<br>)+|(<br>)+$/g, "");
}
async function send(form) {
  const editor = $(".editor", form);
  const html = clean(editor);
  if (!html) return;
  editor.innerHTML = "";
  const edit = page.editing?.form === form ? page.editing : null;
  const root = form.id === "thread-write" ? page.thread : undefined;
  if (edit) stopEditing();
  const done = edit ? await act("edit", { conversation: page.open, message: edit.id, html }) : await act("post", { conversation: page.open, root, html });
  if (!done) editor.innerHTML = html;
}
/** Sends a file with what is written beside it; pictures are attached too, so that their bytes stay as they are. */
async function upload(form, file) {
  const editor = $(".editor", form);
  const text = editor.textContent.trim();
  const query = new URLSearchParams({ as: page.me, conversation: page.open, root: form.id === "thread-write" ? page.thread : "", name: file.name, text });
  const r = await fetch(`/_sim/upload?${query}`, { method: "POST", body: file });
  if (r.ok) editor.innerHTML = "";
  else toast((await r.json()).error || "That did not work.");
}
function stopEditing() {
  for (const n of document.querySelectorAll(".notice")) n.hidden = true;
  if (page.editing) $(".editor", page.editing.form).innerHTML = "";
  page.editing = null;
}
function startEditing(m, form) {
  stopEditing();
  page.editing = { id: m.id, form };
  const notice = $(".notice", form);
  $("span", notice).textContent = "Editing your message";
  notice.hidden = false;
  const host = document.createElement("div");
  host.innerHTML = m.html;
  for (const at of host.querySelectorAll("at")) at.replaceWith(`@${at.textContent}`);
  const editor = $(".editor", form);
  editor.innerHTML = host.innerHTML;
  editor.focus();
  getSelection().selectAllChildren(editor);
  getSelection().collapseToEnd();
}
function command(editor, cmd) {
  editor.focus();
  const selected = getSelection().toString();
  if (cmd === "code") document.execCommand("insertHTML", false, `<code>${esc(selected || "code")}</code>&nbsp;`);
  else if (cmd === "quote") document.execCommand("formatBlock", false, "blockquote");
  else if (cmd === "at") {
    document.execCommand("insertText", false, "@");
    suggest(editor);
  } else document.execCommand(cmd);
}
/** Offers names behind an @. */
function suggest(editor) {
  const menu = $("#mention");
  const sel = getSelection();
  const text = sel.anchorNode?.nodeType === 3 ? sel.anchorNode.data.slice(0, sel.anchorOffset) : "";
  const typed = /@([\p{L} ]{0,24})$/u.exec(text);
  const fits = typed ? [...page.state.people, ...page.state.apps].filter((p) => p.id !== page.me && p.name.toLowerCase().startsWith(typed[1].toLowerCase()) && p.name.length > typed[1].length) : [];
  menu.hidden = !fits.length;
  if (!fits.length) return;
  menu.innerHTML = fits.slice(0, 6).map((p, n) => `<button class="${n ? "" : "on"}" data-name="${esc(p.name)}"><img src="/_sim/avatar/${esc(p.id)}" alt="">${esc(p.name)}</button>`).join("");
  const box = sel.getRangeAt(0).getBoundingClientRect();
  menu.style.left = `${Math.min(box.left, innerWidth - 210)}px`;
  menu.style.top = `${Math.max(8, box.top - menu.offsetHeight - 6)}px`;
  menu.pick = (name) => {
    const range = document.createRange();
    range.setStart(sel.anchorNode, sel.anchorOffset - typed[0].length);
    range.setEnd(sel.anchorNode, sel.anchorOffset);
    sel.removeAllRanges();
    sel.addRange(range);
    document.execCommand("insertText", false, `@${name} `);
    menu.hidden = true;
    editor.focus();
  };
}

// Events -------------------------------------------------------------------
document.addEventListener("click", async (e) => {
  const pick = e.target.closest("#mention button");
  if (pick) return $("#mention").pick(pick.dataset.name);
  const cmd = e.target.closest("[data-cmd]");
  if (cmd) return command($(".editor", cmd.closest("form")), cmd.dataset.cmd);
  const b = e.target.closest("[data-act]");
  if (!b) return;
  const m = page.messages.get(b.closest(".msg")?.dataset.id);
  const on = m && { conversation: page.open, message: m.id };
  switch (b.dataset.act) {
    case "open": return open(b.dataset.id);
    case "close-thread": page.thread = null; stopEditing(); return show();
    case "stop-edit": return stopEditing();
    case "thread": page.thread = m.root || m.id; show(); return $("#thread-write .editor").focus();
    case "react": return act("react", { ...on, kind: b.dataset.kind, add: !m.reactions.some((r) => r.kind === b.dataset.kind && r.by.includes(page.me)) });
    case "edit": return startEditing(m, $(b.closest("#thread") ? "#thread-write" : "#write"));
    case "delete": return act("delete", on);
    case "restore": return act("restore", on);
  }
});
document.addEventListener("mousedown", (e) => {
  if (e.target.closest("[data-cmd],#mention")) e.preventDefault();
});
$("#menu").addEventListener("click", () => document.body.classList.toggle("menu"));
$("#person").addEventListener("change", async (e) => {
  page.me = e.target.value;
  page.unread.clear();
  await loadState();
  await open(page.open);
});
for (const form of [$("#write"), $("#thread-write")]) {
  const editor = $(".editor", form);
  $("input[type=file]", form).addEventListener("change", async (e) => {
    for (const file of e.target.files) await upload(form, file);
    e.target.value = "";
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    send(form);
  });
  editor.addEventListener("input", () => suggest(editor));
  editor.addEventListener("paste", (e) => {
    e.preventDefault();
    document.execCommand("insertText", false, e.clipboardData.getData("text/plain"));
  });
  editor.addEventListener("keydown", (e) => {
    const menu = $("#mention");
    if (!menu.hidden && (e.key === "Enter" || e.key === "Tab")) {
      e.preventDefault();
      menu.pick($("button", menu).dataset.name);
    } else if (e.key === "Escape") {
      menu.hidden = true;
      if (page.editing) stopEditing();
    } else if (e.key === "Enter" && !e.shiftKey) {
      e.preventDefault();
      send(form);
    }
  });
}
function listen() {
  const stream = new EventSource("/_sim/events");
  let broken = false;
  stream.onopen = () => {
    if (broken) loadState().then(reload);
    broken = false;
    document.documentElement.dataset.live = "true";
  };
  stream.onerror = () => (broken = true);
  stream.onmessage = async (e) => {
    const change = JSON.parse(e.data);
    if (change.type === "reload") {
      await loadState();
      return reload();
    }
    const m = change.message;
    if (!m?.id) return;
    if (change.conversation === page.open) {
      page.messages.set(m.id, m);
      show(true);
    } else if (change.type === "created" && m.author?.id !== page.me) {
      if (!places().some((p) => p.id === change.conversation)) await loadState();
      page.unread.set(change.conversation, (page.unread.get(change.conversation) || 0) + 1);
      showPlaces();
    }
  };
}
loadState().then(() => open(page.open)).then(listen).catch((e) => toast(`The simulator does not answer: ${e.message}`));
