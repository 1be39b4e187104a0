//! How people speak in simulators whose seeds know no tokens of people.

use std::collections::BTreeMap;

use dragoman_sim::zoom::{AppKind, SeedApp, SeedInstall, ZoomSimConfig};

/// Adds an app to a simulated Zoom through which each person speaks for themselves; tokens by name.
pub(crate) fn zoom_clients(config: &mut ZoomSimConfig) -> BTreeMap<String, String> {
    let bridge = dragoman_sim::zoom::config::BRIDGE;
    let people = config.accounts.iter().flat_map(|account| &account.people).filter(|it| it.id != bridge);
    let mut tokens = BTreeMap::new();
    let mut installed = Vec::new();
    for person in people {
        let first = person.first_name.to_lowercase();
        let token = format!("zoom-client-{first}");
        installed.push(SeedInstall {
            user: person.id.clone(),
            access_token: token.clone(),
            refresh_token: format!("zoom-client-refresh-{first}"),
        });
        tokens.insert(person.first_name.clone(), token);
    }
    let scopes = SeedApp::default().scopes;
    config.apps.push(SeedApp {
        app_id: "Cl1entOfPeople00Simula".to_owned(),
        name: "Client".to_owned(),
        kind: AppKind::User,
        client_id: "ClientOfPeopleSimulated".to_owned(),
        scopes: scopes.iter().filter_map(|scope| scope.strip_suffix(":admin")).map(str::to_owned).collect(),
        robot_jid: None,
        subscriptions: Vec::new(),
        installed,
        ..SeedApp::default()
    });
    tokens
}
