//! What people do in direct conversations, from asking to parting.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use dragoman_gateway::admin::api;
use dragoman_sim::core::{FaultKind, FaultOrder, LogEntry, LogKind};
use dragoman_sim::slack::SeedApp;
use dragoman_sim::teams::{Draft, seed};
use dragoman_sim::zoom::config as zoom;
use e2e::{Side as _, World, eventually};

use super::people::{
    ANA, BEN, Person, SOON, ana, ben, chat_on_slack, dana, emre, gita, imani, is_copy_of, world,
};

/// One asks, the other accepts, both write, edit and delete, and one ends it.
async fn converse(world: &World, one: &Person, other: &Person, mark: &str) -> Result<()> {
    let mine = |word: &str| format!("{word}{mark}");
    one.asks(&[other], &mine("salut")).await?;
    one.sees(&[other.first, "was asked"]).await?;
    let open = world.ask(&api::BridgeList { ended: false }).await?.len();
    ensure!(open == 1, "something is open before the other says yes");

    other.says("accept").await?;
    other.sees(&["You are writing with", one.first]).await?;
    one.sees(&["You are writing with", other.first]).await?;

    let said = one.says(&mine("eins")).await?;
    other.sees(&[&mine("eins"), one.first]).await?;
    other.says(&mine("zwei")).await?;
    one.sees(&[&mine("zwei"), other.first]).await?;
    one.side.edit(&said, None, &mine("drei")).await?;
    other.sees(&[&mine("drei")]).await?;
    one.side.delete(&said, None).await?;
    other.sees_no(&mine("drei")).await?;

    let before = other.count("dm list").await?;
    one.says("dm list").await?;
    one.sees(&[other.email, ": open"]).await?;
    ensure!(other.count("dm list").await? == before, "a command was relayed");

    one.says("dm close").await?;
    other.sees(&[one.first, "ended this conversation"]).await?;
    one.sees(&[other.first, "has ended"]).await?;
    other.says(&mine("late")).await?;
    // What comes later in the same chat is answered, so that what came before was heard by then.
    other.says("dm list").await?;
    other.sees(&[one.email, "not open"]).await?;
    world.settled(SOON).await?;
    ensure!(one.count(&mine("late")).await? == 0, "it was relayed after the end");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_all_platforms_ask_for_conversations_and_have_them() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita, imani) = (ana(&world)?, dana(&world), gita(&world)?, imani(&world)?);
    for (mark, one, other) in
        [("sT", &ana, &dana), ("tW", &dana, &gita), ("wZ", &gita, &imani), ("zS", &imani, &ana)]
    {
        if let Err(error) = converse(&world, one, other, mark).await {
            let (here, there) = (one.all().await?, other.all().await?);
            bail!("{} → {}: {error:#}; {here:?}; {there:?}", one.first, other.first);
        }
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_out_of_a_chat_with_the_app_on_teams() -> Result<()> {
    let world = world().await?;
    let (ana, dana) = (ana(&world)?, dana(&world));
    ana.begins(&[&dana], "hello").await?;

    let chat = world.teams.personal_chat_in_graph(seed::APP, seed::DANA);
    let files = [("plan.txt", &b"the plan"[..])];
    let draft = world.teams.attaching(seed::DANA, &chat, Draft::html("<p>look here</p>"), &files)?;
    world.teams.post(seed::DANA, &chat, draft)?;
    eventually("Ana has the file", SOON, async || {
        let failed = |error| format!("{error:#}");
        let mut found = Vec::new();
        for seen in ana.side.read().await.map_err(failed)? {
            found.extend(ana.side.files(&seen).await.map_err(failed)?);
        }
        let wanted = [("plan.txt".to_owned(), b"the plan".to_vec())];
        if found == wanted { Ok(()) } else { Err(format!("{} files", found.len())) }
    })
    .await?;
    ana.sees(&["look here"]).await?;
    ensure!(world.settled(SOON).await?.dead_letters == 0, "something was given up");
    world.end().await
}

/// A bot attaches nothing, and puts a file where whoever it is for says.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_offered_in_a_chat_with_the_app_on_teams() -> Result<()> {
    let mut world = world().await?;
    let (ana, dana) = (ana(&world)?, dana(&world));
    ana.begins(&[&dana], "hello").await?;
    let chat = world.teams_chat(seed::DANA, "Dana Lindqvist");
    let offered = async |name: &str| {
        eventually(&format!("Dana is offered {name}"), SOON, async || {
            let offers = chat.offers();
            let found = offers.iter().find(|(_, known)| known == name).map(|(id, _)| id.clone());
            found.ok_or_else(|| format!("{offers:?}"))
        })
        .await
    };
    let holds = async |wanted: &[(&str, &[u8])], offers: usize| {
        eventually(&format!("Dana has {} files", wanted.len()), SOON, async || {
            let mut found = Vec::new();
            for seen in chat.read().await.map_err(|error| format!("{error:#}"))? {
                found.extend(chat.files(&seen).await.map_err(|error| format!("{error:#}"))?);
            }
            let same = found
                .iter()
                .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
                .eq(wanted.iter().copied());
            let left = chat.offers().len();
            if same && left == offers { Ok(()) } else { Err(format!("{} files, {left} offers", found.len())) }
        })
        .await
    };
    let draft = ana.side.post_file("draft.txt", b"words", "have a look", None).await?;
    dana.sees(&["have a look"]).await?;
    let first = offered("draft.txt").await?;
    holds(&[], 1).await?;
    chat.accept(&first)?;
    holds(&[("draft.txt", b"words")], 0).await?;

    // What is not wanted stays an offer, and what is deleted is none any more.
    let plan = ana.side.post_file("plan.txt", b"the plan", "", None).await?;
    let second = offered("plan.txt").await?;
    chat.decline(&second)?;
    world.settled(SOON).await?;
    holds(&[("draft.txt", b"words")], 1).await?;
    ana.side.delete(&plan, None).await?;
    holds(&[("draft.txt", b"words")], 0).await?;

    // A gateway that dies on the way has not forgotten what was accepted.
    ana.side.post_file("last.txt", b"the last", "", None).await?;
    let third = offered("last.txt").await?;
    world.settled(SOON).await?;
    world.restart(Some("send.unanswered:1")).await?;
    chat.accept(&third)?;
    ensure!(world.binary.died(SOON).await?, "the gateway outlived it");
    world.restart(None).await?;
    holds(&[("draft.txt", b"words"), ("last.txt", b"the last")], 0).await?;
    ana.side.delete(&draft, None).await?;
    holds(&[("last.txt", b"the last")], 0).await?;
    ensure!(world.settled(SOON).await?.dead_letters == 0, "something was given up");
    world.end().await
}

