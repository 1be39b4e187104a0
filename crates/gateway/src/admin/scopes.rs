//! What was granted against what is needed.

use async_trait::async_trait;
use dragoman_platform::{App, Connector, Package, PackageRequest, Scope};
use dragoman_relay::Place;

use super::api::{ScopeInfo, ScopeList, ScopeReport};
use super::desk::Desk;
use super::problem::Problem;
use super::route::Act;

#[async_trait]
impl Act for ScopeList {
    async fn act(self, desk: &Desk) -> Result<Vec<ScopeReport>, Problem> {
        let directory = desk.relay.directory();
        Ok(directory.places().map(|place| report(place, &desk.public_url)).collect())
    }
}

/// The package of an app with the features that it has.
pub(super) fn package(connector: &dyn Connector, app: &App, name: String, public_url: &str) -> Package {
    connector.package(&PackageRequest {
        name,
        public_url: public_url.to_owned(),
        app: app.id.to_string(),
        facts: app.facts.clone(),
        features: app.features.clone(),
    })
}

/// A scope as it is told.
pub(super) fn told(scope: Scope) -> ScopeInfo {
    ScopeInfo { name: scope.name, feature: scope.feature.to_owned(), reason: scope.reason.to_owned() }
}

fn report(place: &Place, public_url: &str) -> ScopeReport {
    let (connector, installation) = (&*place.connector, &place.session.installation);
    let asked = package(connector, &place.session.app, String::new(), public_url).scopes;
    let granted = &installation.scopes;
    let told_of = !granted.is_empty();
    let fits = |granted: &String, asked: &Scope| connector.covers(granted, &asked.name);
    let needless = granted.iter().filter(|it| !asked.iter().any(|scope| fits(it, scope))).cloned().collect();
    let missing = asked.iter().filter(|scope| told_of && !granted.iter().any(|it| fits(it, scope)));
    ScopeReport {
        installation: installation.id.to_string(),
        platform: connector.platform().to_string(),
        display_name: connector.display_name().to_owned(),
        name: place.name.clone(),
        told: told_of,
        missing: missing.cloned().map(told).collect(),
        needless,
    }
}
