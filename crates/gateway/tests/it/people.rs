//! People: linked accounts, and links with which they grant tokens of their own.

use dragoman_gateway::admin::api::{
    AuditList, InstallLink, InstallState, InstallWait, PersonInfo, PersonLink, PersonList, PersonRevoke,
    PersonToken, PersonUnlink,
};
use dragoman_platform::TokenSlot;
use url::Url;

use crate::fake::PERSONS;
use crate::rig::{Rig, problem};

async fn link(rig: &Rig, accounts: &[&str]) -> PersonInfo {
    let accounts = accounts.iter().map(|it| (*it).to_owned()).collect();
    rig.admin.ask(&PersonLink { accounts }).await.unwrap()
}

fn token(person: &str, at: &str) -> PersonToken {
    PersonToken { person: person.to_owned(), installation: at.to_owned() }
}

/// The browser comes back as `who`.
async fn back(rig: &Rig, started: &InstallLink, platform: &str, who: &str) -> (u16, InstallState) {
    let link = Url::parse(&started.link).unwrap();
    let state = link.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let path = format!("/oauth/{platform}/callback?code=c&state={state}&who={who}");
    let status = rig.get(rig.door(), &path).await.status;
    (status, rig.admin.ask(&InstallWait { ticket: started.ticket.clone() }).await.unwrap())
}

