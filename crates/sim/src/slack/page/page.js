"use strict";
// Slack's messages, people and channels, for the client that all pages share.

const { $, el, icon, get } = Chat;
const QUICK = ["+1", "tada", "eyes"];
const SYSTEM = /^(channel|group)_|^pinned_item$/;

const initials = (name) => {
  const colours = ["#4f6bed", "#c2513b", "#2f8f6b", "#8a55c7", "#b3791b", "#2b7fa6", "#b2457c", "#5a7d2a"];
  const sum = [...name].reduce((total, letter) => total + letter.codePointAt(0), 0);
  const text = name.replace(/[^\p{L}\p{N} ]/gu, " ").trim().split(/\s+/).slice(0, 2).map((word) => [...word][0] || "").join("").toUpperCase();
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><rect width="96" height="96" fill="${colours[sum % colours.length]}"/><text x="48" y="61" text-anchor="middle" font-family="system-ui,sans-serif" font-size="38" font-weight="600" fill="#fff">${text.replace(/[<&>]/g, "")}</text></svg>`;
  return "data:image/svg+xml," + encodeURIComponent(svg);
};
const face = (message) => {
  const icons = message.icons || {};
  if (icons.emoji) return el("span", { class: "avatar sign" }, Rich.emoji(icons.emoji.replace(/^:|:$/g, "")));
  const fallback = initials(message.author.name);
  const source = icons.image_72 || icons.image_48 || (message.user && message.user !== "USLACKBOT" ? `/avatars/${message.user}.svg` : fallback);
  const picture = el("img", { class: "avatar", src: source, alt: "", referrerpolicy: "no-referrer" });
  picture.addEventListener("error", () => { picture.src = fallback; }, { once: true });
  return picture;
};
const faceOf = (id) => el("img", { src: `/avatars/${id}.svg`, alt: "" });

/** All emoji, each once. */
const emoji = ({ state }) => {
  const seen = new Set();
  return Object.entries(state.emoji).filter(([, shown]) => !seen.has(shown) && seen.add(shown));
};

async function read(me) {
  const state = await get(`/_sim/slack/state?user=${encodeURIComponent(me)}`);
  const channels = Object.fromEntries(state.channels.map((one) => [one.id, one.name]));
  Rich.use({ names: state.names, channels, groups: state.groups, emoji: state.emoji, me: state.me });
  const rooms = state.channels.map((one) => {
    const direct = one.kind === "im" || one.kind === "mpim";
    const app = one.kind === "im" && (state.names[one.other] || {}).bot;
    const sign = () => (direct && one.other ? faceOf(one.other) : el("span", { class: "sign" }, one.kind === "group" ? icon("lock") : direct ? icon("group") : "#"));
    return { id: one.id, name: one.name, title: direct ? one.name : `# ${one.name}`, kind: app ? "app" : direct ? "direct" : "channel", other: one.other, people: direct ? 0 : one.members, archived: one.archived, sign,
      note: [one.shared ? "Shared with another organisation" : "", one.topic].filter(Boolean).join(" · "), prompt: direct ? `Message ${one.name}` : `Message #${one.name}`, closed: one.archived ? "This channel is archived" : "" };
  });
  const of = (kind) => rooms.filter((one) => one.kind === kind && (!one.archived || one.id === client.view.room));
  const met = new Set(rooms.map((one) => one.other));
  const strangers = (bot) => Object.entries(state.names).filter(([id, one]) => id !== state.me && !met.has(id) && !!one.bot === bot)
    .map(([id, one]) => ({ id, name: one.name, sign: () => faceOf(id), start: doing({ action: "direct", members: [state.me, id] }) }));
  return { me: state.me, org: state.workspace, people: state.people.map((one) => ({ id: one.id, name: one.real_name })), rooms, names: state.names, emoji: state.emoji, workspace: state.workspace, print: state.names,
    myFace: () => faceOf(state.me), lists: [{ title: "Channels", rows: of("channel") }, { title: "Apps", rows: [...of("app"), ...strangers(true)] }, { title: "Direct messages", rows: [...of("direct"), ...strangers(false)] }] };
}

