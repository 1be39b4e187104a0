//! Pictures, files, reactions and direct messages, done by hand in four clients.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::chat::{Chat, Pane, ShownFile, Way};
use super::conversation::on_the_page;
use super::driver::Browser;

/// Draws an evening at the harbour, as a data address.
const HARBOUR: &str = r"
const canvas = document.createElement('canvas');
[canvas.width, canvas.height] = [480, 270];
const pen = canvas.getContext('2d');
const shape = (colour, ...points) => {
  pen.fillStyle = colour;
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.fill();
};
['#2b4270', '#5a5a86', '#9c6f7f', '#d98a6a', '#f0b277'].forEach((colour, row) => shape(colour, [0, row * 36], [480, row * 36], [480, row * 36 + 36], [0, row * 36 + 36]));
pen.fillStyle = '#fff1c9';
pen.arc(338, 150, 25, 0, 7);
pen.fill();
shape('#3b3d57', [0, 180], [90, 140], [170, 180]);
shape('#33354d', [120, 180], [220, 152], [300, 180]);
shape('#20344f', [0, 180], [480, 180], [480, 270], [0, 270]);
shape('#e9b27d', [322, 190], [356, 190], [350, 193], [328, 193]);
shape('#e9b27d', [314, 204], [364, 204], [356, 207], [322, 207]);
shape('#f4f1ea', [188, 184], [188, 82], [246, 178]);
shape('#d8553e', [180, 180], [180, 100], [142, 176]);
shape('#1b1f2b', [130, 188], [256, 188], [238, 212], [148, 212]);
return canvas.toDataURL('image/png');";

