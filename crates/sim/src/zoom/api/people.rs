//! People and contacts.

use serde_json::{Value, json};

use super::channels::{actor, page};
use crate::zoom::call::{Call, Reply};
use crate::zoom::config::AppKind;
use crate::zoom::desk::Desk;
use crate::zoom::error::{invalid, no_user};
use crate::zoom::state::Person;

/// `GET /users/{userId}`
pub(super) fn get(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let who = &call.path[0];
    let id = if who == "me" || call.kind == AppKind::User {
        if who != "me" && *who != call.token.user {
            return Err(no_user(who));
        }
        call.token.user.clone()
    } else {
        who.clone()
    };
    let person = desk.state.find(&id)?;
    if person.account != call.token.account {
        return Err(no_user(who));
    }
    Ok((200, desk.views().person(person)))
}

/// `GET /users`
pub(super) fn list(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let views = desk.views();
    let items: Vec<Value> = desk
        .state
        .people
        .values()
        .filter(|person| person.account == call.token.account && !person.deleted)
        .map(|person| {
            let mut view = views.person(person);
            for gone in ["jid", "account_id", "role_name"] {
                if let Some(view) = view.as_object_mut() {
                    view.remove(gone);
                }
            }
            view
        })
        .collect();
    let (status, mut answer) = page(desk, call, items, "users", (30, 300))?;
    answer["page_count"] = json!(1);
    answer["page_number"] = json!(1);
    Ok((status, answer))
}

/// `GET /users/email`
pub(super) fn email(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let email = call.query("email").ok_or_else(|| invalid("email"))?;
    Ok((200, json!({"existed_email": desk.state.find(email).is_ok()})))
}

fn contact(person: &Person) -> Value {
    json!({"id": person.id, "member_id": person.member_id, "email": person.email,
        "first_name": person.first_name, "last_name": person.last_name})
}

fn known<'d>(desk: &'d Desk<'_>, user: &str) -> Vec<&'d Person> {
    let Some(me) = desk.state.people.get(user) else { return Vec::new() };
    desk.state
        .people
        .values()
        .filter(|person| !person.deleted && person.id != user)
        .filter(|person| {
            person.account == me.account || me.contacts.contains(&person.id) || person.contacts.contains(user)
        })
        .collect()
}

/// `GET /chat/users/me/contacts`
pub(super) fn contacts(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting_as(desk, "me")?;
    let external = call.query("type") == Some("external");
    let account = desk.state.person(&user)?.account.clone();
    let items = known(desk, &user)
        .into_iter()
        .filter(|person| !external || person.account != account)
        .map(contact)
        .collect();
    page(desk, call, items, "contacts", (10, 50))
}

/// `GET /chat/users/me/contacts/{identifier}`
pub(super) fn one_contact(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting_as(desk, "me")?;
    let found = desk.state.find(&call.path[0])?.id.clone();
    let person = known(desk, &user).into_iter().find(|person| person.id == found);
    let person = person.ok_or_else(|| no_user(&call.path[0]))?;
    let mut view = contact(person);
    view["presence_status"] = json!("Available");
    Ok((200, view))
}

/// `GET /contacts`
pub(super) fn directory(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = actor(desk, call)?;
    let needle = call.query("search_key").unwrap_or_default().to_lowercase();
    let items = desk
        .state
        .people
        .values()
        .filter(|person| person.account == call.token.account && !person.deleted && person.id != user)
        .filter(|person| {
            person.display_name.to_lowercase().contains(&needle)
                || person.email.to_lowercase().contains(&needle)
        })
        .map(|person| {
            let mut view = contact(person);
            view["display_name"] = json!(person.display_name);
            view["contact_type"] = json!(1);
            view["user_status"] = json!("active");
            view
        })
        .collect();
    page(desk, call, items, "contacts", (1, 25))
}
