//! Where Zoom is.

use dragoman_platform::http::Hosts;
use url::Url;

/// Addresses of Zoom. Settings, so that simulators and Zoom for Government plug in.
#[derive(Clone, Debug)]
pub struct ZoomSettings {
    /// Base of the API, with a trailing slash.
    pub api_base: Url,
    /// Base of consent page and token endpoint, with a trailing slash.
    pub oauth_base: Url,
    /// Where event connections are opened; the subscription's id is added.
    pub ws_url: Url,
    /// Where it is reported that an installation's data was deleted.
    pub compliance_url: Url,
    /// Base of the file host, with a trailing slash.
    pub files_base: Url,
    /// Hosts that files are read from and uploads are sent on to, beside the others; `*.` stands for everything below.
    pub file_hosts: Vec<String>,
    /// How long Zoom may deny a message that was just sent, in milliseconds.
    pub settle_ms: u64,
    /// Whether sends stay below what a channel may be sent in a while, so that Zoom does not close it for minutes.
    pub channel_budget: bool,
}

impl Default for ZoomSettings {
    fn default() -> Self {
        let fixed = |url| Url::parse(url).expect("a constant that parses");
        Self {
            api_base: fixed("https://api.zoom.us/v2/"),
            oauth_base: fixed("https://zoom.us/oauth/"),
            ws_url: fixed("wss://ws.zoom.us/ws"),
            compliance_url: fixed("https://api.zoom.us/oauth/data/compliance"),
            files_base: fixed("https://file.zoom.us/v2/"),
            file_hosts: vec!["zoom.us".to_owned(), "*.zoom.us".to_owned()],
            settle_ms: 1_200,
            channel_budget: true,
        }
    }
}

impl ZoomSettings {
    /// Hosts that tokens and secrets may go to.
    pub(crate) fn hosts(&self) -> Hosts {
        let urls = [&self.api_base, &self.oauth_base, &self.compliance_url];
        Hosts::new(urls.into_iter().filter_map(Url::host_str))
    }

    /// Hosts that files come from and go to; tokens may go there.
    pub(crate) fn file_hosts(&self) -> Hosts {
        let own = [&self.api_base, &self.files_base].into_iter().filter_map(Url::host_str);
        Hosts::new(own.chain(self.file_hosts.iter().map(String::as_str)))
    }

    /// Hosts that event connections may be opened to.
    pub(crate) fn socket_hosts(&self) -> Hosts {
        Hosts::of(&self.ws_url)
    }
}
