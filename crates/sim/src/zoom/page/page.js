"use strict";
// Zoom's messages, people and channels, for the client that all pages share.

const { $, el, icon, get } = Chat;
const QUICK = ["👍", "❤️", "😂", "🎉"];
const EMOJI = ["👍", "👎", "❤️", "😂", "😮", "😢", "🎉", "🙏", "👏", "🔥", "👀", "✅", "🚀", "💯", "🤔", "😄", "😍", "😎", "🙌", "💪", "👋", "☕", "🌟", "🐛", "📌", "⏰", "❓", "❗", "➕", "🎈", "🍀", "🌈"];

const faceOf = (id) => el("img", { src: `/avatars/${encodeURIComponent(id)}.svg`, alt: "" });
const face = (message) => (message.author.bot ? el("span", { class: "avatar sign" }, icon("box")) : el("img", { class: "avatar", src: `/avatars/${encodeURIComponent(message.author.id)}.svg`, alt: "" }));
const pairs = (names) => names.map((one) => [one, /^\w{2,}$/.test(one) ? `:${one}:` : one]);

async function read(me) {
  const state = await get(`/_sim/zoom/state?user=${encodeURIComponent(me)}`);
  Draw.use({ me: state.me });
  const rooms = state.rooms.map((one) => ({ ...one, kind: one.kind === "bot" ? "app" : one.kind, people: one.kind === "channel" ? one.members : 0, closed: one.archived ? "This channel is archived" : "",
    sign: () => (one.kind === "direct" ? faceOf(one.other) : el("span", { class: "sign" }, icon(one.kind === "bot" ? "box" : one.foreign ? "globe" : one.private ? "lock" : "hash"))),
    note: [one.foreign ? "External people are in this channel" : "", one.archived ? "Archived" : "", one.private ? "Private" : ""].filter(Boolean).join(" · ") }));
  const of = (kind) => rooms.filter((one) => one.kind === kind && (!one.archived || one.id === client.view.room));
  const met = new Set(rooms.map((one) => one.other));
  const known = new Set(of("app").map((one) => one.name));
  const strangers = state.people.filter((one) => one.id !== state.me && !met.has(one.id) && !one.foreign)
    .map((one) => ({ id: one.id, name: one.name, sign: () => faceOf(one.id), start: doing({ action: "direct", user: state.me, other: one.id }) }));
  const bots = state.bots.filter((one) => !known.has(one.name))
    .map((one) => ({ id: one.id, name: one.name, sign: () => el("span", { class: "sign" }, icon("box")), start: doing({ action: "bot", user: state.me, app: one.id }) }));
  return { me: state.me, org: state.company, people: state.people.map((one) => ({ id: one.id, name: one.foreign ? `${one.name} (${one.company})` : one.name })), rooms, persons: state.people, bots: state.bots, emoji: state.emoji || [],
    print: state.company, myFace: () => faceOf(state.me), lists: [{ title: "Channels", rows: of("channel") }, { title: "Chats", rows: [...of("direct"), ...strangers] }, { title: "Apps", rows: [...of("app"), ...bots] }] };
}

async function list(view) {
  const { messages, utf16 } = await get(`/_sim/zoom/messages?room=${encodeURIComponent(view.room)}&user=${encodeURIComponent(view.me)}`);
  Draw.use({ utf16 });
  const nameOf = (id) => (view.state.persons.find((one) => one.id === id) || { name: "Somebody" }).name;
  return messages.map((one) => {
    const author = one.author || { id: "", name: "" };
    const away = author.company && author.company !== view.state.org;
    return {
      id: one.id, at: one.timestamp, root: one.root, author, edited: one.edited, mine: author.id === view.me, editable: author.id === view.me && !author.bot,
      // Addresses for downloads are new each time.
      print: { ...one, files: (one.files || []).map((file) => file.file_id), download_url: "" },
      tags: [author.id === view.me ? ["You", "you"] : null, author.bot ? ["App"] : null, away ? [`External · ${author.company}`, "out"] : null].filter(Boolean),
      content: () => Draw.content(one), typed: () => Draw.typed(one),
      files: (one.files || []).map((file) => ({ name: file.file_name, size: file.file_size, url: `/_sim/zoom/file/${encodeURIComponent(file.file_id)}` })),
      reactions: (one.emoji || []).map((found) => ({ name: found.emoji, shown: pairs([found.emoji])[0][1], people: found.users.map(nameOf), mine: found.users.includes(view.me) })),
    };
  });
}

const doing = (body) => ["/_sim/zoom/act", body];
const on = (message, more) => doing({ user: client.view.me, room: client.view.room, id: message.id, ...more });
const client = Chat.start({
  asked: ["user", "channel"], read, list, face, most: 1024,
  quick: pairs(QUICK), reactions: ({ state }) => pairs([...EMOJI, ...state.emoji]), emoji: () => pairs(EMOJI),
  marks: [[el("b", {}, "B"), "Bold", "**"], [el("i", {}, "I"), "Italic", "_"], [el("s", {}, "S"), "Strikethrough", "~~"], [el("u", {}, "U"), "Underline", "__"], ["❝", "Quote", "> "], ["•", "List", "* "]],
  keys: { b: "**", i: "_", u: "__" },
  names: (sign, { state, me }) => (sign === "#" ? [] : [...state.persons.filter((one) => one.id !== me).map((one) => ({ name: one.name, sign: () => faceOf(one.id) })), { name: "all" }, ...state.bots.map((one) => ({ name: one.name }))]),
  post: ({ room, root, text }, { me }) => doing({ action: "post", user: me, room, text, root }),
  upload: ({ room, root, text }, { me }) => `/_sim/zoom/upload?${new URLSearchParams({ user: me, room, text, root: root || "" })}`,
  edit: (message, text) => on(message, { action: "edit", text }),
  remove: (message) => on(message, { action: "delete" }),
  react: (message, emoji, add) => on(message, { action: add ? "react" : "unreact", emoji }),
  heard: (change) => change.room,
});
