"use strict";
// Teams' messages, people, channels and chats, for the client that all pages share. Its editor writes HTML.

const { $, el, icon, get, tool, tray, palette, drawFile, sized } = Chat;
const FACES = { like: "👍", heart: "❤️", laugh: "😆", surprised: "😮", sad: "😢", angry: "😡" };
const QUICK = ["👍", "❤️", "😆", "🎉"];
const EMOJI = ["👍", "👎", "❤️", "😆", "😮", "😢", "😡", "🎉", "🙏", "👏", "🔥", "👀", "✅", "🚀", "💯", "🤔", "😄", "😍", "😎", "🙌", "💪", "👋", "☕", "🌟", "🐛", "📌", "⏰", "❓", "❗", "➕", "🎈", "🌈"];
const pairs = (names) => names.map((one) => [one, FACES[one] || one]);
const faceOf = (id) => el("img", { src: `/_sim/avatar/${encodeURIComponent(id)}`, alt: "" });
const face = (message) => el("img", { class: "avatar", src: `/_sim/avatar/${encodeURIComponent(message.author.id || "nobody")}`, alt: "" });

async function read(me) {
  const state = await get(`/_sim/state?as=${encodeURIComponent(me)}`);
  const channels = state.teams.map((team) => team.channels.map((one) => ({ id: one.id, name: one.name, kind: "channel", note: team.name, prompt: `Start a conversation in ${one.name}`, sign: () => el("span", { class: "sign" }, icon(one.membership === "standard" ? "hash" : "lock")) })));
  const notes = { oneOnOne: "Chat", personal: "App" };
  const chats = state.chats.map((one) => ({ id: one.id, name: one.name, kind: one.bot ? "app" : one.kind === "oneOnOne" ? "direct" : "group", other: one.other, note: one.bot ? "App" : notes[one.kind] || "Group chat",
    sign: () => (one.bot || one.other ? faceOf(one.bot || one.other) : el("span", { class: "sign" }, icon("people"))) }));
  const met = new Set(chats.map((one) => one.other));
  const strangers = state.people.filter((one) => one.id !== state.me && !met.has(one.id)).map((one) => ({ id: one.id, name: one.name, sign: () => faceOf(one.id), start: doing("direct", { as: state.me, other: one.id }) }));
  const bots = new Set(chats.filter((one) => one.kind === "app").map((one) => one.name));
  const apps = state.apps.filter((one) => !bots.has(one.name)).map((one) => ({ id: one.id, name: one.name, sign: () => faceOf(one.id), start: doing("chat", { as: state.me, app: one.id }) }));
  return { me: state.me, org: state.tenant, people: state.people.map((one) => ({ id: one.id, name: one.guest ? `${one.name} (guest)` : one.name })), persons: [...state.people, ...state.apps], rooms: [...channels.flat(), ...chats], print: "",
    myFace: () => faceOf(state.me), lists: [...state.teams.map((team, index) => ({ title: team.name, rows: channels[index] })), { title: "Apps", rows: [...chats.filter((one) => one.kind === "app"), ...apps] }, { title: "Chats", rows: [...chats.filter((one) => one.kind !== "app"), ...strangers] }] };
}