fn speaks(people: &[PersonInfo]) -> Vec<(&str, &str, bool)> {
    let accounts = people.iter().flat_map(|it| &it.accounts);
    let mut all: Vec<_> = accounts.map(|it| (it.platform.as_str(), it.user.as_str(), it.own_token)).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn accounts_are_linked_listed_and_taken_apart() {
    let rig = Rig::new().await;
    rig.bridged().await;
    let person = link(&rig, &["alpha:u1", "beta:u2"]).await;
    assert_eq!(speaks(std::slice::from_ref(&person)), [("alpha", "u1", false), ("beta", "u2", false)]);
    assert!(person.accounts.iter().all(|it| it.name == "Ada Lovelace"));
    assert_eq!(link(&rig, &["beta:u2", "alpha:u1"]).await, person, "said twice");
    let other = link(&rig, &["alpha:u3"]).await;
    assert_ne!(other.id, person.id);
    assert_eq!(rig.admin.ask(&PersonList {}).await.unwrap().len(), 2);
    for (accounts, code) in [
        (&["alpha:u1", "alpha:u3"][..], "DRG-CONFLICT"),
        (&["alpha:u4", "beta:u2"], "DRG-CONFLICT"),
        (&["alpha:u5", "alpha:u6"], "DRG-CONFLICT"),
        (&["alpha:nobody"], "DRG-NOT-FOUND"),
        (&["alpha:ada@acme.example"], "DRG-NOT-FOUND"),
        (&["gamma:u1"], "DRG-NOT-FOUND"),
        (&["u1"], "DRG-INVALID"),
    ] {
        let named = accounts.iter().map(|it| (*it).to_owned()).collect();
        let refused = problem(rig.admin.ask(&PersonLink { accounts: named }).await);
        assert_eq!(refused.code, code, "{accounts:?}: {refused}");
    }
    let unlink = PersonUnlink { account: "alpha:u1".to_owned() };
    rig.admin.ask(&unlink).await.unwrap();
    assert_eq!(problem(rig.admin.ask(&unlink).await).code, "DRG-NOT-FOUND");
    let people = rig.admin.ask(&PersonList {}).await.unwrap();
    assert_eq!(speaks(&people), [("alpha", "u3", false), ("beta", "u2", false)]);
    rig.end().await;
}

#[tokio::test]
async fn a_person_grants_a_token_once_and_for_the_linked_account_only() {
    let rig = Rig::new().await;
    rig.bridged().await;
    let person = link(&rig, &["alpha:u1", "beta:u2"]).await;
    // Somebody else was signed in.
    let started = rig.admin.ask(&token(&person.id, "alpha")).await.unwrap();
    let (status, state) = back(&rig, &started, "alpha", "u9").await;
    assert!(
        status == 400 && matches!(&state, InstallState::Failed(it) if it.code == "DRG-REFUSED"),
        "{state:?}"
    );
    // The state is used up, and a link that is too old is none.
    assert_eq!(back(&rig, &started, "alpha", "u1").await.0, 400);
    let late = rig.admin.ask(&token(&person.id, "alpha")).await.unwrap();
    rig.clock.advance(15 * 60 * 1000);
    assert_eq!(back(&rig, &late, "alpha", "u1").await.0, 400);
    // Nor does it work at another platform, or after the account was taken from the person.
    let elsewhere = rig.admin.ask(&token(&person.id, "alpha")).await.unwrap();
    assert_eq!(back(&rig, &elsewhere, "beta", "u1").await.0, 400);
    let unlinked = rig.admin.ask(&token(&person.id, "alpha")).await.unwrap();
    rig.admin.ask(&PersonUnlink { account: "alpha:u1".to_owned() }).await.unwrap();
    assert_eq!(back(&rig, &unlinked, "alpha", "u1").await.0, 400);
    assert!(problem(rig.admin.ask(&token(&person.id, "alpha")).await).cure.contains("person link"));
    assert!(problem(rig.admin.ask(&token(&person.id, "beta")).await).what.contains("beta"));
    link(&rig, &["alpha:u1", "beta:u2"]).await;
    let people = rig.admin.ask(&PersonList {}).await.unwrap();
    assert_eq!(speaks(&people), [("alpha", "u1", false), ("beta", "u2", false)]);

    let started = rig.admin.ask(&token("beta:u2", "alpha")).await.unwrap();
    let (status, state) = back(&rig, &started, "alpha", "u1").await;
    assert!(status == 200 && matches!(state, InstallState::Done(_)), "{state:?}");
    let people = rig.admin.ask(&PersonList {}).await.unwrap();
    assert_eq!(speaks(&people), [("alpha", "u1", true), ("beta", "u2", false)]);
    let directory = rig.relay.directory();
    let place = directory.places().find(|it| it.session.app.platform.0 == "alpha").unwrap();
    let slot = TokenSlot::Person(person.id.as_str().into());
    let kept = place.session.tokens.get(&slot).await.unwrap().unwrap();
    assert!(kept.access.matches(PERSONS.as_bytes()));
    assert!(place.session.tokens.get(&TokenSlot::App).await.unwrap().is_some(), "the app keeps its own");
    let residue = rig.disk.residue();
    assert!(!residue.windows(PERSONS.len()).any(|part| part == PERSONS.as_bytes()), "stored in the clear");

    let revoke = PersonRevoke { person: person.id.clone(), installation: "alpha".to_owned() };
    assert_eq!(rig.admin.ask(&revoke).await.unwrap().count, 1);
    assert_eq!(rig.admin.ask(&revoke).await.unwrap().count, 0);
    assert!(place.session.tokens.get(&slot).await.unwrap().is_none());
    let trail = rig.admin.ask(&AuditList { limit: 50 }).await.unwrap();
    for act in
        ["person.link", "person.token-start", "person.token-granted", "person.token-revoke", "person.unlink"]
    {
        assert!(
            trail.iter().any(|row| row.act == act && row.subject.contains(&person.id)),
            "{act}: {trail:?}"
        );
    }
    let granted = trail.iter().find(|row| row.act == "person.token-granted").unwrap();
    assert_eq!(granted.actor, "platform", "it was not the operator who consented");
    rig.end().await;
}

#[tokio::test]
async fn an_account_with_the_same_verified_address_is_linked_when_it_is_read() {
    let rig = Rig::new().await;
    rig.bridged().await;
    link(&rig, &["alpha:mail1"]).await;
    let read = async |user: &str| {
        let directory = rig.relay.directory();
        let spot =
            directory.spots().into_iter().find(|it| it.place.session.app.platform.0 == "beta").unwrap();
        rig.relay.profile(spot, &user.into()).await.unwrap();
        rig.admin.ask(&PersonList {}).await.unwrap()
    };
    assert_eq!(speaks(&read("u5").await), [("alpha", "mail1", false)], "another address");
    assert_eq!(speaks(&read("guest-mail").await), [("alpha", "mail1", false)], "nobody vouches for a guest");
    let people = read("mail2").await;
    assert_eq!(speaks(&people), [("alpha", "mail1", false), ("beta", "mail2", false)]);
    assert_eq!(people.len(), 1);
    // An admin knows better, and may think again.
    rig.admin.ask(&PersonUnlink { account: "beta:mail2".to_owned() }).await.unwrap();
    rig.clock.advance(25 * 60 * 60 * 1000);
    assert_eq!(read("mail2").await.len(), 2);
    link(&rig, &["alpha:mail1", "beta:mail2"]).await;
    assert_eq!(rig.admin.ask(&PersonList {}).await.unwrap().len(), 1);
    rig.end().await;
}
