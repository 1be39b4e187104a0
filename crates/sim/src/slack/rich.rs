//! mrkdwn and `rich_text`: from what a person types to what Slack stores, and from mrkdwn to blocks.

use serde_json::{Map, Value, json};

use super::emoji;

/// Escapes the three characters that mrkdwn escapes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Undoes [`escape`].
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// What names typed with `@` and `#` stand for.
pub trait Names {
    /// The entity (`<@U…>`, `<!here>`, `<!subteam^S…>`) for the longest name at the start of the text after `@`, and
    /// the name's length.
    fn mention(&self, after_at: &str) -> Option<(String, usize)>;
    /// The entity (`<#C…|name>`) for the channel name at the start of the text after `#`, and its length.
    fn channel(&self, after_hash: &str) -> Option<(String, usize)>;
    /// Whether the workspace has a custom emoji of this name.
    fn custom_emoji(&self, name: &str) -> bool;
}

/// Turns text typed in a client into stored mrkdwn: escapes, mentions, channels, links, emoji.
pub fn typed(text: &str, names: &dyn Names) -> String {
    let text = emoji::to_short_names(text);
    let mut out = String::with_capacity(text.len());
    let mut code = false;
    let mut at_word = true;
    let mut rest = text.as_str();
    while let Some(character) = rest.chars().next() {
        if character == '`' {
            code = !code;
        }
        if !code && at_word {
            let entity = match character {
                '@' => names.mention(&rest[1..]).map(|(entity, len)| (entity, len + 1)),
                '#' => names.channel(&rest[1..]).map(|(entity, len)| (entity, len + 1)),
                _ => link(rest),
            };
            if let Some((entity, len)) = entity {
                out.push_str(&entity);
                rest = &rest[len..];
                at_word = false;
                continue;
            }
        }
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
        at_word = !character.is_alphanumeric();
        rest = &rest[character.len_utf8()..];
    }
    out
}

/// Wraps bare URLs in mrkdwn that an app sent; entities stay as they are.
pub fn linked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut code = false;
    let mut at_word = true;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if character == '<'
            && let Some(end) = rest.find('>')
        {
            out.push_str(&rest[..=end]);
            rest = &rest[end + 1..];
            at_word = false;
            continue;
        }
        if character == '`' {
            code = !code;
        }
        if !code
            && at_word
            && let Some((entity, len)) = link(rest)
        {
            out.push_str(&entity.replace("&amp;amp;", "&amp;"));
            rest = &rest[len..];
            at_word = false;
            continue;
        }
        out.push(character);
        at_word = !character.is_alphanumeric();
        rest = &rest[character.len_utf8()..];
    }
    out
}

fn link(rest: &str) -> Option<(String, usize)> {
    let bare = rest.starts_with("www.");
    if !(rest.starts_with("https://") || rest.starts_with("http://") || bare) {
        return None;
    }
    let end =
        rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '|' | '`')).unwrap_or(rest.len());
    let url = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '*', '_', '~', '"', '\'']);
    if url.len() < 8 {
        return None;
    }
    let escaped = url.replace('&', "&amp;");
    let entity = if bare { format!("<http://{escaped}|{escaped}>") } else { format!("<{escaped}>") };
    Some((entity, url.len()))
}

#[derive(Clone, Copy, Default)]
struct Style {
    bold: bool,
    italic: bool,
    strike: bool,
    code: bool,
}

impl Style {
    fn put(self, mut element: Map<String, Value>) -> Value {
        let mut style = Map::new();
        for (name, set) in
            [("bold", self.bold), ("italic", self.italic), ("strike", self.strike), ("code", self.code)]
        {
            if set {
                style.insert(name.to_owned(), Value::Bool(true));
            }
        }
        if !style.is_empty() {
            element.insert("style".to_owned(), Value::Object(style));
        }
        Value::Object(element)
    }
}

/// How mrkdwn is read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Names, for custom emoji.
    pub names: &'a dyn Names,
    /// Lines that begin with a list marker are lists: so in the composer, not in texts of apps.
    pub lists: bool,
    /// Spaces just inside delimiters are allowed.
    pub loose: bool,
}

