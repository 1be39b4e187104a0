//! Files of Teams chats: they lie in the drives of the people who send them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use dragoman_gateway::admin::api::{self, InstallState};
use dragoman_sim::teams::{Draft, Place, seed};
use e2e::{Options, Seen, Side, SlackSide, World, eventually};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use crate::people::{at_teams, grant};

const CHANNEL: &str = "C07LAUNCH";
const BEN_AT_SLACK: &str = "U07BENOKAFOR";
const SOON: Duration = Duration::from_secs(20);

/// The group chat, linked with a channel of Slack.
async fn world() -> Result<World> {
    let mut options = Options { bridge: false, ..Options::default() };
    // Somebody of the tenant who is not in the chat.
    let stranger = options.teams.people.last_mut().context("nobody")?;
    stranger.guest = false;
    let world = World::start(options).await?;
    let chat = Place::Chat(seed::LUNCH_CHAT.to_owned());
    ensure!(world.teams.install(seed::APP, &chat, seed::DANA), "the app is not in the chat");
    world.link(&[format!("slack:{CHANNEL}"), format!("teams:{}", seed::LUNCH_CHAT)]).await?;
    Ok(world)
}

async fn line_at(slack: &SlackSide, words: &[&str]) -> Result<Seen> {
    eventually(&format!("Slack shows {words:?}"), SOON, async || {
        let all = slack.read().await.map_err(|error| format!("{error:#}"))?;
        let said = format!("{:?}", all.iter().map(|it| &it.markup).collect::<Vec<_>>());
        let mut all = all.into_iter();
        all.find(|it| words.iter().all(|word| it.markup.contains(word))).ok_or(said)
    })
    .await
}

/// Waits for the one message of the chat that fits.
async fn told(world: &World, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(what, SOON, async || {
        let all = world.teams.messages(seed::LUNCH_CHAT);
        let mut found: Vec<Value> =
            all.iter().filter(|it| it["deletedDateTime"].is_null() && fits(it)).cloned().collect();
        let count = found.len();
        found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} messages in {all:#?}"))
    })
    .await
}

fn names(message: &Value, file: &str) -> bool {
    message["attachments"].as_array().into_iter().flatten().any(|it| it["name"] == file)
}