/** Where the page gets a file that is on the tenant's sites. */
const onSite = (url) => /^\/(sites|personal)\//.test(new URL(url, location.href).pathname);
const stored = (url) => (onSite(url) ? `/_sim/file?address=${encodeURIComponent(url)}` : url);
const nameIn = (url) => decodeURIComponent(new URL(url, location.href).pathname.split("/").pop());
/** The words of a card. */
function words(node) {
  if (!node || typeof node !== "object") return [];
  const own = typeof node.text === "string" ? [[node.text, node.weight === "bolder"]] : typeof node.title === "string" ? [[node.title, true]] : [];
  return [...own, ...["body", "items", "columns", "facts", "actions"].flatMap((key) => (node[key] || []).flatMap(words))];
}
// A file that an app offers, and one that it gave.
const OFFER = "application/vnd.microsoft.teams.card.file.consent";
const FILES = ["reference", "application/vnd.microsoft.teams.card.file.info"];
/** What an app offers goes into the reader's drive when they accept. */
function drawOffer(message, one) {
  const { description, sizeInBytes } = one.content || {};
  const press = (name, label, act, more) => el("button", { type: "button", class: more, "data-test": name, onclick: () => client.act(on(message, act)) }, label);
  const told = { asked: "Asking the app…", accepted: "Accepted", declined: "Declined" }[one.answer];
  return el("div", { class: "card offer", "data-test": "offer", "data-name": one.name, "data-size": sizeInBytes, "data-answer": one.answer }, el("b", {}, one.name), el("small", {}, sized(sizeInBytes)),
    description ? el("div", {}, description) : null, told ? el("div", { class: "note" }, told) : el("div", { class: "choice" }, press("accept", "Accept", "accept", "yes"), press("decline", "Decline", "decline")));
}
function drawAttachment(message, one) {
  if (one.type === OFFER) return drawOffer(message, one);
  if (one.type === "messageReference") {
    const { user, application } = (one.content || {}).messageSender || {};
    return el("div", { class: "quote" }, el("b", {}, (user || application || {}).displayName || ""), el("div", {}, (one.content || {}).messagePreview || ""));
  }
  const told = words(one.content);
  return el("div", { class: "card" }, ...(told.length ? told.map(([text, bold]) => el(bold ? "b" : "div", {}, text)) : [one.name || one.type]));
}
/** What a message shows, and the files that its text links to; the simulator keeps only harmless HTML. */
function parts(one) {
  const host = el("div");
  host.innerHTML = one.html;
  for (const emoji of host.querySelectorAll("emoji,customemoji")) emoji.replaceWith(emoji.getAttribute("alt") || "");
  const left = new Map(one.attachments.filter((part) => !FILES.includes(part.type)).map((part) => [part.id, part]));
  for (const place of host.querySelectorAll("attachment")) {
    if (left.has(place.id)) place.replaceWith(drawAttachment(one, left.get(place.id)));
    else place.remove();
    left.delete(place.id);
  }
  const files = one.attachments.filter((part) => FILES.includes(part.type)).map((part) => ({ name: part.name, size: part.size, url: stored(part.url) }));
  for (const link of host.querySelectorAll("a[href]")) {
    if (link.protocol.startsWith("http") && onSite(link.href)) {
      const [name, url] = [nameIn(link.href), stored(link.href)];
      // A link that is no more than the file's name shows the file instead.
      if (link.textContent.includes(name)) {
        const before = link.previousSibling;
        if (before && before.nodeType === Node.TEXT_NODE) before.data = before.data.replace(/\p{Extended_Pictographic}\s*$/u, "");
        link.replaceWith(drawFile({ name, url }));
        continue;
      }
      link.href = url;
      link.dataset.test = "file";
      link.dataset.name = name;
    }
    link.target = "_blank";
    link.rel = "noreferrer";
  }
  for (const picture of host.querySelectorAll("img[src*='/_sim/hosted/']")) picture.dataset.test = "file";
  return { nodes: [...host.childNodes], more: [...left.values()].map((part) => drawAttachment(one, part)), files };
}