/// The `rich_text` block of a mrkdwn text.
pub fn block(text: &str, block_id: &str, reading: Reading<'_>) -> Value {
    let mut elements: Vec<Value> = Vec::new();
    let mut section = String::new();
    let mut quote: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("```")
            && let Some(end) = after.find("```")
        {
            flush_quote(&mut elements, &mut quote, reading);
            flush_section(&mut elements, &mut section, reading);
            let code = after[..end].trim_start_matches('\n');
            elements.push(json!({"type": "rich_text_preformatted", "border": 0,
                "elements": [{"type": "text", "text": unescape(&entities_as_text(code))}]}));
            rest = after[end + 3..].trim_start_matches('\n');
            continue;
        }
        let mut line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        if let Some(fence) = rest[..line_end].find("```")
            && fence > 0
            && rest[fence + 3..].contains("```")
        {
            line_end = fence;
        }
        let line = &rest[..line_end];
        rest = &rest[line_end..];
        let bare = line.trim_end_matches('\n');
        if let Some(quoted) = bare.strip_prefix("&gt; ").or_else(|| bare.strip_prefix("&gt;")) {
            flush_section(&mut elements, &mut section, reading);
            quote.push(quoted.to_owned());
            continue;
        }
        flush_quote(&mut elements, &mut quote, reading);
        if reading.lists
            && let Some((style, indent, content)) = list_item(bare)
        {
            flush_section(&mut elements, &mut section, reading);
            push_item(&mut elements, style, indent, content, reading);
            continue;
        }
        section.push_str(line);
    }
    flush_quote(&mut elements, &mut quote, reading);
    flush_section(&mut elements, &mut section, reading);
    if elements.is_empty() {
        elements.push(json!({"type": "rich_text_section", "elements": []}));
    }
    json!({"type": "rich_text", "block_id": block_id, "elements": elements})
}

/// Turns typed list markers into the bullets that stored text shows.
pub fn list_text(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| match list_item(line) {
            Some(("bullet", indent, content)) => {
                let mark = if indent == 0 { "•" } else { "◦" };
                format!("{}{mark} {content}", "    ".repeat(indent))
            }
            _ => line.to_owned(),
        })
        .collect();
    lines.join("\n")
}

fn list_item(line: &str) -> Option<(&'static str, usize, &str)> {
    let content = line.trim_start_matches(' ');
    let indent = ((line.len() - content.len()) / 2).min(8);
    for marker in ["- ", "• ", "◦ "] {
        if let Some(content) = content.strip_prefix(marker) {
            return Some(("bullet", indent, content));
        }
    }
    let digits = content.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits)
        && let Some(content) = content[digits..].strip_prefix(". ")
    {
        return Some(("ordered", indent, content));
    }
    None
}

fn push_item(elements: &mut Vec<Value>, style: &str, indent: usize, content: &str, reading: Reading<'_>) {
    let section =
        json!({"type": "rich_text_section", "elements": inline(content, Style::default(), reading)});
    if let Some(last) = elements.last_mut()
        && last["type"] == "rich_text_list"
        && last["style"] == style
        && last["indent"] == indent
        && let Some(items) = last["elements"].as_array_mut()
    {
        items.push(section);
        return;
    }
    // An ordered list that goes on after a nested one counts on.
    let mut offset = 0;
    for before in elements.iter().rev() {
        if before["type"] != "rich_text_list" || before["indent"].as_u64().unwrap_or(0) < indent as u64 {
            break;
        }
        if before["indent"] == indent && before["style"] == style {
            offset = before["elements"].as_array().map_or(0, Vec::len)
                + usize::try_from(before["offset"].as_u64().unwrap_or(0)).unwrap_or(0);
            break;
        }
    }
    let mut list = json!({"type": "rich_text_list", "style": style, "indent": indent, "border": 0,
        "elements": [section]});
    if offset > 0 && style == "ordered" {
        list["offset"] = json!(offset);
    }
    elements.push(list);
}

fn flush_section(elements: &mut Vec<Value>, section: &mut String, reading: Reading<'_>) {
    let text = std::mem::take(section);
    // A line break before a list, quote or code belongs to that element.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    if !text.is_empty() {
        elements
            .push(json!({"type": "rich_text_section", "elements": inline(text, Style::default(), reading)}));
    }
}

fn flush_quote(elements: &mut Vec<Value>, quote: &mut Vec<String>, reading: Reading<'_>) {
    if quote.is_empty() {
        return;
    }
    let text = std::mem::take(quote).join("\n");
    elements.push(json!({"type": "rich_text_quote", "elements": inline(&text, Style::default(), reading)}));
}

fn entities_as_text(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(start) = rest.find('<') {
        let Some(end) = rest[start..].find('>') else { break };
        out.push_str(&rest[..start]);
        let inner = &rest[start + 1..start + end];
        out.push_str(inner.split_once('|').map_or(inner, |(_, label)| label));
        rest = &rest[start + end + 1..];
    }
    out.push_str(rest);
    out
}

