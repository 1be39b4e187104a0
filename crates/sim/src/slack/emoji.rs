//! The emoji short names that the simulated clients know, out of the iamcal set.

/// Short name, character, code points as in `unicode` of rich text.
pub const KNOWN: [(&str, &str); 64] = [
    ("+1", "👍"),
    ("thumbsup", "👍"),
    ("-1", "👎"),
    ("heart", "❤️"),
    ("smile", "😄"),
    ("grinning", "😀"),
    ("slightly_smiling_face", "🙂"),
    ("wink", "😉"),
    ("joy", "😂"),
    ("sob", "😭"),
    ("cry", "😢"),
    ("tada", "🎉"),
    ("rocket", "🚀"),
    ("eyes", "👀"),
    ("wave", "👋"),
    ("fire", "🔥"),
    ("white_check_mark", "✅"),
    ("x", "❌"),
    ("heavy_check_mark", "✔️"),
    ("warning", "⚠️"),
    ("clap", "👏"),
    ("pray", "🙏"),
    ("raised_hands", "🙌"),
    ("muscle", "💪"),
    ("thinking_face", "🤔"),
    ("heart_eyes", "😍"),
    ("sunglasses", "😎"),
    ("100", "💯"),
    ("coffee", "☕"),
    ("ship", "🚢"),
    ("anchor", "⚓"),
    ("bug", "🐛"),
    ("bulb", "💡"),
    ("star", "⭐"),
    ("sparkles", "✨"),
    ("zap", "⚡"),
    ("snowflake", "❄️"),
    ("sunny", "☀️"),
    ("rain_cloud", "🌧️"),
    ("ok_hand", "👌"),
    ("point_up", "☝️"),
    ("point_right", "👉"),
    ("point_left", "👈"),
    ("question", "❓"),
    ("exclamation", "❗"),
    ("bow", "🙇"),
    ("shrug", "🤷"),
    ("facepalm", "🤦"),
    ("party_blob", ""),
    ("package", "📦"),
    ("memo", "📝"),
    ("calendar", "📆"),
    ("hourglass", "⌛"),
    ("lock", "🔒"),
    ("key", "🔑"),
    ("mag", "🔍"),
    ("bell", "🔔"),
    ("speech_balloon", "💬"),
    ("flag-de", "🇩🇪"),
    ("flag-br", "🇧🇷"),
    ("flag-ng", "🇳🇬"),
    ("pizza", "🍕"),
    ("cake", "🍰"),
    ("upside_down_face", "🙃"),
];

/// The character of a short name (without colons or tone).
pub fn character(name: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, character)| *character)
        .filter(|text| !text.is_empty())
}

/// Replaces characters by `:short_name:`, as Slack stores them; a skin tone becomes `:name::skin-tone-N:`.
pub fn to_short_names(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    'outer: while let Some(first) = rest.chars().next() {
        if !first.is_ascii() {
            let mut best: Option<(&str, &str)> = None;
            for (name, character) in KNOWN {
                if character.is_empty() {
                    continue;
                }
                let plain = character.trim_end_matches('\u{fe0f}');
                for form in [character, plain] {
                    if rest.starts_with(form) && best.is_none_or(|(_, known)| known.len() < form.len()) {
                        best = Some((name, form));
                    }
                }
            }
            if let Some((name, form)) = best {
                rest = &rest[form.len()..];
                let tone = rest.chars().next().and_then(|next| {
                    let tone = u32::from(next).checked_sub(0x1f3fb)?;
                    (tone < 5).then_some((tone + 2, next.len_utf8()))
                });
                out.push(':');
                out.push_str(name);
                out.push(':');
                if let Some((tone, len)) = tone {
                    out.extend([":skin-tone-", &tone.to_string(), ":"]);
                    rest = &rest[len..];
                }
                continue 'outer;
            }
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// `1f44d` or `1f44d-1f3fb`: the code points of a known emoji with an optional tone (2 to 6).
pub fn code_points(name: &str, tone: Option<u32>) -> Option<String> {
    let mut points: Vec<String> =
        character(name)?.chars().map(|point| format!("{:x}", u32::from(point))).collect();
    if let Some(tone) = tone {
        points.retain(|point| point != "fe0f");
        points.insert(1, format!("{:x}", 0x1f3fb + tone.saturating_sub(2)));
    }
    Some(points.join("-"))
}
