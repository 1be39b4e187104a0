//! Where Webex is.

use dragoman_platform::http::Hosts;
use url::Url;

/// Addresses of Webex. Settings, so that simulators and the government cloud plug in.
#[derive(Clone, Debug)]
pub struct WebexSettings {
    /// Where platforms reach the gateway, without a trailing slash; webhooks are made for it.
    pub public_url: String,
    /// Base of the REST API, with a trailing slash.
    pub api_base: Url,
    /// The consent page.
    pub authorize_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    /// More names of the API host: addresses of next pages and of files carry them.
    pub api_aliases: Vec<String>,
}

impl Default for WebexSettings {
    fn default() -> Self {
        let fixed = |url| Url::parse(url).expect("a constant that parses");
        Self {
            public_url: String::new(),
            api_base: fixed("https://webexapis.com/v1/"),
            authorize_url: fixed("https://webexapis.com/v1/authorize"),
            token_url: fixed("https://webexapis.com/v1/access_token"),
            api_aliases: vec!["api.ciscospark.com".to_owned()],
        }
    }
}

impl WebexSettings {
    /// Hosts that tokens may be sent to.
    pub(crate) fn api_hosts(&self) -> Hosts {
        let own = self.api_base.host_str().map(str::to_owned);
        Hosts::new(own.into_iter().chain(self.api_aliases.iter().cloned()))
    }

    /// Hosts that the app's secret may be sent to.
    pub(crate) fn token_hosts(&self) -> Hosts {
        Hosts::of(&self.token_url)
    }

    /// Where webhooks of an app are delivered.
    pub(crate) fn hook_url(&self, app: &str) -> String {
        format!("{}/hooks/webex/{app}/events", self.public_url.trim_end_matches('/'))
    }
}