fn inline(text: &str, style: Style, reading: Reading<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut before: Option<char> = None;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if character == '<'
            && let Some(end) = rest.find('>')
        {
            push_text(&mut out, &mut plain, style);
            out.push(entity(&rest[1..end], style));
            rest = &rest[end + 1..];
            before = Some('>');
            continue;
        }
        if character == '`'
            && let Some(end) = rest[1..].find('`')
            && end > 0
            && !rest[1..=end].contains('\n')
        {
            push_text(&mut out, &mut plain, style);
            let mut code = rest[1..=end].to_owned();
            push_text(&mut out, &mut code, Style { code: true, ..style });
            rest = &rest[end + 2..];
            before = Some('`');
            continue;
        }
        if matches!(character, '*' | '_' | '~')
            && opens(before, character)
            && let Some(end) = closer(rest, character, reading.loose)
        {
            push_text(&mut out, &mut plain, style);
            let inner = match character {
                '*' => Style { bold: true, ..style },
                '_' => Style { italic: true, ..style },
                _ => Style { strike: true, ..style },
            };
            out.extend(inline(&rest[1..end], inner, reading));
            rest = &rest[end + 1..];
            before = Some(character);
            continue;
        }
        if character == ':'
            && let Some((element, len)) = shortcode(rest, reading.names)
        {
            push_text(&mut out, &mut plain, style);
            out.push(style.put(element));
            rest = &rest[len..];
            before = Some(':');
            continue;
        }
        plain.push(character);
        before = Some(character);
        rest = &rest[character.len_utf8()..];
    }
    push_text(&mut out, &mut plain, style);
    out
}

fn push_text(out: &mut Vec<Value>, plain: &mut String, style: Style) {
    if plain.is_empty() {
        return;
    }
    let text = unescape(&std::mem::take(plain));
    let mut element = Map::new();
    element.insert("type".to_owned(), json!("text"));
    element.insert("text".to_owned(), json!(text));
    out.push(style.put(element));
}

fn opens(before: Option<char>, delimiter: char) -> bool {
    before.is_none_or(|before| {
        !before.is_alphanumeric()
            && before != delimiter
            && !matches!(before, '`' | '@' | '\\' | ')' | ']' | '}')
    })
}

fn closer(rest: &str, delimiter: char, loose: bool) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    let mut last = delimiter;
    while let Some((at, character)) = chars.next() {
        if character == '\n' {
            return None;
        }
        if character == delimiter {
            let tight = loose || (!last.is_whitespace() && !rest[1..].starts_with(char::is_whitespace));
            let next = chars.peek().map(|(_, next)| *next);
            let closes = next.is_none_or(|next| {
                !next.is_alphanumeric() && next != delimiter && !matches!(next, '`' | '@' | '(' | '[' | '{')
            });
            return (at > 1 && tight && closes).then_some(at);
        }
        last = character;
    }
    None
}

fn shortcode(rest: &str, names: &dyn Names) -> Option<(Map<String, Value>, usize)> {
    let end = rest[1..].find(':')? + 1;
    let name = &rest[1..end];
    let custom = names.custom_emoji(name);
    if emoji::character(name).is_none() && !custom {
        return None;
    }
    let mut len = end + 1;
    let mut tone = None;
    if let Some(after) = rest[len..].strip_prefix(":skin-tone-")
        && let Some(digit) = after.chars().next().and_then(|digit| digit.to_digit(10))
        && (2..=6).contains(&digit)
        && after[1..].starts_with(':')
    {
        tone = Some(digit);
        len += ":skin-tone-".len() + 2;
    }
    let mut element = Map::new();
    element.insert("type".to_owned(), json!("emoji"));
    element.insert("name".to_owned(), json!(name));
    if let Some(points) = emoji::code_points(name, tone) {
        element.insert("unicode".to_owned(), json!(points));
    }
    if let Some(tone) = tone {
        element.insert("skin_tone".to_owned(), json!(tone));
    }
    Some((element, len))
}