async fn policy(world: &World, policy: &str, value: &str) -> Result<()> {
    let (policy, value) = (policy.to_owned(), value.to_owned());
    world.ask(&api::OrgPolicy { org: None, policy, value }).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_reached_who_does_not_want_it_or_may_not_be() -> Result<()> {
    let world = world().await?;
    let (ana, ben, dana, emre) = (ana(&world)?, ben(&world)?, dana(&world), emre(&world));

    ana.says("hello, anybody?").await?;
    ana.sees(&["Here you can write with people on other platforms"]).await?;
    ana.says("dm nobody@harbor-works.example hi").await?;
    ana.sees(&["Nobody with this address"]).await?;
    ana.says(&format!("dm {}", ben.email)).await?;
    ana.sees(&["They are on Slack as you are"]).await?;
    ana.says(&format!("dm {}", ana.email)).await?;
    ana.sees(&["your own address"]).await?;
    // Teams lets a bot write to nobody for whom the app was not added.
    ana.says("dm farah@fabrikant.example").await?;
    ana.sees(&["have not added this app on Teams", "DRG-NOT-JOINED"]).await?;

    ana.asks(&[&dana], "first").await?;
    dana.says("block").await?;
    dana.sees(&["You hear no more of", "Ana"]).await?;
    ana.says(&format!("dm {} second", dana.email)).await?;
    eventually("Ana is answered as before", SOON, async || {
        let answers = ana.count("was asked").await.map_err(|error| format!("{error:#}"))?;
        if answers == 2 { Ok(()) } else { Err(format!("{answers} answers")) }
    })
    .await?;
    world.settled(SOON).await?;
    ensure!(dana.count("second").await? == 0, "who is blocked is heard");
    ensure!(world.ask(&api::BridgeList { ended: true }).await?.len() == 1, "something was opened");
    dana.says("unblock 1").await?;
    dana.sees(&["Ana", "may ask you again"]).await?;
    ana.asks(&[&dana], "third").await?;

    policy(&world, "direct_domains", "harbor-works.example").await?;
    emre.says("dm help").await?;
    emre.sees(&["does not allow direct conversations for you"]).await?;
    let before = ana.count("Nobody with this address").await?;
    ana.says(&format!("dm {}", emre.email)).await?;
    eventually("Ana is told nothing of Emre", SOON, async || {
        let answers = ana.count("Nobody with this address").await.map_err(|error| format!("{error:#}"))?;
        if answers == before + 1 { Ok(()) } else { Err(format!("{answers} answers")) }
    })
    .await?;
    ensure!(policy(&world, "direct_domains", "no domain").await.is_err(), "that is no domain");

    policy(&world, "direct_domains", "any").await?;
    policy(&world, "direct_messages", "off").await?;
    let chat = chat_on_slack(&world, BEN)?;
    let is_told = |entry: &LogEntry| {
        let taken = entry.kind == LogKind::Delivery && entry.status == 200;
        taken && entry.conversation.as_deref() == Some(chat.as_str())
    };
    let before = world.slack.log().count(is_told);
    ben.says("dm list").await?;
    // It was off when the gateway heard this.
    ensure!(world.slack.log().wait_for(before + 1, SOON, is_told).await.is_some(), "nobody was told");
    policy(&world, "direct_messages", "known").await?;
    ben.says("dm list").await?;
    ben.sees(&["There is nobody yet"]).await?;
    world.settled(SOON).await?;
    ensure!(ben.count("There is nobody yet").await? == 1, "it was off");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_chat_holds_one_conversation_at_a_time_and_commands_are_not_done_twice() -> Result<()> {
    let mut world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    ana.begins(&[&dana], "").await?;

    // Gita is asked while Ana writes with Dana, and says yes.
    ana.asks(&[&gita], "psst").await?;
    ensure!(dana.count("psst").await? == 0, "Dana reads what is for Gita");
    gita.says("accept").await?;
    gita.sees(&["Ana", "is in another conversation"]).await?;
    ana.sees(&["Gita", "wants to write with you"]).await?;
    // Ana is not told twice within minutes, and Gita knows that these words are lost.
    gita.says("dm 1 hurry").await?;
    gita.sees(&["is in another conversation", "first words were not passed on"]).await?;
    ana.says("still to Dana").await?;
    dana.sees(&["still to Dana", "Ana"]).await?;
    ana.says("dm 1 and by number").await?;
    let by_number = dana.sees(&["and by number", "Ana"]).await?;
    ensure!(is_copy_of(&by_number, "and by number"), "{}", by_number.markup);
    ensure!(ana.count("hurry").await? == 0, "Ana reads what Gita was told is lost");

    ana.says("dm 2").await?;
    dana.sees(&["Ana", "went to another conversation"]).await?;
    gita.sees(&["You are writing with", "Ana"]).await?;
    ana.says("now to Gita").await?;
    gita.sees(&["now to Gita", "Ana"]).await?;
    dana.says("are you there?").await?;
    ana.says("dm list").await?;
    ana.sees(&["dana@fabrikant.example", "dm 1 opens it"]).await?;

    world.settled(SOON).await?;
    world.restart(None).await?;
    ana.says("after the restart").await?;
    gita.sees(&["after the restart", "Ana"]).await?;
    gita.says("welcome back").await?;
    ana.sees(&["welcome back", "Gita"]).await?;
    world.settled(SOON).await?;
    ensure!(ana.count("dm 1 opens it").await? == 1, "a command was done twice");
    ensure!(dana.count("now to Gita").await? == 0, "Dana reads what is for Gita");
    ensure!(ana.count("are you there?").await? == 0, "Dana was told that it is over");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn several_people_write_together_and_come_and_go() -> Result<()> {
    let world = world().await?;
    let (ana, ben, dana) = (ana(&world)?, ben(&world)?, dana(&world));
    let (gita, imani) = (gita(&world)?, imani(&world)?);
    ana.says(&format!("dm {} {}", ben.email, ana.email)).await?;
    ana.sees(&["They are on Slack as you are"]).await?;
    ana.says(&format!("dm {} nobody@harbor-works.example hi", dana.email)).await?;
    ana.sees(&["Nobody with this address"]).await?;
    ensure!(dana.count("wants to write").await? == 0, "somebody was asked although somebody else is unknown");

    let all = [&dana, &gita, &imani, &ben];
    let asked: Vec<&str> = all.iter().map(|person| person.email).collect();
    ana.says(&format!("dm {} ahoy", asked.join(", "))).await?;
    for person in all {
        let asked = person.sees(&["wants to write with you", "together with", "ahoy"]).await?;
        ensure!(asked.markup.contains("Ana") && !asked.markup.contains(person.first), "{}", asked.markup);
    }
    ana.sees(&["were asked", "Dana", "Gita", "Imani", "Ben"]).await?;
    ensure!(world.ask(&api::BridgeList { ended: false }).await?.len() == 1, "something is open already");

    dana.says("accept").await?;
    dana.sees(&["You are writing with", "Ana (Slack)"]).await?;
    ana.sees(&["You are writing with", "Dana Lindqvist (Teams)"]).await?;
    dana.says("before the others").await?;
    ana.sees(&["before the others", "Dana"]).await?;
    for (person, there) in [(&gita, vec![&ana, &dana]), (&imani, vec![&ana, &dana, &gita])] {
        person.says("accept").await?;
        person.sees(&["You are writing with", "Ana (Slack)"]).await?;
        for other in there {
            other.sees(&[person.first, "is in this conversation now"]).await?;
        }
    }
    ben.says("accept 1").await?;
    imani.sees(&["Ben", "is in this conversation now"]).await?;

    let everybody = [&ana, &dana, &gita, &imani, &ben];
    for (mark, person) in ["uno", "due", "tre", "quattro", "cinque"].iter().zip(everybody) {
        person.says(mark).await?;
        for other in everybody.iter().filter(|other| other.first != person.first) {
            let copy = other.sees(&[mark, person.first]).await?;
            ensure!(is_copy_of(&copy, mark), "no copy: {} {}", copy.author, copy.markup);
        }
    }
    ensure!(gita.count("before the others").await? == 0, "who joins reads nothing from before");
    let said = imani.says("sei").await?;
    for other in [&ana, &dana, &gita, &ben] {
        other.sees(&["sei", "Imani"]).await?;
    }
    imani.side.delete(&said, None).await?;
    for other in [&ana, &dana, &gita, &ben] {
        other.sees_no("sei").await?;
    }

    ana.says("dm list").await?;
    ana.sees(&["1. Together with", ": open, with"]).await?;
    gita.says("dm close").await?;
    gita.sees(&["You left the conversation"]).await?;
    dana.sees(&["Gita", "left this conversation"]).await?;
    dana.says("without Gita").await?;
    imani.sees(&["without Gita", "Dana"]).await?;
    gita.says("dm 1 again").await?;
    ana.sees(&["again", "Gita"]).await?;
    let there = gita.side.read().await?;
    let back = there.iter().filter(|seen| seen.markup.contains("You are writing with")).count();
    ensure!(back <= 2, "said {back} times");
    dana.says("with Gita").await?;
    gita.sees(&["with Gita", "Dana"]).await?;
    ensure!(gita.count("without Gita").await? == 0, "what was said meanwhile");

    world.settled(SOON).await?;
    for person in everybody {
        let shown = person.side.read().await?;
        for word in ["dm close", "dm list", "dm 1", "accept"] {
            let relayed = shown.iter().find(|seen| is_copy_of(seen, word));
            ensure!(relayed.is_none(), "{} reads a command: {relayed:?}", person.first);
        }
    }
    let talks = world.ask(&api::DirectList {}).await?.talks;
    ensure!(talks.len() == 1 && talks[0].people.len() == 5, "{talks:?}");
    let bridge = talks[0].bridge.clone().context("it is open")?;
    world.ask(&api::DirectClose { bridge: bridge.clone() }).await?;
    for person in everybody {
        person.sees(&["An administrator ended this conversation"]).await?;
    }
    ensure!(world.ask(&api::DirectClose { bridge }).await.is_err(), "it is over");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_who_writes_with_whom_and_keeps_people_out() -> Result<()> {
    let world = world().await?;
    let (ana, dana) = (ana(&world)?, dana(&world));
    let standing = async || -> Result<Vec<(api::DirectStanding, bool)>> {
        let talks = world.ask(&api::DirectList {}).await?.talks;
        Ok(talks.iter().map(|talk| (talk.state, talk.bridge.is_some())).collect())
    };
    ensure!(standing().await?.is_empty(), "nobody asked");
    ana.asks(&[&dana], "salut").await?;
    ana.sees(&["was asked"]).await?;
    ensure!(standing().await? == [(api::DirectStanding::Asked, false)], "one is asked");
    dana.says("accept").await?;
    ana.sees(&["You are writing with"]).await?;
    ensure!(standing().await? == [(api::DirectStanding::Open, true)], "one is open");

    let keep = async |allowed: bool| {
        let person = format!("slack:{ANA}");
        world.ask(&api::DirectAllow { person, allowed }).await.map(|done| done.count)
    };
    ensure!(keep(false).await? == 1 && keep(false).await? == 0, "kept out once");
    dana.sees(&["An administrator ended this conversation"]).await?;
    ensure!(standing().await? == [(api::DirectStanding::Agreed, false)], "it is over");
    ensure!(world.ask(&api::DirectList {}).await?.kept_out.len() == 1, "nobody is kept out");
    ana.says("dm 1").await?;
    ana.sees(&["does not allow direct conversations for you"]).await?;
    dana.says("dm 1").await?;
    dana.sees(&["does not allow direct conversations with", "Ana"]).await?;
    ensure!(keep(true).await? == 1, "let in");
    dana.says("dm 1 here I am").await?;
    ana.sees(&["here I am", "Dana"]).await?;
    world.end().await
}

/// What only one person of Slack saw.
async fn whispered(world: &World, user: &str, words: &[&str]) -> Result<()> {
    eventually(&format!("{user} alone sees {words:?}"), SOON, async || {
        let shown = world.slack.ephemerals(user);
        let found = shown.iter().any(|shown| words.iter().all(|word| shown.text.contains(word)));
        if found { Ok(()) } else { Err(format!("{shown:?}")) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_own_commands_and_pages_lead_to_the_same() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita, imani) = (ana(&world)?, dana(&world), gita(&world)?, imani(&world)?);
    let app = SeedApp::default().app_id;
    // Who adds the app is told what it is for, once.
    dana.sees(&["Here you can write with people on other platforms"]).await?;

    let slash = async |text: &str| world.slack.command(&app, ANA, "C07LAUNCH", text).await;
    slash("").await.map_err(|error| anyhow!("{error:?}"))?;
    whispered(&world, ANA, &["Here you can write with people on other platforms"]).await?;
    slash(&format!("{} hello by command", gita.email)).await.map_err(|error| anyhow!("{error:?}"))?;
    gita.sees(&["wants to write with you", "hello by command"]).await?;
    whispered(&world, ANA, &["Gita", "was asked"]).await?;
    gita.says("accept").await?;
    ana.sees(&["You are writing with", "Gita"]).await?;
    slash("list").await.map_err(|error| anyhow!("{error:?}"))?;
    whispered(&world, ANA, &[gita.email, ": open"]).await?;
    slash("what is this?").await.map_err(|error| anyhow!("{error:?}"))?;
    world.settled(SOON).await?;
    ensure!(gita.count("what is this").await? == 0, "what is given to the app is for the app");
    ensure!(ana.count("was asked").await? == 0, "answered twice");
    ensure!(
        !world.slack.messages("C07LAUNCH").iter().any(|it| it.to_string().contains("Gita")),
        "others read it"
    );

    world.slack.open_home(&app, ANA, "messages").map_err(|error| anyhow!("{error:?}"))?;
    world.slack.open_home(&app, ANA, "home").map_err(|error| anyhow!("{error:?}"))?;
    eventually("Ana sees the app's page", SOON, async || {
        let page = world.slack.home(&app, ANA).map(|page| page.to_string()).unwrap_or_default();
        let whole = page.contains("Here you can write") && page.contains("Gita") && page.contains(": open");
        if whole { Ok(()) } else { Err(page) }
    })
    .await?;

    let zoom = world.zoom();
    let launch = zoom.channel_id("Launch").context("the channel")?;
    ensure!(
        zoom.command(zoom::IMANI, &launch, &format!("/dragoman dm {} ahoy", ana.email)),
        "no bot knows it"
    );
    ana.sees(&["wants to write with you", "ahoy"]).await?;
    let app = zoom::SeedApp::default().app_id;
    let with_bot =
        zoom.open_direct_with_bot(zoom::IMANI, &app).map_err(|error| anyhow!("{}", error.message))?;
    eventually("the bot answers", SOON, async || {
        let all = zoom.messages(&with_bot, zoom::IMANI);
        let told = all.iter().any(|it| it.to_string().contains("was asked"));
        if told { Ok(()) } else { Err(format!("{all:?}")) }
    })
    .await?;
    slash("dm accept").await.map_err(|error| anyhow!("{error:?}"))?;
    imani.sees(&["You are writing with", "Ana"]).await?;
    gita.sees(&["Ana", "went to another conversation"]).await?;
    ana.says("to Zoom").await?;
    imani.sees(&["to Zoom", "Ana"]).await?;
    world.end().await
}

/// Where nobody adds the app, what people write to it first is answered with what it is for.
#[tokio::test(flavor = "multi_thread")]
async fn who_writes_to_the_app_first_is_told_what_it_is_for_once() -> Result<()> {
    let world = world().await?;
    for person in [ana(&world)?, gita(&world)?, imani(&world)?] {
        person.says("hello, who is there?").await?;
        person.sees(&["Here you can write with people on other platforms"]).await?;
        person.says("and what now?").await?;
        person.says("dm list").await?;
        person.sees(&["There is nobody yet"]).await?;
        let told = person.count("Here you can write").await?;
        ensure!(told == 1, "{} was told {told} times", person.first);
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_on_zoom_answers_in_the_chat_of_who_asked_and_nowhere_else() -> Result<()> {
    let world = world().await?;
    let (ana, imani) = (ana(&world)?, imani(&world)?);
    let sim = world.zoom();
    let launch = sim.channel_id("Launch").context("the channel")?;
    // Whatever the bot said in the channel would be relayed.
    let policy = api::OrgPolicy { org: None, policy: "relay_bots".to_owned(), value: "yes".to_owned() };
    world.ask(&policy).await?;
    world.link(&["slack:C07GENERAL".to_owned(), format!("zoom:{launch}")]).await?;
    let app = zoom::SeedApp::default().app_id;
    let added = sim.set_bot(zoom::IMANI, &launch, &app, true);
    added.map_err(|error| anyhow!("{}", error.message))?;
    let chat = sim.open_direct_with_bot(zoom::IMANI, &app).map_err(|error| anyhow!("{}", error.message))?;
    let shows = async |word: &str| {
        eventually(&format!("the bot says {word}"), SOON, async || {
            let by_bot = |it: &&serde_json::Value| !it["bot_message"].is_null();
            let all = sim.messages(&chat, zoom::IMANI);
            let said = all.iter().filter(by_bot).filter(|it| it.to_string().contains(word)).count();
            if said == 1 { Ok(()) } else { Err(format!("{said} times in {all:?}")) }
        })
        .await
    };
    ensure!(
        sim.command(zoom::IMANI, &launch, &format!("/dragoman dm {} ahoy", ana.email)),
        "no bot knows it"
    );
    ana.sees(&["wants to write with you", "ahoy"]).await?;
    shows("was asked").await?;
    ensure!(sim.command(zoom::IMANI, &launch, "/dragoman dm list"), "no bot knows it");
    shows(ana.email).await?;

    sim.post(zoom::IMANI, &chat, "what is this?").map_err(|error| anyhow!("{}", error.message))?;
    shows("Ana has not answered yet").await?;
    world.settled(SOON).await?;
    let in_channel = sim.messages(&launch, zoom::IMANI);
    ensure!(!in_channel.iter().any(|it| !it["bot_message"].is_null()), "it stands there: {in_channel:?}");
    for word in ["was asked", "has not answered", ana.email] {
        ensure!(imani.count(word).await? == 0, "answered twice: {word}");
        let on_slack = world.slack.messages("C07GENERAL");
        ensure!(!on_slack.iter().any(|it| it.to_string().contains(word)), "relayed: {word}");
    }

    // Conversations go on where they are, with the bridge user.
    ana.says("accept").await?;
    imani.sees(&["You are writing with", "Ana"]).await?;
    imani.says("from Zoom").await?;
    ana.sees(&["from Zoom", "Imani"]).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_when_people_part_still_arrives() -> Result<()> {
    let world = world().await?;
    let (ana, dana, imani) = (ana(&world)?, dana(&world), imani(&world)?);
    ana.begins(&[&dana], "").await?;
    imani.asks(&[&ana], "psst").await?;

    // Slack takes nothing for a while, and Dana's last words wait.
    let held =
        FaultOrder::next(4, "chat.postMessage", FaultKind::RateLimited { retry_after: "2".to_owned() });
    world.slack.faults().add(held);
    dana.says("one last word").await?;
    eventually("the last word waits", SOON, async || {
        let counts = world.ask(&api::StatusGet {}).await.map_err(|error| error.to_string())?;
        let lanes: u64 = counts.lanes.iter().map(|lane| lane.depth).sum();
        if lanes > 0 { Ok(()) } else { Err("nothing waits".to_owned()) }
    })
    .await?;
    ana.says("dm 2").await?;
    ana.sees(&["one last word", "Dana"]).await?;
    dana.sees(&["Ana", "went to another conversation"]).await?;
    ana.sees(&["You are writing with", "Imani"]).await?;
    ana.says("for Imani alone").await?;
    imani.sees(&["for Imani alone", "Ana"]).await?;
    world.settled(SOON).await?;
    ensure!(dana.count("for Imani alone").await? == 0, "Dana reads what is for Imani");
    ensure!(imani.count("one last word").await? == 0, "Imani reads what was for Ana");
    world.end().await
}
