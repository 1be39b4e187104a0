"use strict";
// Draws message content: rich_text and other blocks, and mrkdwn where there are no blocks. Only text nodes: nothing
// of a message becomes markup.

const Rich = (() => {
  let book = { names: {}, channels: {}, groups: {}, emoji: {}, me: "" };

  const { el, safe, link: linkTo } = Chat;
  const unescape = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
  const nameOf = (id) => (book.names[id] ? book.names[id].name : id === "USLACKBOT" ? "Slackbot" : id);

  const tones = { 2: "\u{1f3fb}", 3: "\u{1f3fc}", 4: "\u{1f3fd}", 5: "\u{1f3fe}", 6: "\u{1f3ff}" };
  const emoji = (name) => {
    const [base, tone] = name.split("::skin-tone-");
    const character = book.emoji[base];
    return character ? (tone ? character.replace(/\ufe0f/g, "") + (tones[tone] || "") : character) : `:${name}:`;
  };

  const styled = (node, style) => {
    if (!style) return node;
    for (const [key, tag] of [["code", "code"], ["strike", "s"], ["italic", "em"], ["bold", "strong"], ["underline", "u"]]) {
      if (style[key]) node = el(tag, {}, node);
    }
    return node;
  };

  const link = (url, text) => linkTo(url, text || url);

  const mention = (label, loud) => el("span", { class: loud ? "mention loud" : "mention" }, label);

  const inline = (item) => {
    switch (item.type) {
      case "text": return styled(document.createTextNode(item.text), item.style);
      case "link": return styled(link(item.url, item.text), item.style);
      case "user": {
        const node = mention("@" + nameOf(item.user_id));
        if (item.user_id === book.me) node.classList.add("self");
        return styled(node, item.style);
      }
      case "usergroup": return mention("@" + (book.groups[item.usergroup_id] || item.usergroup_id), true);
      case "channel": return mention("#" + (book.channels[item.channel_id] || "channel"));
      case "broadcast": return mention("@" + item.range, true);
      case "emoji": return document.createTextNode(emoji(item.name + (item.skin_tone ? `::skin-tone-${item.skin_tone}` : "")));
      case "date": return document.createTextNode(item.fallback || new Date(item.timestamp * 1000).toLocaleString());
      case "color": return document.createTextNode(item.value);
      default: return document.createTextNode(item.text || item.fallback || "");
    }
  };

  const rich = (elements) => {
    const out = [];
    let stack = [];
    for (const part of elements || []) {
      if (part.type === "rich_text_list") {
        const list = el(part.style === "ordered" ? "ol" : "ul", part.offset ? { start: part.offset + 1 } : {});
        for (const item of part.elements) list.append(el("li", {}, ...(item.elements || []).map(inline)));
        const indent = part.indent || 0;
        stack = stack.filter((open) => open.indent < indent);
        const parent = stack[stack.length - 1];
        if (parent && parent.list.lastChild) parent.list.lastChild.append(list);
        else out.push(list);
        stack.push({ indent, list });
        continue;
      }
      stack = [];
      const children = (part.elements || []).map(inline);
      if (part.type === "rich_text_quote") out.push(el("blockquote", {}, ...children));
      else if (part.type === "rich_text_preformatted") out.push(el("pre", {}, ...children));
      else out.push(el("div", {}, ...children));
    }
    return out;
  };

  const entity = (inner) => {
    const [target, label] = inner.includes("|") ? [inner.slice(0, inner.indexOf("|")), inner.slice(inner.indexOf("|") + 1)] : [inner, null];
    if (target[0] === "@") return inline({ type: "user", user_id: target.slice(1) });
    if (target[0] === "#") return mention("#" + (label || book.channels[target.slice(1)] || "channel"));
    if (target[0] === "!") {
      const command = target.slice(1);
      if (command.startsWith("subteam^")) return inline({ type: "usergroup", usergroup_id: command.slice(8) });
      if (["here", "channel", "everyone"].includes(command)) return mention("@" + command, true);
      return document.createTextNode(unescape(label || `<${command}>`));
    }
    return link(unescape(target), label ? unescape(label) : undefined);
  };

  const mrkdwn = (text, style = {}) => {
    const out = [];
    const pattern = /<([^>]+)>|```([\s\S]+?)```|`([^`\n]+)`|(^|[\s(.,;:!?"'\u2014-])([*_~])(?=\S)([^\n]*?\S)\5(?=$|[\s).,;:!?"'\u2014-])|:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):/im;
    let rest = text;
    while (rest) {
      const hit = pattern.exec(rest);
      if (!hit) break;
      const before = rest.slice(0, hit.index) + (hit[4] || "");
      if (before) out.push(styled(document.createTextNode(unescape(before)), style));
      if (hit[1] !== undefined) out.push(entity(hit[1]));
      else if (hit[2] !== undefined) out.push(el("pre", {}, unescape(hit[2].replace(/^\n/, ""))));
      else if (hit[3] !== undefined) out.push(el("code", {}, unescape(hit[3])));
      else if (hit[5]) out.push(...mrkdwn(hit[6], { ...style, [{ "*": "bold", _: "italic", "~": "strike" }[hit[5]]]: true }));
      else out.push(document.createTextNode(emoji(hit[7])));
      rest = rest.slice(hit.index + hit[0].length);
    }
    if (rest) out.push(styled(document.createTextNode(unescape(rest)), style));
    return out;
  };

  const textOf = (object) => (!object ? [] : object.type === "plain_text" ? [document.createTextNode(object.text)] : mrkdwn(object.text || ""));

  const block = (one) => {
    switch (one.type) {
      case "rich_text": return rich(one.elements);
      case "section": return [el("div", {}, ...textOf(one.text), ...(one.fields || []).map((field) => el("div", {}, ...textOf(field))))];
      case "header": return [el("h3", {}, ...textOf(one.text))];
      case "divider": return [el("hr")];
      case "context": return [el("div", { class: "context" }, ...(one.elements || []).flatMap((part) => (part.type === "image" ? [] : [...textOf(part), " "])))];
      case "image": return [safe(one.image_url) ? el("img", { class: "block", src: one.image_url, alt: one.alt_text || "" }) : one.alt_text || ""];
      case "markdown": return [el("div", {}, one.text || "")];
      default: return [el("div", { class: "context" }, `[${one.type}]`)];
    }
  };

  const content = (message) => {
    if (message.blocks && message.blocks.length) return message.blocks.flatMap(block);
    return mrkdwn(message.text || "");
  };

  // Stored mrkdwn as a person would type it, for editing.
  const typed = (text) =>
    unescape(
      text.replace(/<([^>]+)>/g, (_, inner) => {
        const [target, label] = inner.split("|");
        if (target[0] === "@") return "@" + nameOf(target.slice(1));
        if (target[0] === "#") return "#" + (label || book.channels[target.slice(1)] || "");
        if (target.startsWith("!subteam^")) return "@" + (book.groups[target.slice(9)] || "");
        if (target[0] === "!") return "@" + target.slice(1);
        return target;
      }),
    );

  return { content, mrkdwn, typed, emoji, nameOf, use: (next) => { book = next; } };
})();
