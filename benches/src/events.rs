//! Signed events as Slack sends them: a reply with a mention, bold text and a link, about 2 KiB.

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::clock;

/// The workspace of the simulator.
const TEAM: &str = "T07HARBOR";

/// Makes events that were never sent before.
pub(crate) struct Events {
    key: hmac::Key,
    app: String,
    path: String,
    last_us: u64,
}

impl Events {
    /// For an app; `path` is that of its events.
    pub(crate) fn new(app: String, signing_secret: &str, path: String) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, signing_secret.as_bytes());
        Self { key, app, path, last_us: 0 }
    }

    /// A message in a channel, in the thread of `root`; its `ts` and the request.
    pub(crate) fn message(&mut self, channel: &str, root: Option<&str>) -> (String, Request<Full<Bytes>>) {
        self.last_us = clock::unix_us().max(self.last_us + 1);
        let seconds = self.last_us / 1_000_000;
        let ts = format!("{seconds}.{:06}", self.last_us % 1_000_000);
        let body = self.body(channel, root, &ts, seconds).to_string();
        let signed = format!("v0:{seconds}:{body}");
        let signature = hex::encode(hmac::sign(&self.key, signed.as_bytes()));
        let request = Request::post(&self.path)
            .header("host", "gateway.example")
            .header("content-type", "application/json")
            .header("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
            .header("x-slack-request-timestamp", seconds.to_string())
            .header("x-slack-signature", format!("v0={signature}"))
            .body(Full::new(Bytes::from(body)))
            .unwrap_or_default();
        (ts, request)
    }

    fn body(&self, channel: &str, root: Option<&str>, ts: &str, seconds: u64) -> Value {
        let text = |text: &str| json!({"type": "text", "text": text});
        let elements = json!([
            {"type": "user", "user_id": "U07CHLOEMARTIN"},
            text(" the crane at the north pier is "),
            {"type": "text", "text": "cleared for Thursday", "style": {"bold": true}},
            text(", the papers are at "),
            {"type": "link", "url": "https://papers.harbor-works.example/crane/north?week=47", "text": "the usual place"},
            text(". Please tell the crew before the tide turns, and have the spare cable at hand: last time we \
                  waited two hours for it while the pilot boat was idling, and nobody had a number to call."),
        ]);
        let mut event = json!({
            "type": "message", "user": "U07ANASOUZA", "ts": ts, "team": TEAM, "channel": channel,
            "client_msg_id": format!("5f0c7b1e-8f63-4a51-9d0e-{:012x}", self.last_us & 0xffff_ffff_ffff),
            "event_ts": ts, "channel_type": "channel",
            "text": "<@U07CHLOEMARTIN> the crane at the north pier is *cleared for Thursday*, the papers are at \
                     <https://papers.harbor-works.example/crane/north?week=47|the usual place>. Please tell the crew \
                     before the tide turns, and have the spare cable at hand: last time we waited two hours for it \
                     while the pilot boat was idling, and nobody had a number to call.",
            "blocks": [{"type": "rich_text", "block_id": "Hk3pQ",
                        "elements": [{"type": "rich_text_section", "elements": elements}]}],
        });
        if let Some(root) = root {
            event["thread_ts"] = root.into();
            event["parent_user_id"] = "U07BENOKAFOR".into();
        }
        json!({
            "token": "not-looked-at", "team_id": TEAM, "context_team_id": TEAM, "context_enterprise_id": null,
            "api_app_id": self.app, "event": event, "type": "event_callback",
            "event_id": format!("Ev{:X}", self.last_us), "event_time": seconds,
            "authorizations": [{"enterprise_id": null, "team_id": TEAM, "user_id": "U07DRAGOMAN", "is_bot": true,
                                "is_enterprise_install": false}],
            "is_ext_shared_channel": false, "event_context": "4-eyJldCI6Im1lc3NhZ2UiLCJ0aWQiOiJUMDdIQVJCT1IifQ",
        })
    }
}
