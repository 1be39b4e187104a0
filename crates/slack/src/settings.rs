//! Where Slack is.

use dragoman_platform::http::Hosts;
use url::Url;

/// Addresses of Slack. Settings, so that simulators and GovSlack plug in.
#[derive(Clone, Debug)]
pub struct SlackSettings {
    /// Base of the Web API, with a trailing slash.
    pub api_base: Url,
    /// The consent page.
    pub authorize_url: Url,
}

impl Default for SlackSettings {
    fn default() -> Self {
        let fixed = |url| Url::parse(url).expect("a constant that parses");
        Self {
            api_base: fixed("https://slack.com/api/"),
            authorize_url: fixed("https://slack.com/oauth/v2/authorize"),
        }
    }
}

impl SlackSettings {
    /// Hosts that API calls may go to.
    pub(crate) fn api_hosts(&self) -> Hosts {
        Hosts::of(&self.api_base)
    }

    /// Hosts of files: `files.slack.com` and others below Slack's own name.
    pub(crate) fn file_hosts(&self) -> Hosts {
        self.socket_hosts()
    }

    /// Hosts that sockets may be opened to: Slack hands out addresses below its own name.
    pub(crate) fn socket_hosts(&self) -> Hosts {
        let host = self.api_base.host_str().unwrap_or_default();
        if host.parse::<std::net::IpAddr>().is_ok() {
            Hosts::new([host.to_owned()])
        } else {
            Hosts::new([host.to_owned(), format!("*.{host}")])
        }
    }
}
