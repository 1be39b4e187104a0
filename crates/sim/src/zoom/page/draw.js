"use strict";
// Draws message content: texts with ranges and mentions, and the blocks of bots. Only text nodes: nothing of a
// message becomes markup.

const Draw = (() => {
  let book = { names: {}, me: "", utf16: true };

  const { el, link, linked: plain } = Chat;

  const units = (text) => (book.utf16 ? text.split("") : [...text]);
  const BLOCKS = { Quote: "quote", BulletedList: "bullet", NumberedList: "number", LeftIndent: "indent", Paragraph: "heading" };

  const dress = (nodes, range) => {
    switch (range.kind) {
      case "Bold": return [el("strong", {}, ...nodes)];
      case "Italic": return [el("em", {}, ...nodes)];
      case "Strikethrough": return [el("s", {}, ...nodes)];
      case "Underline": return [el("u", {}, ...nodes)];
      case "AddLink": return [link(range.attr, ...nodes)];
      case "FontSize": return [el("span", { class: `size-${range.attr}` }, ...nodes)];
      case "FontColor": { const node = el("span", {}, ...nodes); node.style.color = `#${range.attr}`; return [node]; }
      case "BackgroundColor": { const node = el("span", { class: "marked" }, ...nodes); node.style.background = `#${range.attr}`; return [node]; }
      default: return nodes;
    }
  };

  /** The inline part of [start, end): cut at every border, dressed in everything that covers it. */
  const inline = (all, start, end, ranges, mentions) => {
    const styles = ranges.filter((one) => !BLOCKS[one.kind]);
    const cuts = new Set([start, end]);
    for (const one of [...styles, ...mentions]) for (const at of [one.start, one.end]) if (at > start && at < end) cuts.add(at);
    const borders = [...cuts].sort((a, b) => a - b);
    const nodes = [];
    for (let index = 0; index + 1 < borders.length; index++) {
      const [from, to] = [borders[index], borders[index + 1]];
      const text = all.slice(from, to).join("");
      const mention = mentions.find((one) => one.start <= from && to <= one.end);
      const covering = styles.filter((one) => one.start <= from && to <= one.end);
      let content = mention
        ? [el("span", { class: mention.user === book.me || !mention.user ? "mention self" : "mention" }, text)]
        : covering.some((one) => one.kind === "AddLink") ? [document.createTextNode(text)] : plain(text);
      for (const one of covering) content = dress(content, one);
      nodes.push(...content);
    }
    return nodes;
  };

  /** A text with formats and mentions, line by line. */
  const text = (message) => {
    const all = units(message.message || "");
    const ranges = message.ranges || [], mentions = message.mentions || [];
    const lines = [];
    let start = 0;
    for (let at = 0; at <= all.length; at++) if (at === all.length || all[at] === "\n") { lines.push([start, at]); start = at + 1; }
    const nodes = [];
    let list = null;
    for (const [from, to] of lines) {
      const block = ranges.find((one) => BLOCKS[one.kind] && one.start <= from && from < Math.max(one.end, from + (one.end > from ? 1 : 0)) && to > from);
      const kind = block ? BLOCKS[block.kind] : "";
      const content = inline(all, from, to, ranges, mentions);
      if (kind === "bullet" || kind === "number") {
        const tag = kind === "bullet" ? "UL" : "OL";
        if (!list || list.tagName !== tag) { list = el(tag.toLowerCase()); nodes.push(list); }
        list.append(el("li", {}, ...content));
        continue;
      }
      list = null;
      if (kind === "quote") {
        const last = nodes[nodes.length - 1];
        if (last && last.tagName === "BLOCKQUOTE") last.append(el("div", {}, ...content));
        else nodes.push(el("blockquote", {}, el("div", {}, ...content)));
      } else if (kind === "heading") nodes.push(el("h3", { class: block.attr }, ...content));
      else if (kind === "indent") { const node = el("div", {}, ...content); node.style.paddingLeft = `${Math.min(parseInt(block.attr, 10) || 0, 120)}px`; nodes.push(node); }
      else nodes.push(el("div", { class: content.length ? null : "gap" }, ...content));
    }
    return nodes;
  };

  /** Chatbot markup: *bold* _italic_ ~gone~ __underline__ `mono` <address|text>. */
  const markup = (source) => {
    const nodes = [];
    const rule = /<(https?:[^|>]+)\|([^>]+)>|`([^`\n]+)`|\*\*?([^*\n]+)\*\*?|__([^_\n]+)__|_([^_\n]+)_|~([^~\n]+)~/g;
    let at = 0;
    for (const hit of source.matchAll(rule)) {
      if (hit.index > at) nodes.push(...plain(source.slice(at, hit.index)));
      if (hit[1]) nodes.push(link(hit[1], hit[2]));
      else if (hit[3]) nodes.push(el("code", {}, hit[3]));
      else if (hit[4]) nodes.push(el("strong", {}, ...markup(hit[4])));
      else if (hit[5]) nodes.push(el("u", {}, ...markup(hit[5])));
      else if (hit[6]) nodes.push(el("em", {}, ...markup(hit[6])));
      else if (hit[7]) nodes.push(el("s", {}, ...markup(hit[7])));
      at = hit.index + hit[0].length;
    }
    if (at < source.length) nodes.push(...plain(source.slice(at)));
    return nodes;
  };

  const block = (one, marked) => {
    const words = (source) => (marked ? markup(source || "") : plain(source || ""));
    switch (one.type) {
      case "message": return el("div", {}, ...(one.link ? [link(one.link, one.text)] : words(one.text)));
      case "fields": return el("dl", {}, ...(one.items || []).map((item) => el("div", {}, el("dt", {}, item.key || ""), el("dd", {}, ...words(item.value)))));
      case "actions": return el("div", { class: "buttons" }, ...(one.items || []).map((item) => el("button", { type: "button", disabled: true }, item.text || "")));
      case "section": {
        const node = el("div", { class: "card" }, ...(one.sections || []).map((inner) => block(inner, marked)), one.footer ? el("small", {}, one.footer) : null);
        if (/^#[0-9a-f]{6}$/i.test(one.sidebar_color || "")) node.style.borderColor = one.sidebar_color;
        return node;
      }
      case "attachments": return el("div", {}, link(one.resource_url, ((one.information || {}).title || {}).text || one.resource_url || "attachment"));
      case "divider": return el("hr");
      default: return el("div", {}, one.text || "");
    }
  };

  const bot = (message, marked) => {
    const content = message.bot_message || {};
    const head = content.head || {};
    return [
      head.text ? el("div", { class: "bot-head" }, el("strong", {}, ...(marked ? markup(head.text) : [head.text])), (head.sub_head || {}).text ? el("small", {}, head.sub_head.text) : null) : null,
      ...(content.body || []).map((one) => block(one, marked)),
    ].filter(Boolean);
  };

  /** What one would have typed. */
  const typed = (message) => {
    const all = units(message.message || "");
    const before = new Map(), after = new Map();
    const put = (map, at, sign, front) => map.set(at, front ? sign + (map.get(at) || "") : (map.get(at) || "") + sign);
    const SIGNS = { Bold: "**", Italic: "_", Strikethrough: "~~", Underline: "__" };
    for (const one of message.ranges || []) {
      if (SIGNS[one.kind]) { put(before, one.start, SIGNS[one.kind]); put(after, one.end, SIGNS[one.kind], true); }
      if (one.kind === "AddLink") { put(before, one.start, "["); put(after, one.end, `](${one.attr})`, true); }
    }
    const LINES = { Quote: "> ", BulletedList: "* ", NumberedList: "1. " };
    let text = "";
    for (let at = 0; at <= all.length; at++) {
      text += after.get(at) || "";
      if (at === 0 || all[at - 1] === "\n") {
        const line = (message.ranges || []).find((one) => LINES[one.kind] && one.start <= at && at < one.end);
        if (line) text += LINES[line.kind];
      }
      text += before.get(at) || "";
      if (at < all.length) text += all[at];
    }
    return text;
  };

  const content = (message) => (message.author && message.author.bot ? bot(message, message.author.markdown) : text(message));
  return { content, typed, use: (next) => { book = { ...book, ...next }; } };
})();