async function list(view) {
  const { messages } = await get(`/_sim/messages?conversation=${encodeURIComponent(view.room)}`);
  const channel = view.state.rooms.some((one) => one.id === view.room && one.kind === "channel");
  const nameOf = (id) => (view.state.persons.find((one) => one.id === id) || { name: "Somebody" }).name;
  return messages.map((one) => {
    const author = one.author || { id: "", name: one.system ? "" : "Unknown user" };
    const mine = author.id === view.me && !one.deleted && !one.system;
    const shown = one.deleted || one.system ? { nodes: [], more: [], files: [] } : parts(one);
    const told = one.deleted ? ["This message has been deleted."] : [one.html.replace(/([A-Z])/g, " $1").toLowerCase().trim()];
    return {
      id: one.id, at: one.at, root: one.root, author, print: one, edited: one.edited && !one.deleted, gone: one.deleted, system: one.system, mine, editable: mine, threads: channel, style: "rich", html: one.html,
      restorable: one.deleted && author.id === view.me, tags: author.bot ? [["App"]] : [],
      content: () => (one.deleted || one.system ? told : [one.subject ? el("div", { class: "subject" }, one.subject) : "", ...shown.nodes]), more: () => shown.more, files: shown.files,
      reactions: one.deleted ? [] : one.reactions.map((found) => ({ name: found.kind, shown: FACES[found.kind] || found.kind, people: found.by.map(nameOf), mine: found.by.includes(view.me) })),
    };
  });
}

// The message that is being edited, in whose editor.
let editing = null;
const stopEditing = () => {
  if (!editing) return;
  editing.notice.hidden = true;
  editing.editor.innerHTML = "";
  editing = null;
};
const startEdit = () => (message, _, inThread) => {
  stopEditing();
  const form = $(inThread ? "thread-write" : "write");
  editing = { id: message.id, editor: form.querySelector(".editor"), notice: form.querySelector(".notice") };
  editing.notice.hidden = false;
  const host = el("div");
  host.innerHTML = message.html;
  for (const at of host.querySelectorAll("at")) at.replaceWith(`@${at.textContent}`);
  editing.editor.replaceChildren(...host.childNodes);
  editing.editor.focus();
  getSelection().selectAllChildren(editing.editor);
  getSelection().collapseToEnd();
};

/** Offers names behind an @. */
function suggest(editor) {
  const menu = $("names");
  const selection = getSelection();
  const text = selection.anchorNode && selection.anchorNode.nodeType === Node.TEXT_NODE ? selection.anchorNode.data.slice(0, selection.anchorOffset) : "";
  const typed = /@([\p{L} ]{0,24})$/u.exec(text);
  const { persons, me } = client.view.state;
  const fits = typed ? persons.filter((one) => one.id !== me && one.name.toLowerCase().startsWith(typed[1].toLowerCase()) && one.name.length > typed[1].length).slice(0, 6) : [];
  menu.hidden = !fits.length;
  if (!fits.length) return;
  const pick = (name) => {
    const range = document.createRange();
    range.setStart(selection.anchorNode, selection.anchorOffset - typed[0].length);
    range.setEnd(selection.anchorNode, selection.anchorOffset);
    selection.removeAllRanges();
    selection.addRange(range);
    document.execCommand("insertText", false, `@${name} `);
    menu.hidden = true;
    editor.focus();
  };
  menu.replaceChildren(...fits.map((one, index) => el("li", { class: index ? "" : "on", onmousedown: (event) => { event.preventDefault(); pick(one.name); } }, faceOf(one.id), one.name)));
  menu.pick = () => pick(fits[0].name);
  const box = selection.getRangeAt(0).getBoundingClientRect();
  menu.style.left = `${Math.min(box.left, innerWidth - 230)}px`;
  menu.style.top = `${Math.max(8, box.top - menu.offsetHeight - 6)}px`;
}