fn entity(inner: &str, style: Style) -> Value {
    let (target, label) =
        inner.split_once('|').map_or((inner, None), |(target, label)| (target, Some(label)));
    let mut element = Map::new();
    let mut put = |key: &str, value: Value| {
        element.insert(key.to_owned(), value);
    };
    if let Some(user) = target.strip_prefix('@') {
        put("type", json!("user"));
        put("user_id", json!(user));
    } else if let Some(channel) = target.strip_prefix('#') {
        put("type", json!("channel"));
        put("channel_id", json!(channel));
    } else if let Some(command) = target.strip_prefix('!') {
        if matches!(command, "here" | "channel" | "everyone") {
            put("type", json!("broadcast"));
            put("range", json!(command));
        } else if let Some(group) = command.strip_prefix("subteam^") {
            put("type", json!("usergroup"));
            put("usergroup_id", json!(group));
        } else if let Some(date) = command.strip_prefix("date^") {
            let mut parts = date.splitn(3, '^');
            put("type", json!("date"));
            put("timestamp", json!(parts.next().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0)));
            put("format", json!(parts.next().unwrap_or_default()));
            if let Some(url) = parts.next() {
                put("url", json!(unescape(url)));
            }
            if let Some(label) = label {
                put("fallback", json!(unescape(label)));
            }
        } else {
            put("type", json!("text"));
            put("text", json!(label.map_or_else(|| format!("<{command}>"), unescape)));
        }
    } else {
        put("type", json!("link"));
        put("url", json!(unescape(target)));
        if let Some(label) = label {
            put("text", json!(unescape(label)));
        }
    }
    style.put(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Crew;

    impl Names for Crew {
        fn mention(&self, after_at: &str) -> Option<(String, usize)> {
            [("Ana Souza", "<@U1>"), ("here", "<!here>")]
                .into_iter()
                .find(|(name, _)| after_at.starts_with(name))
                .map(|(name, entity)| (entity.to_owned(), name.len()))
        }

        fn channel(&self, after_hash: &str) -> Option<(String, usize)> {
            after_hash.starts_with("launch").then(|| ("<#C1|launch>".to_owned(), 6))
        }

        fn custom_emoji(&self, name: &str) -> bool {
            name == "harbor"
        }
    }

    fn check(typed_text: &str, stored: &str, elements: Value) {
        let text = typed(typed_text, &Crew);
        assert_eq!(list_text(&text), stored);
        let reading = Reading { names: &Crew, lists: true, loose: false };
        assert_eq!(block(&text, "b", reading)["elements"], elements);
    }

    #[test]
    fn typed_text_becomes_mrkdwn_and_rich_text() {
        check(
            "hi *all* & <b>",
            "hi *all* &amp; &lt;b&gt;",
            json!([{"type": "rich_text_section", "elements": [
                {"type": "text", "text": "hi "}, {"type": "text", "text": "all", "style": {"bold": true}},
                {"type": "text", "text": " & <b>"}]}]),
        );
        check(
            "@Ana Souza see #launch 👍🏽 :harbor:",
            "<@U1> see <#C1|launch> :+1::skin-tone-4: :harbor:",
            json!([{"type": "rich_text_section", "elements": [
                {"type": "user", "user_id": "U1"}, {"type": "text", "text": " see "},
                {"type": "channel", "channel_id": "C1"}, {"type": "text", "text": " "},
                {"type": "emoji", "name": "+1", "unicode": "1f44d-1f3fd", "skin_tone": 4},
                {"type": "text", "text": " "}, {"type": "emoji", "name": "harbor"}]}]),
        );
    }

    #[test]
    fn lists_quotes_and_code_are_containers() {
        check(
            "do:\n1. one\n  - sub\n2. two\n> said\n```\nx < y\n```",
            "do:\n1. one\n    ◦ sub\n2. two\n&gt; said\n```\nx &lt; y\n```",
            json!([
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "do:"}]},
                {"type": "rich_text_list", "style": "ordered", "indent": 0, "border": 0, "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]}]},
                {"type": "rich_text_list", "style": "bullet", "indent": 1, "border": 0, "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "sub"}]}]},
                {"type": "rich_text_list", "style": "ordered", "indent": 0, "border": 0, "offset": 1, "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "two"}]}]},
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": "said"}]},
                {"type": "rich_text_preformatted", "border": 0, "elements": [{"type": "text", "text": "x < y\n"}]},
            ]),
        );
    }

    #[test]
    fn links_are_wrapped_and_words_keep_their_underscores() {
        check(
            "see https://a.example/x?a=1&b=2, snake_case_name * a *",
            "see <https://a.example/x?a=1&amp;b=2>, snake_case_name * a *",
            json!([{"type": "rich_text_section", "elements": [
                {"type": "text", "text": "see "}, {"type": "link", "url": "https://a.example/x?a=1&b=2"},
                {"type": "text", "text": ", snake_case_name * a *"}]}]),
        );
    }
}
