//! The story's script: for every feature that a person can use on the source, what they write there and what
//! the target's own reader must find. Rows come from the capability data, so a feature that is carried and
//! not told here fails the script's test.

use dragoman_model::Feature;
use serde_json::Value;

use super::sides::Seen;

/// What is done at the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// A message.
    Post,
    /// A reply in the thread of a message.
    Reply,
    /// A reply that is also sent to the conversation.
    Broadcast,
    /// A message, then an edit of it.
    Edit,
    /// A message, then its deletion.
    Delete,
}

/// A row of the script.
pub(crate) struct Row {
    /// Which feature.
    pub(crate) feature: Feature,
    /// What is shown, for the table.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) act: Act,
    /// What a person on Slack writes; `{}` is the step's mark. `None`: nobody can there.
    pub(crate) slack: Option<&'static str>,
    /// What a person on Teams writes.
    pub(crate) teams: Option<&'static str>,
    /// What Slack's API must show at the target.
    pub(crate) on_slack: fn(&Seen) -> bool,
    /// What Graph must show at the target.
    pub(crate) on_teams: fn(&Seen) -> bool,
}

fn any(_: &Seen) -> bool {
    true
}

/// A text element of a `rich_text` block with this style.
fn styled(value: &Value, style: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| styled(item, style)),
        Value::Object(fields) => {
            fields.get("style").is_some_and(|styles| styles[style] == true)
                || fields.values().any(|field| styled(field, style))
        }
        _ => false,
    }
}

/// An element or block of this type.
fn typed(value: &Value, kind: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| typed(item, kind)),
        Value::Object(fields) => {
            fields.get("type").is_some_and(|found| found == kind)
                || fields.values().any(|field| typed(field, kind))
        }
        _ => false,
    }
}

fn blocks(seen: &Seen) -> &Value {
    &seen.raw["blocks"]
}

fn one_of(seen: &Seen, tags: &[&str]) -> bool {
    tags.iter().any(|tag| seen.markup.contains(tag))
}

