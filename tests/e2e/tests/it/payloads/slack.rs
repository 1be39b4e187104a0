//! Events of Slack, signed and posted.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aws_lc_rs::hmac;
use dragoman_sim::slack::SeedApp;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use super::bench::{Bench, File, From, Pair, TEAM, files};
use super::slack_ids::{Live, needed, rebased};

/// What ends more than its own channel comes last, the end of the installation at the very end.
fn turn(name: &str) -> u8 {
    match name.split('.').next().unwrap_or_default() {
        "app_rate_limited" => 1,
        "tokens_revoked" => 2,
        "app_uninstalled" => 3,
        _ => 0,
    }
}

/// Posts what recordings are about; the live timestamps by the recorded ones.
pub(crate) async fn prepare(
    bench: &Bench,
    pair: &Pair,
    envelope: &Value,
) -> Result<BTreeMap<String, String>> {
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for message in needed(envelope) {
        let root = message.root.as_ref().map(|root| made[root].clone());
        let ts = bench.post_at_slack(pair, root.as_deref()).await?;
        bench.told(&ts, 1).await?;
        made.insert(message.ts, ts);
    }
    Ok(made)
}

/// The envelope of a file as the live platform would send it.
pub(crate) async fn live(
    bench: &Bench,
    n: usize,
    name: &str,
    envelope: &Value,
    prepared: &BTreeMap<String, String>,
) -> Result<Value> {
    let app = SeedApp::default();
    let bot = bench.world.slack.bot(&app.app_id, TEAM).context("the app has no bot")?;
    let live = Live {
        app: &app.app_id,
        bot_user: &bot.user_id,
        bot: &bot.bot_id,
        channel: &bench.pairs[n].slack,
        now_ms: bench.now_ms().await?,
        prepared,
        event_id: format!("EvPAYLOAD{n:03}"),
        own_response: name.contains("response_url"),
    };
    Ok(rebased(envelope, &live))
}

async fn send(bench: &Bench, body: &Value) -> Result<String> {
    let seconds = bench.now_ms().await? / 1_000;
    let text = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SeedApp::default().signing_secret.as_bytes());
    let signature = hex::encode(hmac::sign(&key, format!("v0:{seconds}:{text}").as_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("x-slack-request-timestamp", HeaderValue::from(seconds));
    headers.insert("x-slack-signature", HeaderValue::from_str(&format!("v0={signature}"))?);
    let url = bench.hook("slack", "events");
    let (status, _, answer) = bench.world.http.raw(Method::POST, &url, headers, text.into_bytes()).await?;
    let challenged = body.get("challenge").is_some_and(|it| it.as_str().map(str::as_bytes) == Some(&answer));
    Ok(format!("{}{}", status.as_u16(), if challenged { " with the challenge" } else { "" }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events() {
    let Some(files) = files("slack/events") else { return };
    let mut bench = Bench::start(&vec![false; files.len()]).await.unwrap();
    let mut prepared = Vec::new();
    for (file, pair) in files.iter().zip(&bench.pairs) {
        prepared.push(prepare(&bench, pair, &file.json).await.unwrap());
    }
    bench.settle().await.unwrap();
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|n| (turn(&files[*n].name), *n));
    let mut lines = BTreeMap::new();
    for n in order {
        let File { name, json } = &files[n];
        let body = live(&bench, n, name, json, &prepared[n]).await.unwrap();
        let before = bench.before(From::Slack, &bench.pairs[n]).await.unwrap();
        let answer = send(&bench, &body).await.unwrap();
        let outcome = bench.outcome(before, &answer).await.unwrap();
        let first = if prepared[n].is_empty() { "" } else { "prepared, then " };
        lines.insert(name.clone(), format!("{name}: {first}{outcome}"));
    }
    let lines: Vec<String> = lines.into_values().collect();
    insta::assert_snapshot!("slack_events", lines.join("\n"));
    bench.world.end().await.unwrap();
}
