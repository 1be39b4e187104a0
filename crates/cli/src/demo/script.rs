//! The story's script: for every feature that a person can use on the source, what they write there and what
//! the target's own reader must find. Rows come from the capability data, so a feature that is carried and
//! not told here fails the script's test.

use dragoman_model::Feature;

use super::checks::{any, at_ten, berth, blocks, filled, in_thread, named, one_of, ranged, styled, typed};
use super::row::{Act, Row, Shows, Words};

/// The script. Ids of mentions are those of the demo's world.
pub(crate) const SCRIPT: &[Row] = &[
    Row {
        feature: Feature::Text,
        name: "plain text",
        act: Act::Post,
        short: true,
        words: Words {
            slack: Some("Ferry leaves at nine & not later {}"),
            teams: Some("<p>Ferry leaves at nine &amp; not later {}</p>"),
            webex: Some("Ferry leaves at nine & not later {}"),
            zoom: Some("Ferry leaves at nine & not later {}"),
        },
        shows: Shows {
            slack: |seen| seen.markup.contains("Ferry leaves at nine"),
            teams: |seen| seen.markup.contains("Ferry leaves at nine &amp; not later"),
            webex: |seen| seen.markup.contains("Ferry leaves at nine &amp; not later"),
            zoom: |seen| seen.markup.contains("Ferry leaves at nine & not later"),
        },
    },
    Row {
        feature: Feature::Text,
        name: "bold, italic",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("{} *strong* and _soft_"),
            teams: Some("<p>{} <strong>strong</strong> and <em>soft</em></p>"),
            webex: Some("{} **strong** and _soft_"),
            zoom: Some("{} **strong** and _soft_"),
        },
        shows: Shows {
            slack: |seen| ["bold", "italic"].iter().all(|style| styled(blocks(seen), style)),
            teams: |seen| one_of(seen, &["<b>", "<strong>"]) && one_of(seen, &["<i>", "<em>"]),
            webex: |seen| {
                seen.markup.contains("<strong>strong</strong>") && seen.markup.contains("<em>soft</em>")
            },
            zoom: |seen| ranged(seen, "Bold") > 1 && ranged(seen, "Italic") > 0,
        },
    },
    Row {
        feature: Feature::Text,
        name: "struck through",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("{} ~gone~ for good"),
            teams: Some("<p>{} <s>gone</s> for good</p>"),
            // Whether its clients have it is not documented.
            webex: None,
            zoom: Some("{} ~~gone~~ for good"),
        },
        shows: Shows {
            slack: |seen| styled(blocks(seen), "strike"),
            teams: |seen| one_of(seen, &["<s>", "<strike>"]),
            webex: |seen| seen.markup.contains("gone"),
            zoom: |seen| ranged(seen, "Strikethrough") > 0,
        },
    },
    Row {
        feature: Feature::Text,
        name: "a link",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("{} see https://harbor.example/plan?a=1&b=2"),
            teams: Some("<p>{} see <a href=\"https://harbor.example/plan?a=1&amp;b=2\">the plan</a></p>"),
            webex: Some("{} see [the plan](https://harbor.example/plan?a=1&b=2)"),
            zoom: Some("{} see [the plan](https://harbor.example/plan?a=1&b=2)"),
        },
        shows: Shows {
            slack: |seen| typed(blocks(seen), "link") && seen.markup.contains("harbor.example/plan"),
            teams: |seen| seen.markup.contains("href=\"https://harbor.example/plan"),
            webex: |seen| seen.markup.contains("href=\"https://harbor.example/plan"),
            zoom: |seen| ranged(seen, "AddLink") > 0,
        },
    },
    Row {
        feature: Feature::Text,
        name: "a quote",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("> low tide at noon {}\nso we wait"),
            teams: Some("<blockquote><p>low tide at noon {}</p></blockquote><p>so we wait</p>"),
            webex: Some("> low tide at noon {}\n\nso we wait"),
            zoom: Some("> low tide at noon {}\nso we wait"),
        },
        shows: Shows {
            slack: |seen| typed(blocks(seen), "rich_text_quote"),
            teams: |seen| seen.markup.contains("<blockquote"),
            webex: |seen| seen.markup.contains("<blockquote"),
            zoom: |seen| ranged(seen, "Quote") > 0,
        },
    },
    Row {
        feature: Feature::Text,
        name: "a list",
        act: Act::Post,
        short: false,
        words: Words {
            slack: None,
            teams: Some("<p>{}</p><ol><li>rope</li><li>lamp</li></ol>"),
            webex: Some("{}\n\n1. rope\n2. lamp"),
            zoom: Some("{}\n1. rope\n1. lamp"),
        },
        shows: Shows {
            slack: |seen| typed(blocks(seen), "rich_text_list"),
            teams: |seen| seen.markup.contains("<ol") && seen.markup.contains("<li"),
            webex: |seen| seen.markup.contains("<ol") && seen.markup.contains("<li"),
            zoom: |seen| ranged(seen, "NumberedList") > 0,
        },
    },
    Row {
        feature: Feature::Text,
        name: "what looks like markup stays text",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("{} <b>not bold</b> <at>nobody</at> <@all>"),
            teams: Some("<p>{} &lt;!here&gt; *not bold* &lt;@U07ANASOUZA&gt; &lt;@all&gt;</p>"),
            webex: Some("{} not bold: 1 < 2, <!here> <at>nobody</at>"),
            zoom: Some("{} <b>not bold</b> <!here> <at>nobody</at>"),
        },
        shows: Shows {
            slack: |seen| !typed(blocks(seen), "broadcast") && !typed(blocks(seen), "user"),
            teams: |seen| {
                !seen.markup.contains("<at>nobody")
                    && !seen.markup.contains("<b>not")
                    && seen.markup.contains("&lt;")
            },
            webex: |seen| {
                !seen.markup.contains("spark-mention")
                    && !seen.markup.contains("<b>not")
                    && !filled(&seen.raw["mentionedGroups"])
                    && !filled(&seen.raw["mentionedPeople"])
            },
            zoom: |seen| !filled(&seen.raw["at_items"]) && seen.markup.contains("not bold"),
        },
    },
    Row {
        feature: Feature::Code,
        name: "inline code",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("{} run `make all` first"),
            teams: Some("<p>{} run <code>make all</code> first</p>"),
            webex: Some("{} run `make all` first"),
            zoom: None,
        },
        shows: Shows {
            slack: |seen| styled(blocks(seen), "code"),
            teams: |seen| seen.markup.contains("<code>make all</code>"),
            webex: |seen| seen.markup.contains("<code>make all</code>"),
            zoom: |seen| seen.markup.contains("`make all`"),
        },
    },
    Row {
        feature: Feature::Code,
        name: "a code block",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("{}\n```let x = 1;\nlet y = 2;```"),
            teams: Some("<p>{}</p><pre><code>let x = 1;<br>let y = 2;</code></pre>"),
            webex: Some("{}\n\n```\nlet x = 1;\nlet y = 2;\n```"),
            zoom: None,
        },
        shows: Shows {
            slack: |seen| typed(blocks(seen), "rich_text_preformatted"),
            teams: |seen| one_of(seen, &["<pre", "<codeblock"]) && seen.markup.contains("let y = 2;"),
            webex: |seen| seen.markup.contains("<pre") && seen.markup.contains("let y = 2;"),
            zoom: |seen| seen.markup.contains("let y = 2;"),
        },
    },
    Row {
        feature: Feature::Headings,
        name: "a heading",
        act: Act::Post,
        short: false,
        words: Words {
            slack: None,
            teams: Some("<h1>Harbour day {}</h1><p>all welcome</p>"),
            webex: Some("# Harbour day {}\n\nall welcome"),
            zoom: None,
        },
        shows: Shows {
            slack: |seen| seen.markup.contains("Harbour day"),
            teams: |seen| seen.markup.contains("<h1"),
            webex: |seen| seen.markup.contains("<h1"),
            zoom: |seen| seen.markup.contains("Harbour day") && ranged(seen, "Paragraph") > 0,
        },
    },
    Row {
        feature: Feature::Tables,
        name: "a table",
        act: Act::Post,
        short: false,
        words: Words {
            slack: None,
            teams: Some(
                "<p>{}</p><table><tr><td>boat</td><td>crew</td></tr><tr><td>Tern</td><td>4</td></tr></table>",
            ),
            webex: None,
            zoom: None,
        },
        shows: Shows {
            slack: |seen| seen.markup.contains("boat") && seen.markup.contains("Tern"),
            teams: |seen| seen.markup.contains("<td"),
            webex: |seen| seen.markup.contains("<pre") && seen.markup.contains("Tern"),
            zoom: |seen| seen.markup.contains("boat") && seen.markup.contains("Tern"),
        },
    },
    Row {
        feature: Feature::ThreadReply,
        name: "a reply in the thread",
        act: Act::Reply,
        short: true,
        words: Words {
            slack: Some("I bring the rope {}"),
            teams: Some("<p>I bring the rope {}</p>"),
            webex: Some("I bring the rope {}"),
            zoom: Some("I bring the rope {}"),
        },
        shows: Shows { slack: in_thread, teams: in_thread, webex: in_thread, zoom: in_thread },
    },
    Row {
        feature: Feature::Broadcast,
        name: "a reply also sent to the channel",
        act: Act::Broadcast,
        short: false,
        words: Words { slack: Some("for everybody: pier two {}"), teams: None, webex: None, zoom: None },
        shows: Shows {
            slack: |seen| seen.raw["subtype"] == "thread_broadcast" || in_thread(seen),
            teams: in_thread,
            webex: in_thread,
            zoom: in_thread,
        },
    },
    Row {
        feature: Feature::Edit,
        name: "an edit",
        act: Act::Edit,
        short: true,
        words: Words {
            slack: Some("now at ten {}"),
            teams: Some("<p>now at ten {}</p>"),
            webex: Some("now at ten {}"),
            zoom: Some("now at ten {}"),
        },
        shows: Shows { slack: at_ten, teams: at_ten, webex: at_ten, zoom: at_ten },
    },
    Row {
        feature: Feature::Deletion,
        name: "a deletion",
        act: Act::Delete,
        short: true,
        words: Words {
            slack: Some("never mind {}"),
            teams: Some("<p>never mind {}</p>"),
            webex: Some("never mind {}"),
            zoom: Some("never mind {}"),
        },
        shows: Shows { slack: any, teams: any, webex: any, zoom: any },
    },
    Row {
        feature: Feature::ReactionApp,
        name: "a reaction, and who made it",
        act: Act::React,
        short: true,
        words: Words {
            slack: Some("who has the lamp {}"),
            teams: Some("<p>who has the lamp {}</p>"),
            // Nothing of a reaction reaches an app.
            webex: None,
            zoom: Some("who has the lamp {}"),
        },
        shows: Shows {
            slack: |seen| named(&seen.raw["reactions"], "name", "+1"),
            teams: |seen| named(&seen.raw["reactions"], "reactionType", "👍"),
            // There is none: the note tells.
            webex: any,
            zoom: |seen| named(&seen.raw["reactions"], "emoji", "U+1F44D"),
        },
    },
    Row {
        feature: Feature::MentionPerson,
        name: "a mention of a person known everywhere",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("{} ask @Chloe Martin about it"),
            teams: Some("<p>{} ask <at:44a3d9e6-af58-4eb0-94fc-62715fbe7a34:Chloe Martin> about it</p>"),
            webex: Some("{} ask @Chloe Martin about it"),
            zoom: Some("{} ask @Chloe Martin about it"),
        },
        shows: Shows {
            slack: |seen| seen.markup.contains("U07CHLOEMARTIN"),
            teams: |seen| {
                let mentions = seen.raw["mentions"].as_array();
                mentions.is_some_and(|all| {
                    all.iter()
                        .any(|one| one["mentionText"] == "Chloe Martin" || one["mentionText"] == "Chloe")
                })
            },
            webex: |seen| filled(&seen.raw["mentionedPeople"]),
            zoom: |seen| filled(&seen.raw["at_items"]),
        },
    },
    Row {
        feature: Feature::MentionEveryone,
        name: "a mention of everyone",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("{} @channel we are late"),
            teams: Some("<p>{} <at:channel:everyone> we are late</p>"),
            webex: Some("{} @All we are late"),
            zoom: Some("{} @all we are late"),
        },
        shows: Shows {
            slack: |seen| typed(blocks(seen), "broadcast"),
            // A bot cannot call everybody; its copy says whom the source called.
            teams: |seen| seen.markup.contains("@everyone"),
            webex: |seen| filled(&seen.raw["mentionedGroups"]),
            zoom: |seen| filled(&seen.raw["at_items"]),
        },
    },
    Row {
        feature: Feature::AuthorName,
        name: "the author's name",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("it is me {}"),
            teams: Some("<p>it is me {}</p>"),
            webex: Some("it is me {}"),
            zoom: Some("it is me {}"),
        },
        shows: Shows { slack: any, teams: any, webex: any, zoom: any },
    },
    Row {
        feature: Feature::AuthorPicture,
        name: "the author's picture",
        act: Act::Post,
        short: false,
        words: Words {
            slack: Some("and my face {}"),
            teams: Some("<p>and my face {}</p>"),
            webex: Some("and my face {}"),
            zoom: Some("and my face {}"),
        },
        shows: Shows {
            slack: |seen| seen.raw["icons"].as_object().is_some_and(|icons| !icons.is_empty()),
            teams: any,
            webex: any,
            zoom: any,
        },
    },
    Row {
        feature: Feature::Quote,
        name: "a message quoted or forwarded",
        act: Act::Quote,
        short: false,
        words: Words {
            slack: Some("look at this {}"),
            teams: Some("<p>look at this {}</p>"),
            webex: None,
            zoom: None,
        },
        shows: Shows {
            slack: |seen| typed(blocks(seen), "rich_text_quote") && seen.markup.contains("low tide at noon"),
            teams: |seen| seen.markup.contains("<blockquote") && seen.markup.contains("low tide at noon"),
            webex: |seen| seen.markup.contains("<blockquote") && seen.markup.contains("low tide at noon"),
            zoom: |seen| ranged(seen, "Quote") > 0 && seen.markup.contains("low tide at noon"),
        },
    },
    Row {
        feature: Feature::Quote,
        name: "a link to a message",
        act: Act::Link,
        short: true,
        words: Words {
            slack: Some("as said in <link> {}"),
            teams: Some("<p>as said in <a href=\"<link>\">that message</a> {}</p>"),
            webex: Some("as said in <link> {}"),
            zoom: Some("as said in <link> {}"),
        },
        shows: Shows { slack: any, teams: any, webex: any, zoom: any },
    },
    Row {
        feature: Feature::Card,
        name: "a card, as text with its link",
        act: Act::Card,
        short: false,
        words: Words { slack: Some("{}"), teams: Some("{}"), webex: None, zoom: None },
        shows: Shows {
            slack: |seen| berth(seen) && seen.markup.contains("harbor.example/berth"),
            teams: |seen| berth(seen) && seen.markup.contains("href=\"https://harbor.example/berth"),
            webex: |seen| berth(seen) && seen.markup.contains("href=\"https://harbor.example/berth"),
            zoom: |seen| berth(seen) && ranged(seen, "AddLink") > 0,
        },
    },
    Row {
        feature: Feature::CustomEmoji,
        name: "a custom emoji, by its name",
        act: Act::Post,
        short: false,
        words: Words { slack: Some("{} hoist the :harbor: now"), teams: None, webex: None, zoom: None },
        shows: Shows {
            slack: |seen| seen.markup.contains("harbor"),
            teams: |seen| seen.markup.contains(":harbor:"),
            webex: |seen| seen.markup.contains(":harbor:"),
            zoom: |seen| seen.markup.contains(":harbor:"),
        },
    },
    Row {
        feature: Feature::Notice,
        name: "a new topic or name, somebody leaves",
        act: Act::Change,
        short: false,
        words: Words { slack: Some("{}"), teams: Some("{}"), webex: Some("{}"), zoom: Some("{}") },
        shows: Shows {
            slack: |seen| styled(blocks(seen), "italic"),
            teams: |seen| one_of(seen, &["<i>", "<em>"]),
            webex: |seen| seen.markup.contains("<em>"),
            zoom: |seen| ranged(seen, "Italic") > 0 && ranged(seen, "Bold") == 0,
        },
    },
    Row {
        feature: Feature::File,
        name: "a file",
        act: Act::File,
        short: true,
        words: Words {
            slack: Some("what is in {} of Slack\n"),
            teams: Some("what is in {} of Teams\n"),
            webex: Some("what is in {} of Webex\n"),
            zoom: Some("what is in {} of Zoom\n"),
        },
        shows: Shows { slack: any, teams: any, webex: any, zoom: any },
    },
];

/// Features that the story tells apart from the bridges: people begin them, or grant them.
#[cfg(test)]
const TOLD_APART: &[Feature] = &[Feature::DirectMessage, Feature::OwnToken, Feature::ReactionOwn];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_told() {
        for feature in Feature::ALL {
            let told = SCRIPT.iter().any(|row| row.feature == *feature) || TOLD_APART.contains(feature);
            assert!(told, "{}", feature.as_str());
        }
    }
}
