//! The demo's page: the chat clients side by side, and between them what the gateway knows of it.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use dragoman_model::ConversationId;
use dragoman_relay::{Activity, Relay};
use dragoman_sim::teams::seed;
use dragoman_sim::zoom::config::{IMANI, LAUNCH};
use futures_util::stream::{Stream, StreamExt as _, unfold};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::world::Sims;

/// The person whose Slack client is opened.
const ANA: &str = "U07ANASOUZA";

/// What the page shows.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) relay: Relay,
    /// Addresses of the clients by the places in the page that they take.
    pub(crate) clients: Vec<(&'static str, String)>,
    pub(crate) stop: CancellationToken,
}

#[derive(Serialize)]
struct Entry {
    at_ms: i64,
    stage: &'static str,
    kind: String,
    way: String,
    code: Option<&'static str>,
    took_ms: i64,
}

/// Serves the page until stopped; tells the address once it listens.
pub(crate) async fn serve(page: Page, port: u16) -> Result<(SocketAddr, impl Future<Output = ()>)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let stop = page.stop.clone();
    let routes = Router::new().route("/", get(show)).route("/activity", get(activity)).with_state(page);
    let server = async move {
        let ended = async move { stop.cancelled().await };
        if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(ended).await {
            tracing::warn!("the demo's page ended: {error}");
        }
    };
    Ok((address, server))
}

/// A chat page's address, as an attribute's value: for whom it opens, and on what.
fn opened(base: &str, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{base}/?{}", query.replace('&', "&amp;"))
}

/// The four clients, each open on its `launch`.
pub(crate) fn clients(sims: &Sims) -> Vec<(&'static str, String)> {
    let room = sims.webex.room_id("Launch").unwrap_or_default();
    let gita = sims.webex.person_id("Gita Rao").unwrap_or_default();
    vec![
        ("{slack}", opened(sims.slack.base_url(), &[("user", ANA), ("channel", "C07LAUNCH")])),
        ("{teams}", opened(sims.teams.base_url(), &[("as", seed::DANA), ("conversation", seed::LAUNCH)])),
        ("{webex}", opened(sims.webex.base_url(), &[("user", &gita), ("room", &room)])),
        ("{zoom}", opened(sims.zoom.base_url(), &[("user", IMANI), ("channel", LAUNCH)])),
    ]
}

async fn show(State(page): State<Page>) -> Html<String> {
    let filled = page
        .clients
        .iter()
        .fold(include_str!("page.html").to_owned(), |html, (place, address)| html.replace(place, address));
    Html(filled)
}

async fn activity(State(page): State<Page>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let feed = page.relay.activity();
    let stop = page.stop.clone();
    let entries = unfold((feed, page), |(mut feed, page)| async move {
        let activity = tokio::select! {
            () = page.stop.cancelled() => return None,
            activity = feed.recv() => activity,
        };
        let event = match activity {
            Ok(activity) => Event::default().json_data(entry(&page.relay, &activity)).unwrap_or_default(),
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                Event::default().comment("some were missed")
            }
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return None,
        };
        Some((Ok(event), (feed, page)))
    });
    Sse::new(entries.take_until(stop.cancelled_owned())).keep_alive(KeepAlive::default())
}

fn entry(relay: &Relay, activity: &Activity) -> Entry {
    let name = |id: &Option<ConversationId>| {
        let directory = relay.directory();
        let spot = id.as_ref().and_then(|id| directory.spot(id));
        spot.map_or_else(|| "gateway".to_owned(), |spot| spot.place.connector.display_name().to_owned())
    };
    Entry {
        at_ms: activity.at_ms,
        stage: activity.stage.as_str(),
        kind: activity.kind.clone(),
        way: format!("{} → {}", name(&activity.from), name(&activity.to)),
        code: activity.code.map(dragoman_model::Code::as_str),
        took_ms: activity.took_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_attributes() {
        let address = opened("http://127.0.0.1:1", &[("as", "a b"), ("conversation", "19:x@thread.tacv2")]);
        assert_eq!(address, "http://127.0.0.1:1/?as=a+b&amp;conversation=19%3Ax%40thread.tacv2");
    }
}