/// What somebody gets who opens a file with their own token: its bytes, or the refusal.
async fn opens(world: &World, person: &str, address: &str) -> Result<Result<Vec<u8>, u16>> {
    let token = world.teams.user_token(seed::APP, person, &["Files.ReadWrite.All"]);
    let mut proof = HeaderMap::new();
    proof.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
    let sharing = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(address);
    let url = format!("{}/v1.0/shares/u!{sharing}/driveItem/content", world.teams.base_url());
    let (status, headers, _) = world.http.raw(Method::GET, &url, proof, Vec::new()).await?;
    let Some(place) = headers.get(header::LOCATION) else { return Ok(Err(status.as_u16())) };
    let (status, _, bytes) =
        world.http.raw(Method::GET, place.to_str()?, HeaderMap::new(), Vec::new()).await?;
    Ok(if status.is_success() { Ok(bytes) } else { Err(status.as_u16()) })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_send_to_a_chat_arrives_unless_it_is_another_persons() -> Result<()> {
    let world = world().await?;
    let (teams, slack) = (&world.teams, world.ana(CHANNEL));
    let plan = [("plan.txt", &b"the plan"[..])];
    let draft = teams.attaching(seed::DANA, seed::LUNCH_CHAT, Draft::html("<p>look here</p>"), &plan)?;
    let address = draft.attachments[0]["contentUrl"].as_str().context("no address")?.to_owned();
    let id = teams.post(seed::DANA, seed::LUNCH_CHAT, draft)?;
    let (copy, bytes) = slack.file("plan.txt").await?;
    ensure!(bytes == b"the plan", "it arrived as another");
    line_at(&slack, &["look here"]).await?;

    let draft = teams.pasting(Draft::html("<p>and this</p>"), "image/png", b"\x89PNG\r\n\x1a\npixels");
    teams.post(seed::EMRE, seed::LUNCH_CHAT, draft)?;
    let (_, bytes) = slack.file("image.png").await?;
    ensure!(bytes.ends_with(b"pixels"), "the picture arrived as another");

    // Emre names the file that is Dana's: the app could read it, whatever he may.
    let guid = teams.message(seed::LUNCH_CHAT, &id).context("no message")?["attachments"][0]["id"].clone();
    let mut draft = Draft::html(format!(
        "<p>mine now</p><attachment id=\"{}\"></attachment>",
        guid.as_str().context("no id")?
    ));
    draft.attachments.push(json!({
        "id": guid, "contentType": "reference", "contentUrl": address, "name": "stolen.txt",
    }));
    teams.post(seed::EMRE, seed::LUNCH_CHAT, draft)?;
    line_at(&slack, &["stolen.txt"]).await?;
    for seen in slack.read().await? {
        let files = slack.files(&seen).await?;
        ensure!(files.iter().all(|(name, _)| name != "stolen.txt"), "it was carried: {}", seen.raw);
    }

    teams.delete(seed::DANA, seed::LUNCH_CHAT, &id)?;
    eventually("the copy is gone", SOON, async || {
        let all = slack.read().await.map_err(|error| format!("{error:#}"))?;
        if all.iter().any(|it| it.id == copy.id) { Err("it is there".to_owned()) } else { Ok(()) }
    })
    .await?;
    ensure!(world.settled(SOON).await?.dead_letters == 0, "something was given up");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sends_their_own_files_to_a_chat_and_the_app_says_where_they_are() -> Result<()> {
    let world = world().await?;
    let slack = world.ben(CHANNEL);
    let stranger = e2e::CHLOE_AT_TEAMS;
    slack.post_file("before.txt", b"one", "", None).await?;
    let line = told(&world, "a line of the app", |it| {
        it["body"]["content"].as_str().is_some_and(|text| text.contains("before.txt"))
    })
    .await?;
    ensure!(line["from"]["user"].is_null() && !names(&line, "before.txt"), "{line}");

    let accounts = vec![format!("slack:{BEN_AT_SLACK}"), format!("teams:{}", seed::EMRE)];
    let person = world.ask(&api::PersonLink { accounts }).await?;
    let granted = grant(&world, &person.id, "teams", at_teams(seed::EMRE)).await?;
    ensure!(matches!(granted, InstallState::Done(_)), "{granted:?}");
    let sent = slack.post_file("mine.txt", b"two", "with a word", None).await?;
    let copy = told(&world, "a message that names it", |it| names(it, "mine.txt")).await?;
    ensure!(copy["from"]["user"]["id"] == seed::EMRE, "{}", copy["from"]);
    let address = copy["attachments"][0]["contentUrl"].as_str().context("no address")?.to_owned();
    ensure!(address.contains(&format!("/personal/{}/", seed::EMRE)), "{address}");
    for member in [seed::EMRE, seed::DANA, seed::FARAH] {
        let got = opens(&world, member, &address).await?;
        ensure!(got.as_deref() == Ok(b"two"), "{member} got {got:?}");
    }
    ensure!(opens(&world, stranger, &address).await? == Err(403), "somebody else opened it");

    // Nothing of it came back, and it goes with its message, also by a gateway that was started anew.
    let mut world = world;
    world.settled(SOON).await?;
    ensure!(
        slack.read().await?.iter().filter(|it| it.markup.contains("with a word")).count() == 1,
        "an echo"
    );
    world.restart(None).await?;
    slack.delete(&sent, None).await?;
    eventually("message and file are gone", SOON, async || {
        let there = world.teams.messages(seed::LUNCH_CHAT);
        let shown = there.iter().any(|it| it["deletedDateTime"].is_null() && names(it, "mine.txt"));
        match (shown, world.teams.file_at(&address)) {
            (false, None) => Ok(()),
            (shown, file) => Err(format!("shown: {shown}, there: {}", file.is_some())),
        }
    })
    .await?;

    // They take their consent back, and nobody tells the gateway.
    world.teams.revoke_consent(seed::APP, seed::EMRE);
    slack.post_file("after.txt", b"three", "", None).await?;
    let line = told(&world, "a line of the app again", |it| {
        it["body"]["content"].as_str().is_some_and(|text| text.contains("after.txt"))
    })
    .await?;
    ensure!(line["from"]["user"].is_null() && !names(&line, "after.txt"), "{line}");
    ensure!(world.settled(SOON).await?.dead_letters == 0, "something was given up");
    world.end().await
}