const authorOf = (message) => message.username || (message.user ? Rich.nameOf(message.user) : (message.bot_profile || {}).name || "Integration");

async function list(view) {
  const { messages } = await get(`/_sim/slack/messages?channel=${encodeURIComponent(view.room)}`);
  return messages.map((one) => {
    const person = view.state.names[one.user];
    const name = authorOf(one);
    const away = person && person.team && person.team !== view.state.workspace;
    const system = SYSTEM.test(one.subtype || "");
    const own = one.user === view.me && !one.bot_id && !system;
    const gone = one.subtype === "tombstone";
    return {
      id: one.ts, at: parseFloat(one.ts) * 1000, root: one.thread_ts && one.thread_ts !== one.ts ? one.thread_ts : null, also: one.subtype === "thread_broadcast", print: one,
      user: one.user, icons: one.icons, author: { id: own ? one.user : `${one.user} ${name} ${(one.icons || {}).image_72}`, name }, tags: [one.bot_id ? ["App"] : null, away ? [person.team, "out"] : null].filter(Boolean),
      system, gone, style: one.subtype === "me_message" ? "aside" : "", note: one.subtype === "thread_broadcast" ? "replied to a thread" : "", edited: !!one.edited, mine: own, editable: own,
      content: () => Rich.content(one), typed: () => Rich.typed(one.text || ""),
      more: () => (one.attachments || []).map((part) => el("div", { class: "unfurl" }, part.title ? el("b", {}, part.title) : null, ...(part.text ? Rich.mrkdwn(part.text) : [part.fallback || ""]))),
      files: (one.files || []).map((file) => ({ name: file.title || file.name, type: file.mimetype, size: file.size, url: `/_sim/slack/file/${file.id}`, gone: file.mode === "tombstone" })),
      reactions: (one.reactions || []).map((found) => ({ name: found.name, shown: Rich.emoji(found.name), people: found.users.map(Rich.nameOf), mine: found.users.includes(view.me) })),
    };
  });
}

const doing = (body) => ["/_sim/slack/act", body];
const on = (message, more) => doing({ user: client.view.me, channel: client.view.room, ts: message.id, ...more });
const client = Chat.start({
  asked: ["user", "channel"], read, list, face, also: true, marksAbove: true, attach: "plus", replySign: "talk",
  words: (code) => ({
    cant_update_message: "You can only edit your own messages.", cant_delete_message: "You can only delete your own messages.",
    is_archived: "This channel is archived.", not_in_channel: "You are not in this channel.", no_text: "Write something first.",
  })[code] || `That did not work (${code}).`,
  quick: QUICK.map((name) => [name, { "+1": "👍", tada: "🎉", eyes: "👀" }[name]]), reactions: emoji, emoji,
  marks: [[el("b", {}, "B"), "Bold", "*"], [el("i", {}, "I"), "Italic", "_"], [el("s", {}, "S"), "Strikethrough", "~"], ["</>", "Code", "`"], ["{ }", "Code block", "```\n", "\n```"], ["❝", "Quote", "> "], ["•", "List", "- "], ["1.", "Numbered list", "1. "]],
  keys: { b: "*", i: "_" },
  names: (sign, { state }) => (sign === "#" ? state.rooms.filter((one) => one.kind === "channel").map((one) => ({ name: one.name }))
    : [...Object.entries(state.names).map(([id, one]) => ({ name: one.name, sign: () => faceOf(id) })), { name: "here" }, { name: "channel" }]),
  post: ({ room, root, text, also }, { me }) => doing({ action: "post", user: me, channel: room, text, thread_ts: root, broadcast: also }),
  upload: ({ room, root, text }, { me }) => `/_sim/slack/upload?${new URLSearchParams({ user: me, channel: room, text, thread_ts: root || "" })}`,
  edit: (message, text) => on(message, { action: "edit", text }),
  remove: (message) => on(message, { action: "delete" }),
  react: (message, name, add) => on(message, { action: add ? "react" : "unreact", name }),
  heard: (change) => change.channel,
});