/// The script. Ids of mentions are those of the demo's world.
pub(crate) const SCRIPT: &[Row] = &[
    Row {
        feature: Feature::Text,
        name: "plain text",
        act: Act::Post,
        slack: Some("Ferry leaves at nine & not later {}"),
        teams: Some("<p>Ferry leaves at nine &amp; not later {}</p>"),
        on_slack: |seen| seen.markup.contains("Ferry leaves at nine"),
        on_teams: |seen| seen.markup.contains("Ferry leaves at nine &amp; not later"),
    },
    Row {
        feature: Feature::Text,
        name: "bold, italic, strike",
        act: Act::Post,
        slack: Some("{} *strong* and _soft_ and ~gone~"),
        teams: Some("<p>{} <strong>strong</strong> and <em>soft</em> and <s>gone</s></p>"),
        on_slack: |seen| ["bold", "italic", "strike"].iter().all(|style| styled(blocks(seen), style)),
        on_teams: |seen| {
            one_of(seen, &["<b>", "<strong>"])
                && one_of(seen, &["<i>", "<em>"])
                && one_of(seen, &["<s>", "<strike>"])
        },
    },
    Row {
        feature: Feature::Text,
        name: "a link",
        act: Act::Post,
        slack: Some("{} see https://harbor.example/plan?a=1&b=2"),
        teams: Some("<p>{} see <a href=\"https://harbor.example/plan?a=1&amp;b=2\">the plan</a></p>"),
        on_slack: |seen| typed(blocks(seen), "link") && seen.markup.contains("harbor.example/plan"),
        on_teams: |seen| seen.markup.contains("href=\"https://harbor.example/plan"),
    },
    Row {
        feature: Feature::Text,
        name: "a quote",
        act: Act::Post,
        slack: Some("> low tide at noon {}\nso we wait"),
        teams: Some("<blockquote><p>low tide at noon {}</p></blockquote><p>so we wait</p>"),
        on_slack: |seen| typed(blocks(seen), "rich_text_quote"),
        on_teams: |seen| seen.markup.contains("<blockquote"),
    },
    Row {
        feature: Feature::Text,
        name: "a list",
        act: Act::Post,
        slack: None,
        teams: Some("<p>{}</p><ol><li>rope</li><li>lamp</li></ol>"),
        on_slack: |seen| typed(blocks(seen), "rich_text_list"),
        on_teams: |seen| seen.markup.contains("<ol") && seen.markup.contains("<li"),
    },
    Row {
        feature: Feature::Text,
        name: "what looks like markup stays text",
        act: Act::Post,
        slack: Some("{} <b>not bold</b> <at>nobody</at>"),
        teams: Some("<p>{} &lt;!here&gt; *not bold* &lt;@U07ANASOUZA&gt;</p>"),
        on_slack: |seen| !typed(blocks(seen), "broadcast") && !typed(blocks(seen), "user"),
        on_teams: |seen| {
            !seen.markup.contains("<at>nobody")
                && !seen.markup.contains("<b>not")
                && seen.markup.contains("&lt;")
        },
    },
    Row {
        feature: Feature::Code,
        name: "inline code",
        act: Act::Post,
        slack: Some("{} run `make all` first"),
        teams: Some("<p>{} run <code>make all</code> first</p>"),
        on_slack: |seen| styled(blocks(seen), "code"),
        on_teams: |seen| seen.markup.contains("<code>make all</code>"),
    },
    Row {
        feature: Feature::Code,
        name: "a code block",
        act: Act::Post,
        slack: Some("{}\n```let x = 1;\nlet y = 2;```"),
        teams: Some("<p>{}</p><pre><code>let x = 1;<br>let y = 2;</code></pre>"),
        on_slack: |seen| typed(blocks(seen), "rich_text_preformatted"),
        on_teams: |seen| one_of(seen, &["<pre", "<codeblock"]) && seen.markup.contains("let y = 2;"),
    },
    Row {
        feature: Feature::Headings,
        name: "a heading",
        act: Act::Post,
        slack: None,
        teams: Some("<h1>Harbour day {}</h1><p>all welcome</p>"),
        on_slack: |seen| seen.markup.contains("Harbour day"),
        on_teams: |seen| seen.markup.contains("<h1"),
    },
    Row {
        feature: Feature::Tables,
        name: "a table",
        act: Act::Post,
        slack: None,
        teams: Some(
            "<p>{}</p><table><tr><td>boat</td><td>crew</td></tr><tr><td>Tern</td><td>4</td></tr></table>",
        ),
        on_slack: |seen| seen.markup.contains("boat") && seen.markup.contains("Tern"),
        on_teams: |seen| seen.markup.contains("<td"),
    },
    Row {
        feature: Feature::ThreadReply,
        name: "a reply in the thread",
        act: Act::Reply,
        slack: Some("I bring the rope {}"),
        teams: Some("<p>I bring the rope {}</p>"),
        on_slack: |seen| seen.thread_root.is_some(),
        on_teams: |seen| seen.thread_root.is_some(),
    },
    Row {
        feature: Feature::Broadcast,
        name: "a reply also sent to the channel",
        act: Act::Broadcast,
        slack: Some("for everybody: pier two {}"),
        teams: None,
        on_slack: |seen| seen.raw["subtype"] == "thread_broadcast" || seen.thread_root.is_some(),
        on_teams: |seen| seen.thread_root.is_some(),
    },
    Row {
        feature: Feature::Edit,
        name: "an edit",
        act: Act::Edit,
        slack: Some("now at ten {}"),
        teams: Some("<p>now at ten {}</p>"),
        on_slack: |seen| seen.markup.contains("now at ten"),
        on_teams: |seen| seen.markup.contains("now at ten"),
    },
    Row {
        feature: Feature::Deletion,
        name: "a deletion",
        act: Act::Delete,
        slack: Some("never mind {}"),
        teams: Some("<p>never mind {}</p>"),
        on_slack: any,
        on_teams: any,
    },
    Row {
        feature: Feature::MentionPerson,
        name: "a mention of a person on both sides",
        act: Act::Post,
        slack: Some("{} ask @Chloe Martin about it"),
        teams: Some("<p>{} ask <at:44a3d9e6-af58-4eb0-94fc-62715fbe7a34:Chloe Martin> about it</p>"),
        on_slack: |seen| seen.markup.contains("U07CHLOEMARTIN"),
        on_teams: |seen| {
            let mentions = seen.raw["mentions"].as_array();
            mentions.is_some_and(|all| {
                all.iter().any(|one| one["mentionText"] == "Chloe Martin" || one["mentionText"] == "Chloe")
            })
        },
    },
    Row {
        feature: Feature::MentionEveryone,
        name: "a mention of everyone",
        act: Act::Post,
        slack: Some("{} @channel we are late"),
        teams: Some("<p>{} <at:channel:everyone> we are late</p>"),
        on_slack: |seen| typed(blocks(seen), "broadcast"),
        // A bot cannot call everybody; its copy says whom the source called.
        on_teams: |seen| seen.markup.contains("@everyone"),
    },
    Row {
        feature: Feature::AuthorName,
        name: "the author's name",
        act: Act::Post,
        slack: Some("it is me {}"),
        teams: Some("<p>it is me {}</p>"),
        on_slack: any,
        on_teams: any,
    },
    Row {
        feature: Feature::AuthorPicture,
        name: "the author's picture",
        act: Act::Post,
        slack: Some("and my face {}"),
        teams: Some("<p>and my face {}</p>"),
        on_slack: |seen| seen.raw["icons"].as_object().is_some_and(|icons| !icons.is_empty()),
        on_teams: any,
    },
];

/// Features whose issue has not come: they are carried as a line of text or not at all, and the story does not
/// tell of them.
#[cfg(test)]
const NOT_TOLD: &[Feature] = &[
    Feature::ReactionOwn,
    Feature::ReactionApp,
    Feature::File,
    Feature::OwnToken,
    Feature::Quote,
    Feature::Card,
    Feature::DirectMessage,
    Feature::CustomEmoji,
    Feature::Notice,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_told_or_named_as_not_told() {
        for feature in Feature::ALL {
            let told = SCRIPT.iter().any(|row| row.feature == *feature);
            assert_ne!(told, NOT_TOLD.contains(feature), "{}", feature.as_str());
        }
    }
}
