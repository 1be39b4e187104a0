//! Chloe, who has an account on every platform and lets the gateway speak in her name on each.

use anyhow::{Context as _, Result, bail, ensure};
use dragoman_gateway::admin::api;
use dragoman_platform::http::HttpRequest;
use dragoman_sim::teams::seed;
use dragoman_sim::zoom::config::LAUNCH as ZOOM_LAUNCH;
use http::{Method, header};
use url::Url;

use super::seeds;
use super::sides::{SlackSide, TeamsSide, WebexSide, ZoomSide};
use super::world::Demo;

const NAME: &str = "Chloe Martin";

impl Demo {
    /// Links her accounts, and goes the way her browser goes to grant a token on each platform.
    pub(crate) async fn grant_chloe(&self) -> Result<()> {
        let accounts = [
            format!("slack:{}", seeds::CHLOE_AT_SLACK),
            format!("teams:{}", seeds::CHLOE_AT_TEAMS),
            format!("webex:{}", seeds::CHLOE),
            format!("zoom:{}", seeds::CHLOE_AT_ZOOM),
        ];
        let person = self.ask(&api::PersonLink { accounts: accounts.to_vec() }).await?;
        ensure!(person.accounts.len() == 4, "Chloe has {} accounts", person.accounts.len());
        for platform in ["slack", "teams", "webex", "zoom"] {
            let ask = api::PersonToken { person: person.id.clone(), installation: platform.to_owned() };
            let started = self.ask(&ask).await?;
            self.browse(&as_chloe(platform, &started.link)).await?;
            self.granted(&started.ticket).await.with_context(|| format!("Chloe's token on {platform}"))?;
        }
        Ok(())
    }

    /// Follows redirects as a browser does.
    pub(crate) async fn browse(&self, link: &str) -> Result<()> {
        let mut url = Url::parse(link)?;
        for _ in 0..6 {
            let answer = self.http.send(HttpRequest::new(Method::GET, url.clone())).await?;
            let Some(location) = answer.headers.get(header::LOCATION) else { break };
            url = url.join(location.to_str()?)?;
        }
        Ok(())
    }

    /// Waits until the gateway has what the browser brought back.
    pub(crate) async fn granted(&self, ticket: &str) -> Result<()> {
        for _ in 0..5 {
            match self.ask(&api::InstallWait { ticket: ticket.to_owned() }).await? {
                api::InstallState::Waiting => {}
                api::InstallState::Done(_) => return Ok(()),
                api::InstallState::Failed(problem) => return Err(problem.into()),
            }
        }
        bail!("it did not come to an end")
    }

    /// Chloe in the channel `launch` of each platform.
    pub(crate) fn chloe(&self) -> Result<(SlackSide, TeamsSide, WebexSide, ZoomSide)> {
        let scopes = ["ChannelMessage.Send", "ChannelMessage.ReadWrite", "ChannelMessage.Read.All"];
        let person = || NAME.to_owned();
        let slack = SlackSide {
            token: "xoxp-client-chloe.martin".to_owned(),
            person: person(),
            ..self.ana("C07LAUNCH")
        };
        let teams = TeamsSide {
            token: self.sims.teams.user_token(seed::APP, seeds::CHLOE_AT_TEAMS, &scopes),
            person: person(),
            ..self.dana(seed::LAUNCH)
        };
        let webex =
            WebexSide { uuid: seeds::CHLOE_AT_WEBEX.to_owned(), person: person(), ..self.gita("Launch")? };
        let zoom =
            ZoomSide { user: seeds::CHLOE_AT_ZOOM.to_owned(), person: person(), ..self.imani(ZOOM_LAUNCH)? };
        Ok((slack, teams, webex, zoom))
    }
}

/// The consent page as it is when she is signed in.
fn as_chloe(platform: &str, link: &str) -> String {
    let decided = |page: &str, person: &str| {
        format!("{}&sim_allow=1&sim_user={person}", link.replacen(page, &page.replace('?', "/decision?"), 1))
    };
    match platform {
        "slack" => decided("/authorize?", seeds::CHLOE_AT_SLACK),
        "teams" => format!("{link}&login_hint={}", seeds::CHLOE_AT_TEAMS),
        "webex" => decided("/authorize?", seeds::CHLOE_AT_WEBEX),
        _ => decided("/authorize?", seeds::CHLOE_AT_ZOOM),
    }
}