const composer = (client) => (form, thread) => {
  const editor = el("div", { class: "editor", "data-test": thread ? "thread-composer" : "composer", contenteditable: "true", role: "textbox", "aria-multiline": "true", "aria-label": thread ? "Reply" : "New message" });
  const notice = el("div", { class: "notice", hidden: true }, el("span", {}, "Editing your message"), el("button", { type: "button", "data-test": thread ? "thread-cancel-edit" : "cancel-edit", onclick: stopEditing }, "Cancel"));
  const files = tray(form, $(thread ? "thread" : "room"), thread, () => {});
  const written = () => {
    if (!editor.textContent.trim() && !editor.querySelector("img")) return "";
    return editor.innerHTML.replace(/<div><br><\/div>/g, "<br>").replace(/^(<br>)+|(<br>)+$/g, "");
  };
  const command = (name, make) => () => {
    editor.focus();
    if (make) document.execCommand("insertHTML", false, make(getSelection().toString()));
    else document.execCommand(...(name === "quote" ? ["formatBlock", false, "blockquote"] : [name]));
  };
  const escaped = (text) => el("i", {}, text).innerHTML;
  const mark = (label, title, act) => tool(label, title, act, { onmousedown: (event) => event.preventDefault() });
  const insert = (text) => { editor.focus(); document.execCommand("insertText", false, text); };
  editor.addEventListener("input", () => suggest(editor));
  editor.addEventListener("blur", () => { $("names").hidden = true; });
  editor.addEventListener("paste", (event) => {
    event.preventDefault();
    document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
  });
  editor.addEventListener("keydown", (event) => {
    const menu = $("names");
    if (!menu.hidden && (event.key === "Enter" || event.key === "Tab")) { event.preventDefault(); menu.pick(); }
    else if (event.key === "Escape") { menu.hidden = true; stopEditing(); }
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = written();
    const sending = files.files();
    if (!text && !sending.length) return;
    const edit = editing && editing.editor === editor ? editing : null;
    editor.innerHTML = "";
    if (edit) stopEditing();
    const done = edit ? (await client.act(on(edit, "edit", { html: text }))).ok : await client.send({ text, thread, files: sending });
    if (!done) editor.innerHTML = text;
    else if (!edit) files.clear();
  });
  form.append(notice, editor, el("div", { class: "bar" }, mark(el("b", {}, "B"), "Bold", command("bold")), mark(el("i", {}, "I"), "Italic", command("italic")), mark(el("s", {}, "S"), "Strikethrough", command("strikeThrough")),
    mark("</>", "Code", command("", (text) => `<code>${escaped(text || "code")}</code>&nbsp;`)), mark("❝", "Quote", command("quote")), mark("•", "List", command("insertUnorderedList")), el("span", { class: "split" }),
    tool(icon("clip"), "Attach a file", () => files.choose(), { "data-test": thread ? "thread-attach" : "attach" }),
    mark(icon("smile"), "Emoji", (event) => { event.stopPropagation(); palette(event.currentTarget, pairs(EMOJI), (_, shown) => insert(shown)); }), mark(icon("at"), "Mention somebody", () => { insert("@"); suggest(editor); }),
    el("span", { class: "fill" }), el("button", { type: "submit", class: "send", "data-test": thread ? "thread-send" : "send" }, thread ? "Reply" : "Send")));
  return {
    focus: () => editor.focus({ preventScroll: true }),
    prompt: (text) => { editor.dataset.empty = text; },
    clear: () => { editor.innerHTML = ""; files.clear(); },
  };
};

const doing = (name, body) => [`/_sim/${name}`, body];
const on = (message, name, more) => doing(name, { as: client.view.me, conversation: client.view.room, message: message.id, ...more });
const client = Chat.start({
  asked: ["as", "conversation"], read, list, face, composer, startEdit, left: stopEditing, apart: true, replySign: "talk",
  quick: pairs(QUICK), reactions: () => pairs(EMOJI),
  tools: (message, button, { act }) => (message.restorable ? [button("Undo delete", "Undo delete", "restore", () => act(on(message, "restore")))] : []),
  post: ({ room, root, text }, { me }) => doing("post", { as: me, conversation: room, root: root || undefined, html: text }),
  upload: ({ room, root, text }, { me }) => `/_sim/upload?${new URLSearchParams({ as: me, conversation: room, html: text, root: root || "" })}`,
  edit: (message, html) => on(message, "edit", { html }),
  remove: (message) => on(message, "delete"),
  react: (message, kind, add) => on(message, "react", { kind, add }),
  heard: (change, { me }) => (change.type === "created" && change.message && (change.message.author || {}).id !== me ? change.conversation : ""),
});
