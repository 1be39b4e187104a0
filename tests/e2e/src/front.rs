//! What stands before a simulator and answers some reads itself, with what a test gave it: recorded answers reach the
//! gateway exactly as they were recorded.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use dragoman_sim::core::{Server, World};
use futures_util::stream;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;

use crate::Http;

/// The most that a request brings.
const MOST: usize = 16 << 20;

/// A door before a simulator.
#[derive(Clone)]
pub struct Front {
    platform: &'static str,
    base: String,
    shared: Arc<Shared>,
}

struct Shared {
    behind: String,
    http: Http,
    answers: Mutex<Vec<Answer>>,
    unmeasured: Mutex<Vec<String>>,
}

struct Answer {
    path: String,
    query: String,
    body: Value,
}

impl Front {
    /// Stands before the simulator at `behind`.
    pub async fn start(world: &Arc<World>, platform: &'static str, behind: &str) -> Result<Self> {
        let shared = Arc::new(Shared {
            behind: behind.to_owned(),
            http: Http::new()?,
            answers: Mutex::default(),
            unmeasured: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(world, &world.tasks, listen, None, router).await?;
        Ok(Self { platform, base: server.base_url(), shared })
    }

    /// The platform behind it.
    pub fn platform(&self) -> &'static str {
        self.platform
    }

    /// Where it listens, without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// From now on reads of this path whose query contains `query` are answered with `body`.
    pub fn answer(&self, path: &str, query: &str, body: Value) {
        let answer = Answer { path: path.to_owned(), query: query.to_owned(), body };
        let mut answers = self.shared.answers();
        // The latest counts.
        answers.insert(0, answer);
    }
}

impl Front {
    /// From now on what lies below this path is answered without saying how long it is.
    pub fn unmeasured(&self, path: &str) {
        self.shared.unmeasured().push(path.to_owned());
    }
}

impl Shared {
    fn unmeasured(&self) -> MutexGuard<'_, Vec<String>> {
        self.unmeasured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> MutexGuard<'_, Vec<Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self, request: &Request) -> Option<Value> {
        let query = request.uri().query().unwrap_or_default();
        let read = *request.method() == Method::GET;
        // Some clients write more of a path in percents than they have to.
        let path: String = url::form_urlencoded::parse(request.uri().path().as_bytes())
            .next()
            .map(|(path, _)| path.into_owned())
            .unwrap_or_default();
        let answers = self.answers();
        let found = answers.iter().find(|it| it.path == path && query.contains(&it.query));
        found.filter(|_| read).map(|it| it.body.clone())
    }

    async fn pass(&self, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let unmeasured = self.unmeasured().iter().any(|path| parts.uri.path().starts_with(path));
        let body = to_bytes(body, MOST).await?.to_vec();
        let mut headers = parts.headers;
        for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let url = format!("{}{target}", self.behind);
        let (status, mut headers, body) = self.http.raw(parts.method, &url, headers, body).await?;
        for name in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let mut response = Response::builder().status(status);
        response.headers_mut().context("an answer has headers")?.extend(headers);
        let body = if unmeasured {
            Body::from_stream(stream::iter([Ok::<_, std::io::Error>(body)]))
        } else {
            Body::from(body)
        };
        Ok(response.body(body)?)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if let Some(body) = shared.own(&request) {
        let json = HeaderValue::from_static("application/json;charset=UTF-8");
        return ([(header::CONTENT_TYPE, json)], body.to_string()).into_response();
    }
    match shared.pass(request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}
