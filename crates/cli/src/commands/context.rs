//! What commands share.

use anyhow::Result;
use dragoman_gateway::admin::api::Ask;
use dragoman_gateway::admin::client::Client;

use crate::config::Config;

/// Where to ask and how to print.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) json: bool,
}

impl Context {
    /// Asks the running gateway.
    pub(crate) async fn ask<A: Ask>(&self, request: &A) -> Result<A::Answer> {
        let socket = socket_path(&self.config);
        Ok(Client::new(&socket).ask(request).await?)
    }
}

/// The socket of a gateway.
pub(crate) fn socket_path(config: &Config) -> std::path::PathBuf {
    config.data_folder.join("admin.sock")
}