/// Reads what a file of a message is, once it is loaded; its bytes as a digest.
const FETCH: &str = r"
const [address, done] = arguments;
fetch(address).then((answer) => answer.arrayBuffer()).then((bytes) => crypto.subtle.digest('SHA-256', bytes))
  .then((digest) => done([...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')))
  .catch((error) => done(String(error)));";

/// The clients, whose person asks the next one's by address, and the name of their chat with the app.
const RING: [(&str, &str); 4] = [
    ("dana@fabrikant.example", "Dragoman"),
    ("gita.rao@larkfield.example", "Dragoman"),
    ("imani.okoye@kestrel-outfitters.example", "Dragoman Bridge"),
    ("ana.souza@harbor-works.example", "Dragoman Bridge"),
];

#[tokio::test]
#[ignore = "needs a browser: cargo xtask test --only browser"]
async fn pictures_reactions_and_direct_messages_go_everywhere() {
    on_the_page(exchange).await.unwrap();
}

async fn exchange(browser: &Browser, address: &str, folder: &Path) -> Result<()> {
    browser.resize(1480, 940).await?;
    browser.goto(address).await?;
    let all = [Chat::slack(browser), Chat::teams(browser), Chat::webex(browser), Chat::zoom(browser)];
    let [slack, teams, webex, zoom] = all;
    for chat in all {
        chat.open_channel().await?;
    }
    let harbour = harbour(browser, folder).await?;
    let plan = File::write(folder, "crew list.csv", "name,watch\nEmre,first\nGita,second\n".repeat(60))?;
    let notes = File::write(folder, "naïve plan (final).txt", "sails, ropes, tar\n".repeat(150))?;

    // Each client once, and each way of attaching: chosen, pasted, dropped.
    everybody_has(browser, slack, all, Way::Chosen, &harbour, "The harbour last night").await?;
    everybody_has(browser, zoom, all, Way::Chosen, &notes, "What is left to do").await?;
    everybody_has(browser, webex, all, Way::Dropped, &plan, "Who sails").await?;
    everybody_has(browser, teams, all, Way::Pasted, &harbour, "The same for the poster").await?;
    browser.picture("7-pictures").await?;

    reactions_go_everywhere([slack, teams, webex, zoom]).await?;
    browser.picture("8-reactions").await?;

    for (chat, (_, app)) in all.into_iter().zip(RING) {
        chat.opens(app).await?;
    }
    for (index, (address, _)) in RING.into_iter().enumerate() {
        let (from, to) = (all[index], all[(index + 1) % all.len()]);
        direct(browser, from, to, address, &plan, index).await?;
    }
    browser.picture("9-direct").await
}

/// A file and what is known of it.
struct File {
    path: std::path::PathBuf,
    name: &'static str,
    bytes: Vec<u8>,
}

impl File {
    fn write(folder: &Path, name: &'static str, content: impl Into<Vec<u8>>) -> Result<Self> {
        let (path, bytes) = (folder.join(name), content.into());
        std::fs::write(&path, &bytes)?;
        Ok(Self { path, name, bytes })
    }

    fn digest(&self) -> String {
        hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.bytes))
    }

    /// What every client's list of files shows of its name: Teams renames a second one.
    fn stem(&self) -> &str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

async fn harbour(browser: &Browser, folder: &Path) -> Result<File> {
    let address = browser.run(HARBOUR).await.map_err(anyhow::Error::msg)?;
    let data =
        address.as_str().and_then(|address| address.split_once(',')).context("no picture was drawn")?.1;
    File::write(folder, "harbour.png", STANDARD.decode(data)?)
}

/// One sends a file, all others show it: pictures drawn, other files by name, all with the bytes that were sent.
async fn everybody_has(
    browser: &Browser,
    from: Chat<'_>,
    all: [Chat<'_>; 4],
    way: Way,
    file: &File,
    words: &str,
) -> Result<()> {
    from.attach(way, &file.path, file.name, &file.bytes).await?;
    from.write(Pane::Channel, words).await?;
    for chat in all {
        chat.sees(Pane::Channel, words).await?;
        // What is pasted has no name of its own.
        let stem = if matches!(way, Way::Pasted) { "" } else { file.stem() };
        let shown = chat.sees_file(words, stem).await?;
        let picture = Path::new(file.name).extension().is_some_and(|end| end == "png");
        ensure!(
            shown.drawn == picture,
            "{} shows {:?} {}",
            chat.frame(),
            shown.name,
            if picture { "as no picture" } else { "as a picture" }
        );
        is_whole(browser, chat, shown, file).await?;
    }
    Ok(())
}

/// Waits for a file of the message with these words, or of the next one, with all its bytes.
async fn shows(browser: &Browser, chat: Chat<'_>, words: &str, file: &File) -> Result<()> {
    let shown = chat.sees_file(words, file.stem()).await?;
    is_whole(browser, chat, shown, file).await
}

async fn is_whole(browser: &Browser, chat: Chat<'_>, shown: ShownFile, file: &File) -> Result<()> {
    browser.enter(chat.frame()).await.map_err(anyhow::Error::msg)?;
    let digest = browser.client.execute_async(FETCH, vec![Value::from(shown.address)]).await?;
    ensure!(digest == file.digest(), "{}: other bytes than were sent: {digest}", chat.frame());
    Ok(())
}

/// The message with the picture, by its id there.
async fn picture(chat: Chat<'_>) -> Result<String> {
    Ok(chat.sees(Pane::Channel, "The harbour last night").await?.id)
}

async fn reactions_go_everywhere([slack, teams, webex, zoom]: [Chat<'_>; 4]) -> Result<()> {
    // From the author's platform, then back from the copies.
    slack.react(&picture(slack).await?, "tada", false).await?;
    for chat in [teams, zoom] {
        chat.sees_reaction(&picture(chat).await?, "🎉", 1).await?;
    }
    // Where no app can react, a note in the thread says it, with the name.
    let note = webex.sees(Pane::Channel, "🎉").await?;
    ensure!(note.text.contains("Ana"), "the note does not say who: {}", note.text);
    teams.react(&picture(teams).await?, "👏", true).await?;
    slack.sees_reaction(&picture(slack).await?, "👏", 1).await?;
    zoom.sees_reaction(&picture(zoom).await?, "👏", 1).await?;
    zoom.react(&picture(zoom).await?, "🔥", true).await?;
    slack.sees_reaction(&picture(slack).await?, "🔥", 1).await?;
    webex.react(&picture(webex).await?, "heart", false).await?;
    // A click on what is there joins it, another leaves it again.
    slack.click_reaction(&picture(slack).await?, "👏").await?;
    slack.sees_reaction(&picture(slack).await?, "👏", 2).await?;
    slack.click_reaction(&picture(slack).await?, "🎉").await?;
    for chat in [teams, zoom] {
        chat.misses_reaction(&picture(chat).await?, "🎉").await?;
    }
    Ok(())
}

/// One asks, the other accepts; both write, one sends a file, and one ends it.
async fn direct(
    browser: &Browser,
    from: Chat<'_>,
    to: Chat<'_>,
    address: &str,
    file: &File,
    index: usize,
) -> Result<()> {
    const HELLO: [&str; 4] =
        ["Is the poster done?", "Who prints it?", "May we see it first?", "Which harbour is it?"];
    const ANSWER: [&str; 4] =
        ["Nearly, tonight.", "The shop at the quay.", "Tomorrow at nine.", "Ours, seen from the mole."];
    let last = index == RING.len() - 1;
    from.write(Pane::Channel, &format!("dm {address} {}", HELLO[index])).await?;
    let asked = to.sees(Pane::Channel, "wants to write with you").await?;
    ensure!(asked.text.contains(HELLO[index]), "what was said first is missing: {}", asked.text);
    to.write(Pane::Channel, "accept").await?;
    for chat in [from, to] {
        chat.sees_last(Pane::Channel, "You are writing with").await?;
    }
    to.write(Pane::Channel, ANSWER[index]).await?;
    from.sees(Pane::Channel, ANSWER[index]).await?;
    let thanks = format!("Thank you, that is {}.", ["good", "near", "early", "fine"][index]);
    from.write(Pane::Channel, &thanks).await?;
    to.sees(Pane::Channel, &thanks).await?;
    let words = ["The sizes are here", "With the prices", "Who is on it", "And who was there"][index];
    from.attach(Way::Chosen, &file.path, file.name, &file.bytes).await?;
    from.write(Pane::Channel, words).await?;
    to.sees(Pane::Channel, words).await?;
    // Teams asks before an app's file comes.
    if index == 0 {
        to.sees_offer(file.stem()).await?;
        browser.picture("9-offer").await?;
        to.accepts().await?;
    }
    shows(browser, to, words, file).await?;
    if last {
        return browser.picture("9-open").await;
    }
    from.write(Pane::Channel, "dm close").await?;
    to.sees_last(Pane::Channel, "ended this conversation").await?;
    Ok(())
}
