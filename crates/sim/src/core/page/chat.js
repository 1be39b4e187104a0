"use strict";
// The chat client that the pages of all platforms share: lists, messages, threads, files, reactions, writing, and what
// changes meanwhile. A platform's page.js says what its messages are, its stylesheet how they look.

const Chat = (() => {
  const $ = (id) => document.getElementById(id);

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
    at: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM16 8v5.500a2.500 2.500 0 0 0 5 0V12a9 9 0 1 0-4 7.500",
    bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
    box: "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8",
    clip: "M20 11l-8.500 8.500a5 5 0 0 1-7-7L13 4a3.500 3.500 0 0 1 5 5l-8.500 8.500a2 2 0 0 1-3-3L14 7",
    close: "M6 6l12 12M18 6L6 18",
    down: "M12 4v11M7 10.500l5 5 5-5M5 20h14",
    globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
    group: "M4 7h16M4 12h16M4 17h10",
    hash: "M9 4L7 20M17 4l-2 16M4.500 9h16M3.500 15h16",
    lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z",
    pen: "M4 20l1-5L16 4l4 4L9 19z",
    people: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7M2.500 20c0-4 3-6 6.500-6s6.500 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14.500c2.200.8 3.500 2.700 3.500 5.500",
    plus: "M12 5v14M5 12h14",
    reply: "M10 6L4 12l6 6M4 12h10a6 6 0 0 1 6 6v1",
    send: "M4 12L20 4l-5 16-3.500-6.500z",
    smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8.500 14.500c1.800 2.300 5.200 2.300 7 0M9 9.500v.5M15 9.500v.5",
    talk: "M4 5h16v11h-9l-5 4v-4H4z",
    undo: "M9 6L4 11l5 5M4 11h9c4.500 0 7 2.500 7 8",
  };
  const icon = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [key, value] of [["viewBox", "0 0 24 24"], ["class", "drawing"], ["aria-hidden", "true"]]) svg.setAttribute(key, value);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", DRAWINGS[name]);
    svg.append(path);
    return svg;
  };

  let toastTimer;
  const toast = (text) => {
    $("toast").textContent = text;
    $("toast").hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { $("toast").hidden = true; }, 3400);
  };

  const get = async (path) => {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };

  const safe = (url) => /^(https?:|mailto:|tel:)/i.test(url || "");
  const link = (url, ...content) => (safe(url) ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...content) : el("span", {}, ...content));
  /** Bare addresses in a text become links. */
  const linked = (text) => {
    const parts = [];
    let at = 0;
    for (const hit of text.matchAll(/https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g)) {
      if (hit.index > at) parts.push(document.createTextNode(text.slice(at, hit.index)));
      parts.push(link(hit[0], hit[0]));
      at = hit.index + hit[0].length;
    }
    if (at < text.length) parts.push(document.createTextNode(text.slice(at)));
    return parts;
  };

  const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const dayOf = (at) => {
    const date = new Date(at), yesterday = new Date(Date.now() - 864e5);
    if (date.toDateString() === new Date().toDateString()) return "Today";
    if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
    return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
  };
  const sized = (bytes) => (bytes >= 1048576 ? `${(bytes / 1048576).toFixed(1)} MB` : bytes >= 1024 ? `${Math.round(bytes / 1024)} KB` : `${bytes} B`);
  const ending = (name) => (/\.([\p{L}\p{N}]{1,8})$/u.exec(name) || [])[1] || "";
  const isPicture = (file) => (file.type ? /^image\/(png|jpe?g|gif|webp|svg\+xml|bmp)/.test(file.type) : /^(png|jpe?g|gif|webp|bmp)$/i.test(ending(file.name)));

  /** Pictures inline, other files as a card; either can be opened and saved. */
  const drawFile = (file) => {
    if (file.gone) return el("div", { class: "note" }, "This file was deleted.");
    const save = (label) => el("a", { class: "save", href: file.url, download: file.name, title: `Download ${file.name}`, "aria-label": `Download ${file.name}`, "data-test": "download" }, label);
    const size = file.size === undefined || file.size === null ? null : sized(file.size);
    const common = { "data-test": "file", "data-name": file.name, "data-size": file.size };
    if (isPicture(file)) {
      return el("figure", { class: "picture", ...common }, el("a", { href: file.url, target: "_blank" }, el("img", { src: file.url, alt: file.name })),
        el("figcaption", {}, el("span", {}, file.name), size ? el("small", {}, size) : null, save(icon("down"))));
    }
    return el("div", { class: "file", ...common }, el("span", { class: "kind" }, (ending(file.name) || "file").slice(0, 4).toUpperCase()),
      el("span", { class: "about" }, el("a", { href: file.url, target: "_blank" }, file.name), size ? el("small", {}, size) : null), save(icon("down")));
  };

  // Something that floats over the page, next to what opened it; one at a time.
  let floating = null;
  const sink = () => { if (floating) { floating.remove(); floating = null; } };
  const float = (box, anchor) => {
    sink();
    floating = box;
    document.body.append(box);
    const by = anchor.getBoundingClientRect();
    const above = by.top - box.offsetHeight - 6;
    box.style.left = `${Math.max(8, Math.min(by.right - box.offsetWidth, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${above >= 8 ? above : Math.max(8, Math.min(by.bottom + 6, innerHeight - box.offsetHeight - 8))}px`;
  };
  document.addEventListener("click", (event) => { if (floating && !floating.contains(event.target)) sink(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") sink(); });
  addEventListener("resize", sink);

  /** A choice of emoji: pairs of name and what is shown of it. */
  const palette = (anchor, entries, onpick) => {
    const pick = (name, shown) => { sink(); onpick(name, shown); };
    float(el("div", { class: "palette", role: "listbox", "data-test": "palette" }, ...entries.map(([name, shown]) => el("button",
      { type: "button", title: name, "data-name": name, class: shown.length > 8 ? "named" : null, onclick: () => pick(name, shown) }, shown))), anchor);
  };

  const grow = (area) => { area.style.height = "auto"; area.style.height = `${area.scrollHeight}px`; };
  const tool = (label, title, onclick, more = {}) => el("button", { type: "button", title, "aria-label": title, onclick, ...more }, label);

  /** Files that wait to be sent: chosen, dropped on the conversation, or pasted. */
  const tray = (form, zone, thread, changed) => {
    let waiting = [];
    const box = el("div", { class: "tray", "data-test": thread ? "thread-tray" : "tray", hidden: true });
    const picker = el("input", { type: "file", multiple: true, hidden: true, "data-test": thread ? "thread-file" : "attach-file", "aria-label": "Attach a file" });
    const show = () => {
      box.hidden = !waiting.length;
      box.replaceChildren(...waiting.map((one) => el("span", { class: "waits", "data-name": one.file.name, title: one.file.name },
        one.preview ? el("img", { src: one.preview, alt: "" }) : el("span", { class: "kind" }, (ending(one.file.name) || "file").slice(0, 4).toUpperCase()),
        el("span", { class: "about" }, el("span", {}, one.file.name), el("small", {}, sized(one.file.size))),
        tool(icon("close"), `Remove ${one.file.name}`, () => { waiting = waiting.filter((other) => other !== one); show(); }))));
      changed();
    };
    const add = (files, pasted) => {
      for (const file of files) waiting.push({ file, pasted, preview: isPicture(file) ? URL.createObjectURL(file) : "" });
      show();
    };
    picker.addEventListener("change", () => { add([...picker.files], false); picker.value = ""; });
    const carries = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
    zone.addEventListener("dragover", (event) => { if (carries(event)) { event.preventDefault(); zone.classList.add("dropping"); } });
    zone.addEventListener("dragleave", (event) => { if (!zone.contains(event.relatedTarget)) zone.classList.remove("dropping"); });
    zone.addEventListener("drop", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      zone.classList.remove("dropping");
      add([...event.dataTransfer.files], false);
    });
    form.addEventListener("paste", (event) => {
      const files = event.clipboardData ? [...event.clipboardData.files] : [];
      if (files.length) { event.preventDefault(); event.stopImmediatePropagation(); add(files, true); }
    }, true);
    form.prepend(box);
    form.append(picker);
    return {
      files: () => waiting,
      clear: () => { for (const one of waiting) if (one.preview) URL.revokeObjectURL(one.preview); waiting = []; show(); },
      choose: () => picker.click(),
    };
  };

  /** Whoever reads the end stays there when the room for it changes, or what is in it. */
  const stick = (box) => {
    let end = true, last = 0;
    const stay = (anyway) => {
      if (anyway === true) end = true;
      if (end) box.scrollTo({ top: box.scrollHeight, behavior: "instant" });
      last = box.scrollTop;
    };
    box.addEventListener("scroll", () => {
      const near = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
      // Only who goes up leaves the end; pictures that have come make what is below grow.
      if (near || box.scrollTop < last) end = near;
      last = box.scrollTop;
    });
    box.addEventListener("load", stay, true);
    new ResizeObserver(stay).observe(box);
    box.stay = stay;
  };

  /** A field for text with signs: bold, lists, quotes, names behind an @. */
  const textComposer = (kind, client) => (form, thread) => {
    const { view } = client;
    const area = el("textarea", { rows: 1, maxlength: kind.most && kind.most * 4, "data-test": thread ? "thread-composer" : "composer", "aria-label": thread ? "Reply" : "Message" });
    const send = el("button", { type: "submit", class: "send", "data-test": thread ? "thread-send" : "send", title: "Send", "aria-label": "Send", disabled: true }, icon("send"));
    const also = thread && kind.also ? el("input", { type: "checkbox", "data-test": "broadcast" }) : null;
    const left = el("span", { class: "left", hidden: true });
    let offers = null;
    const closeOffers = () => { if (offers) { offers.box.remove(); offers = null; } };
    const offer = () => {
      closeOffers();
      const before = area.value.slice(0, area.selectionStart);
      const hit = /(^|\s)([@#])([\p{L}\p{N} ._-]{0,24})$/u.exec(before);
      if (!hit) return;
      const term = hit[3].toLowerCase();
      const found = kind.names(hit[2], view).filter((one) => one.name.toLowerCase().startsWith(term) && one.name.toLowerCase() !== term).slice(0, 6);
      if (!found.length) return;
      const pick = (one) => { area.setRangeText(`${hit[2]}${one.name} `, before.length - hit[3].length - 1, area.selectionStart, "end"); closeOffers(); area.focus(); changed(); };
      const box = el("ul", { class: "offers", role: "listbox" }, ...found.map((one, index) => el("li", { class: index ? "" : "on", role: "option",
        onmousedown: (event) => { event.preventDefault(); pick(one); } }, one.sign ? one.sign() : hit[2], one.name)));
      form.append(box);
      offers = { box, found, at: 0, pick };
    };
    const changed = () => {
      send.disabled = !area.value.trim() && !files.files().length;
      if (kind.most) {
        const over = area.value.length - kind.most;
        left.hidden = over < -100;
        left.textContent = over > 0 ? `${over} too many` : `${-over} left`;
        left.classList.toggle("bad", over > 0);
      }
      grow(area);
      offer();
    };
    const files = tray(form, thread ? $("thread") || form : $("room"), thread, () => changed());
    const wrap = (before, after = before) => () => {
      const [start, end] = [area.selectionStart, area.selectionEnd];
      area.setRangeText(before + area.value.slice(start, end) + after, start, end, "end");
      if (start === end) area.selectionStart = area.selectionEnd = start + before.length;
      area.focus();
      changed();
    };
    const lines = (mark) => () => {
      const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
      const part = area.value.slice(start, area.selectionEnd).split("\n");
      area.setRangeText(part.map((line, index) => mark.replace("1", index + 1) + line).join("\n"), start, area.selectionEnd, "end");
      area.focus();
      changed();
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
      else if (event.key === "Escape") { if (offers) closeOffers(); else if (thread) client.closeThread(); }
      else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
      else if (event.key === "ArrowUp" && !area.value && !thread) { if (client.editLast()) event.preventDefault(); }
      else if ((event.ctrlKey || event.metaKey) && kind.keys[event.key]) { event.preventDefault(); wrap(kind.keys[event.key])(); }
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const text = area.value.trim();
      const sending = files.files();
      if (!text && !sending.length) return;
      area.value = "";
      changed();
      const done = await client.send({ text, thread, files: sending, also: !!(also && also.checked) });
      if (done) files.clear();
      else { area.value = text; changed(); }
      if (also) also.checked = false;
    });
    const marks = kind.marks.map(([label, title, before, after]) => tool(label.cloneNode ? label.cloneNode(true) : label, title, before.endsWith(" ") && !after ? lines(before) : wrap(before, after)));
    const attach = tool(icon(kind.attach || "clip"), "Attach a file", () => files.choose(), { "data-test": thread ? "thread-attach" : "attach" });
    const smile = tool(icon("smile"), "Emoji", (event) => { event.stopPropagation(); palette(event.currentTarget, kind.emoji(view), (_, shown) => wrap(shown, "")()); });
    const at = tool(icon("at"), "Mention somebody", wrap("@", ""));
    const cancel = thread && !$("thread") ? el("button", { type: "button", class: "plain", "data-test": "thread-close", onclick: () => client.closeThread() }, "Cancel") : null;
    const tail = [also ? el("label", {}, also, "Also send to channel") : null, el("span", { class: "fill" }), left, cancel, send].filter(Boolean);
    if (kind.marksAbove) form.append(el("div", { class: "bar top" }, ...marks), area, el("div", { class: "bar" }, attach, smile, at, ...tail));
    else form.append(area, el("div", { class: "bar" }, attach, smile, at, el("span", { class: "split" }), ...marks, ...tail));
    return {
      focus: () => area.focus(),
      prompt: (text, closed) => { area.placeholder = text; area.disabled = closed; },
      clear: () => { area.value = ""; files.clear(); },
    };
  };

  /** A field in the message's place. */
  const editInPlace = (client, kind) => (message, text) => {
    if (client.view.editing) client.stopEditing();
    if (!text.isConnected) return;
    const area = el("textarea", { "data-test": "edit-box", rows: 1, "aria-label": "Edit message" });
    area.value = message.typed();
    const save = async () => {
      const value = area.value.trim();
      if (value) await client.act(kind.edit(message, value));
      await client.loadMessages();
      client.stopEditing();
    };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") client.stopEditing();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); save(); }
    });
    area.addEventListener("input", () => grow(area));
    const box = el("div", { class: "write edit" }, area, el("div", { class: "bar" }, el("span", { class: "fill" }), el("button", { type: "button", class: "plain", onclick: () => client.stopEditing() }, "Cancel"),
      el("button", { type: "button", class: "send", "data-test": "edit-save", onclick: save }, "Save")));
    client.view.editing = message.id;
    text.replaceWith(box);
    grow(area);
    area.focus();
    box.scrollIntoView({ block: "nearest" });
  };

  function start(kind) {
    const wanted = new URLSearchParams(location.search);
    const view = { me: wanted.get(kind.asked[0]) || "", room: wanted.get(kind.asked[1]) || "", root: null, editing: null, state: null, messages: [], fresh: new Set(), unread: new Map(), known: new Set() };
    const client = { view };
    const roomOf = () => view.state.rooms.find((one) => one.id === view.room);
    const repliesOf = (id) => view.messages.filter((one) => one.root === id);

    const call = async (path, options) => {
      const answer = await fetch(path, { method: "POST", ...options });
      const body = await answer.json().catch(() => ({}));
      if (!answer.ok) toast(kind.words ? kind.words(body.error) : body.error || "That did not work.");
      return { ok: answer.ok, ...body };
    };
    client.act = ([path, body]) => call(path, { headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    client.send = async ({ text, thread, files, also }) => {
      const where = { room: view.room, root: thread ? view.root : null, text, also };
      if (!files.length) return (await client.act(kind.post(where, view))).ok;
      const form = new FormData();
      for (const { file, pasted } of files) form.append(pasted ? "pasted" : "file", file, file.name);
      return (await call(kind.upload(where, view), { body: form })).ok;
    };
    const toggle = (message, name) => client.act(kind.react(message, name, !message.reactions.some((one) => one.name === name && one.mine), view));
    const choose = (message, anchor) => palette(anchor, kind.reactions(view), (name) => toggle(message, name));

    function drawReactions(message) {
      if (!message.reactions.length) return null;
      return el("div", { class: "reactions" }, ...message.reactions.map((one) => el("button", { type: "button", class: one.mine ? "reaction mine" : "reaction", "data-test": "reaction", "data-name": one.name,
        "data-count": one.people.length, title: `${one.people.join(", ")}: ${one.name}`, "aria-pressed": String(one.mine), onclick: () => toggle(message, one.name) }, el("span", { class: "sign" }, one.shown), el("span", { class: "count" }, String(one.people.length)))),
      message.gone ? null : el("button", { type: "button", class: "reaction another", title: "Add a reaction", "aria-label": "Add a reaction", onclick: (event) => { event.stopPropagation(); choose(message, event.currentTarget); } }, icon("smile")));
    }

    function drawTools(message, text, inThread) {
      const tools = el("div", { class: "tools" });
      const button = (label, title, test, onclick, more) => tool(label, title, onclick, { "data-test": test, ...more });
      if (!message.gone) {
        for (const [name, shown] of kind.quick) tools.append(button(shown, `React with ${name}`, `react-${name}`, () => toggle(message, name)));
        tools.append(button(icon("smile"), "Find a reaction", "react", (event) => { event.stopPropagation(); choose(message, event.currentTarget); }));
        if (!inThread && message.threads !== false) tools.append(button(icon(kind.replySign || "reply"), "Reply in thread", "reply", () => client.openThread(message.root || message.id)));
        if (message.editable) tools.append(button(icon("pen"), "Edit message", "edit", () => client.edit(message, text, inThread)));
        if (message.mine) tools.append(button(icon("bin"), "Delete message", "delete", () => client.act(kind.remove(message, view)), { class: "danger" }));
      }
      if (kind.tools) tools.append(...kind.tools(message, button, client));
      return tools.children.length ? tools : null;
    }

    client.drawMessage = (message, previous, inThread) => {
      const { author } = message;
      const close = !kind.apart && previous && !previous.system && !message.system && previous.author.id === author.id && message.at - previous.at < 3e5 && (inThread || !repliesOf(previous.id).length);
      const body = el("div", { class: "body" });
      if (close) body.append(el("span", { class: "sr", "data-test": "author" }, author.name));
      else {
        body.append(el("div", { class: "who" }, el("span", { class: "author", "data-test": "author" }, author.name), ...(message.tags || []).map(([label, more]) => el("span", { class: `tag ${more || ""}`.trim() }, label)),
          el("time", { class: "time", title: new Date(message.at).toLocaleString() }, clock(message.at)), message.aside ? el("span", { class: "via" }, message.aside) : null,
          kind.apart && message.edited ? el("span", { class: "edited", "data-test": "edited" }, "Edited") : null));
      }
      if (message.note && !inThread) body.append(el("div", { class: "note" }, message.note));
      const text = el("div", { class: ["text", message.style, message.system || message.gone ? "system" : ""].filter(Boolean).join(" "), "data-test": "message-text" }, ...message.content());
      const last = text.lastElementChild;
      if (message.edited && !kind.apart) (last && /^(DIV|P)$/.test(last.tagName) ? last : text).append(el("span", { class: "edited", "data-test": "edited" }, kind.edited || "(edited)"));
      body.append(text, ...(message.more ? message.more() : []), ...message.files.map(drawFile));
      const reactions = drawReactions(message);
      if (reactions) body.append(reactions);
      const replies = inThread || !$("thread") ? [] : repliesOf(message.id);
      if (replies.length) {
        const faces = new Map(replies.map((one) => [one.author.id, one]));
        body.append(el("button", { type: "button", class: "answers", "data-test": "replies", onclick: () => client.openThread(message.id) }, ...[...faces.values()].slice(-3).map((one) => kind.face(one)),
          `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`, el("span", { class: "last" }, `Last reply ${clock(replies[replies.length - 1].at)}`)));
      }
      const classes = ["msg", close && "more", author.id === view.me && "mine", message.system && "told", message.gone && "gone", view.fresh.has(message.id) && "fresh"].filter(Boolean).join(" ");
      const row = el("article", { class: classes, "data-test": "message", "data-id": message.id, "data-root": message.root }, close ? el("span", { class: "tick" }, clock(message.at)) : kind.face(message), body);
      const tools = drawTools(message, text, inThread);
      if (tools) row.append(tools);
      return row;
    };

    function drawList(box, messages, inThread) {
      const focused = document.activeElement;
      const old = new Map([...box.children].map((node) => [node.key, node]));
      const nodes = [];
      // What has not changed stays as it is, under the mouse or half edited.
      const keep = (key, drawn, make) => {
        const known = old.get(key);
        const fits = known && (known.drawn === drawn || (view.editing === key && known.drawn));
        const node = fits ? known : make();
        Object.assign(node, { key, drawn: fits ? known.drawn : drawn });
        if (known && !fits) node.classList.remove("fresh");
        nodes.push(node);
      };
      const book = JSON.stringify([view.me, view.room, view.state.print]);
      let previous = null, day = "";
      for (const message of messages) {
        const today = dayOf(message.at);
        if (today !== day && !inThread) { keep(`day ${today}`, today, () => el("div", { class: "day" }, el("span", {}, today))); day = today; previous = null; }
        const before = previous;
        if (!message.lost) {
          const above = before && [before.id, before.author, before.system, repliesOf(before.id).length];
          const under = inThread ? 0 : repliesOf(message.id).map((one) => one.id);
          keep(message.id, JSON.stringify([message.print, above, under, book]), () => client.drawMessage(message, before, inThread));
          previous = message;
        }
        if (inThread && message.id === view.root) previous = null;
        const below = kind.below && kind.below(message, old, book, client);
        if (below) { nodes.push(below); previous = null; }
      }
      if (!nodes.length) {
        const room = roomOf();
        nodes.push(el("div", { class: "empty" }, el("b", {}, room ? room.title || room.name : "Nothing here"), (room && room.hint) || "This is the very beginning. Say hello."));
      }
      const staying = new Set(nodes);
      for (const node of [...box.children]) if (!staying.has(node)) node.remove();
      nodes.forEach((node, index) => { if (box.children[index] !== node) box.insertBefore(node, box.children[index] || null); });
      if (focused && focused !== document.activeElement && focused.isConnected) focused.focus();
      box.stay(!box.dataset.seen);
      box.dataset.seen = "1";
    }

    const draw = client.draw = () => {
      drawList($("messages"), kind.roots ? kind.roots(view.messages) : view.messages.filter((one) => !one.root || one.also), false);
      if (view.root && $("thread")) drawList($("thread-messages"), view.messages.filter((one) => one.id === view.root || one.root === view.root), true);
      view.fresh.clear();
    };

    client.stopEditing = () => {
      for (const node of document.querySelectorAll("[data-test=message], .replies")) node.drawn = null;
      view.editing = null;
      if (view.state) draw();
    };
    client.editLast = () => {
      const own = view.messages.filter((one) => one.editable && !one.root).pop();
      const button = own && document.querySelector(`#messages [data-id="${CSS.escape(own.id)}"] [data-test=edit]`);
      if (button) button.click();
      return !!button;
    };

    function drawSide() {
      const { state } = view;
      $("org").textContent = state.org || "";
      document.title = `${state.org || "Chat"}: chat`;
      $("me").replaceChildren(state.myFace());
      $("person").replaceChildren(...state.people.map((one) => el("option", { value: one.id, selected: one.id === view.me }, one.name)));
      $("person").value = view.me;
      const row = (one) => el("li", {}, el("button", { type: "button", "data-test": one.start ? "start-direct" : "channel", "data-id": one.id, "data-name": one.name,
        class: [one.id === view.room ? "on" : "", view.unread.has(one.id) ? "new" : ""].join(" ").trim() || null, "data-unread": view.unread.get(one.id), "aria-current": one.id === view.room ? "true" : null,
        onclick: () => (one.start ? begin(one.start) : client.openRoom(one.id)) }, one.sign(), el("span", { class: "label" }, one.name, one.small ? el("small", {}, one.small) : null)));
      $("lists").replaceChildren(...state.lists.filter((list) => list.rows.length).flatMap((list) => [list.title ? el("h2", {}, list.title) : null, el("ul", {}, ...list.rows.map(row))]).filter(Boolean));
      const room = roomOf();
      $("room-name").textContent = room ? room.title || room.name : "";
      $("room-note").textContent = room ? room.note || "" : "";
      $("room-people").replaceChildren(...(room && room.people ? [icon("people"), String(room.people)] : []));
      $("room-people").hidden = !room || !room.people;
      composer.prompt(room ? room.closed || room.prompt || `Message ${room.name}` : "Message", !!(room && room.closed));
      if ($("thread")) $("thread-where").textContent = room ? room.title || room.name : "";
      $("messages").classList.toggle("talk", !!room && room.kind !== "channel");
      if (kind.side) kind.side(client, room);
    }
    client.drawSide = drawSide;

    const begin = client.begin = async (action) => {
      const answer = await client.act(action);
      if (answer.ok) { await client.loadState(); await client.openRoom(answer.result); }
    };

    client.loadState = async () => {
      const state = await kind.read(view.me);
      view.state = state;
      view.me = state.me;
      if (!state.rooms.some((one) => one.id === view.room)) {
        view.room = (state.rooms.find((one) => one.kind === "channel") || state.rooms[0] || {}).id || "";
        view.messages = [];
        client.closeThread();
      }
      drawSide();
    };

    client.loadMessages = async () => {
      const { room } = view;
      const messages = room ? await kind.list(view) : [];
      if (room !== view.room) return;
      const before = new Set(view.messages.map((one) => one.id));
      if (view.known.has(room)) for (const one of messages) if (!before.has(one.id)) view.fresh.add(one.id);
      view.known.add(room);
      view.messages = messages;
      if (view.root && !messages.some((one) => one.id === view.root || one.root === view.root)) client.closeThread();
      draw();
    };

    client.openRoom = async (id) => {
      if (id !== view.room) { client.closeThread(); composer.clear(); if (kind.left) kind.left(); }
      Object.assign(view, { room: id, messages: [], editing: null });
      view.known.delete(id);
      view.unread.delete(id);
      delete $("messages").dataset.seen;
      drawSide();
      await client.loadMessages();
      composer.focus();
    };

    client.openThread = (root) => {
      view.root = root;
      if ($("thread")) {
        $("thread").hidden = false;
        $("app").classList.add("with-thread");
        delete $("thread-messages").dataset.seen;
      }
      draw();
      threadComposer.focus();
    };

    client.closeThread = () => {
      const open = view.root;
      view.root = null;
      if (!open) return;
      threadComposer.clear();
      if ($("thread")) { $("thread").hidden = true; $("app").classList.remove("with-thread"); }
      else if (view.state) draw();
    };

    const composing = kind.composer ? kind.composer(client) : textComposer(kind, client);
    client.edit = kind.startEdit ? kind.startEdit(client) : editInPlace(client, kind);
    const composer = client.composer = composing($("write"), false);
    // Without a place of its own a thread's field moves to the thread that is open.
    client.threadForm = $("thread-write") || el("form", { class: "write", autocomplete: "off" });
    const threadComposer = composing(client.threadForm, true);
    threadComposer.prompt(kind.replyPrompt || "Reply", false);
    stick($("messages"));
    if ($("thread")) {
      stick($("thread-messages"));
      $("thread-close").append(icon("close"));
      $("thread-close").addEventListener("click", client.closeThread);
    }
    $("person").addEventListener("change", async (event) => {
      view.me = event.target.value;
      view.editing = null;
      view.unread.clear();
      await client.loadState();
      await client.openRoom(view.room);
    });

    let pending = false;
    const refresh = () => {
      if (pending) return;
      pending = true;
      // One drawing for a burst of changes.
      setTimeout(async () => {
        pending = false;
        try { await client.loadState(); await client.loadMessages(); } catch { /* the stream tells when the server is back */ }
      }, 40);
    };
    const listen = () => {
      const stream = new EventSource("/_sim/events");
      const tell = (up) => { $("live").classList.toggle("up", up); $("live-text").textContent = up ? "live" : "reconnecting"; };
      stream.onopen = () => { tell(true); refresh(); };
      stream.onerror = () => tell(false);
      stream.onmessage = (event) => {
        const room = kind.heard(JSON.parse(event.data), view);
        if (room && room !== view.room) view.unread.set(room, (view.unread.get(room) || 0) + 1);
        refresh();
      };
    };
    (async () => {
      await client.loadState();
      await client.loadMessages();
      listen();
    })();
    return client;
  }

  return { $, el, icon, get, toast, safe, link, linked, clock, tool, tray, palette, drawFile, sized, start };
})();
