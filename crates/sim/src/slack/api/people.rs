//! `users.*`, `bots.*`, `team.*`, `emoji.*`, `usergroups.*`, `reactions.*`.

use serde_json::{Value, json};

use super::tools::{joined, members, page, team_of, visible};
use crate::slack::desk::Desk;
use crate::slack::dispatch::{ApiResult, Caller};
use crate::slack::error::{ApiError, missing, refuse};
use crate::slack::state::{User, is_ts};
use crate::slack::views::Meta;

pub(super) fn team_info(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = match caller.args.text("team") {
        Some(team) => team,
        None => team_of(desk, caller)?,
    };
    let team = desk.state.teams.get(&id).ok_or_else(|| refuse("team_not_found"))?;
    let image = format!("{}/avatars/{id}.svg", desk.base);
    let mut view = json!({"id": team.id, "name": team.name, "domain": team.domain,
        "url": format!("https://{}.slack.com/", team.domain), "email_domain": "", "avatar_base_url": desk.base,
        "icon": {"image_34": image, "image_44": image, "image_68": image, "image_88": image, "image_102": image,
            "image_132": image, "image_default": true}});
    if let (Some(enterprise), Some((_, name))) = (&team.enterprise, &desk.state.enterprise) {
        view["enterprise_id"] = json!(enterprise);
        view["enterprise_name"] = json!(name);
    }
    Ok(members([("team", view)]))
}

pub(super) fn emoji_list(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let team = team_of(desk, caller)?;
    let emoji = desk.state.teams.get(&team).map(|team| json!(team.emoji)).unwrap_or_default();
    Ok(members([("emoji", emoji), ("cache_ts", json!((desk.now / 1_000_000).to_string()))]))
}

pub(super) fn usergroups_list(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let team = team_of(desk, caller)?;
    let with_users = caller.args.flag("include_users").unwrap_or(false);
    let groups: Vec<Value> = desk
        .state
        .teams
        .get(&team)
        .into_iter()
        .flat_map(|team| &team.groups)
        .map(|(id, (handle, users))| {
            let mut group = json!({"id": id, "team_id": team, "is_usergroup": true, "name": handle, "handle": handle,
                "description": "", "is_external": false, "date_create": 0, "date_update": 0, "date_delete": 0,
                "auto_type": null, "created_by": users.first(), "updated_by": users.first(), "deleted_by": null,
                "prefs": {"channels": [], "groups": []}, "user_count": users.len().to_string()});
            if with_users {
                group["users"] = json!(users);
            }
            group
        })
        .collect();
    Ok(members([("usergroups", json!(groups))]))
}

fn seen<'d>(desk: &'d Desk<'_>, caller: &Caller<'_>, id: &str) -> Result<&'d User, ApiError> {
    let user = desk.state.user(id)?;
    let own = match &caller.token.team {
        Some(team) => *team == user.team,
        None => {
            desk.state.teams.get(&user.team).is_some_and(|team| team.enterprise == caller.token.enterprise)
        }
    };
    let met = || {
        desk.state
            .channels
            .values()
            .any(|channel| channel.members.contains(&user.id) && channel.members.contains(&caller.token.user))
    };
    if own || met() { Ok(user) } else { Err(refuse("user_not_found")) }
}

pub(super) fn users_info(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = caller.args.required("user").map_err(|_| refuse("user_not_found"))?;
    let user = seen(desk, caller, &id)?;
    let mut view = desk.views().user(user, &caller.token);
    if caller.args.flag("include_locale") == Some(true) {
        view.insert("locale".to_owned(), json!("en-GB"));
    }
    Ok(members([("user", Value::Object(view))]))
}

pub(super) fn users_list(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let team = team_of(desk, caller)?;
    let all: Vec<&User> = desk.state.users.values().filter(|user| user.team == team).collect();
    if all.len() > 1_000 && caller.args.number("limit").is_none() {
        return Err(refuse("limit_required"));
    }
    let (found, metadata) = page(caller.args, all, 1_000, 1_000)?;
    let views: Vec<Value> =
        found.into_iter().map(|user| Value::Object(desk.views().user(user, &caller.token))).collect();
    Ok(members([
        ("members", json!(views)),
        ("cache_ts", json!(desk.now / 1_000_000)),
        ("response_metadata", metadata),
    ]))
}

pub(super) fn lookup_by_email(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let email = caller.args.required("email").map_err(|_| refuse("users_not_found"))?;
    let team = team_of(desk, caller).ok();
    let user = desk
        .state
        .users
        .values()
        .find(|user| {
            user.email.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&email))
                && !user.deleted
                && team.as_ref().is_none_or(|team| *team == user.team)
        })
        .ok_or_else(|| refuse("users_not_found"))?;
    Ok(members([("user", Value::Object(desk.views().user(user, &caller.token)))]))
}

pub(super) fn profile_get(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = caller.args.text("user").unwrap_or_else(|| caller.token.user.clone());
    let user = seen(desk, caller, &id)?;
    let view = desk.views().user(user, &caller.token);
    Ok(members([("profile", view.get("profile").cloned().unwrap_or_default())]))
}

pub(super) fn bots_info(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = caller.args.required("bot").map_err(|_| refuse("bot_not_found"))?;
    if caller.token.team.is_none() {
        team_of(desk, caller)?;
    }
    let bot = desk.state.bots.get(&id).ok_or_else(|| refuse("bot_not_found"))?;
    let mut view = json!({"id": bot.id, "deleted": bot.deleted, "name": bot.name, "updated": bot.updated,
        "app_id": bot.app_id, "icons": desk.views().icons(&bot.id)});
    if let Some(user) = &bot.user_id {
        view["user_id"] = json!(user);
    }
    Ok(members([("bot", view)]))
}

fn item(desk: &Desk<'_>, caller: &Caller<'_>) -> Result<(String, String), ApiError> {
    let channel = caller.args.text("channel").ok_or_else(|| refuse("no_item_specified"))?;
    let ts = caller.args.text("timestamp").ok_or_else(|| refuse("no_item_specified"))?;
    if !is_ts(&ts) {
        return Err(refuse("bad_timestamp"));
    }
    let found = visible(desk, caller, &channel)?;
    if found.archived {
        return Err(refuse("is_archived"));
    }
    Ok((channel, ts))
}

fn react(desk: &mut Desk<'_>, caller: &Caller<'_>, add: bool) -> ApiResult {
    let name = caller.args.required("name").map_err(|_| missing("name"))?;
    let (channel, ts) = item(desk, caller)?;
    joined(desk, caller, &channel)?;
    desk.react(&channel, &ts, &caller.token.user, name.trim_matches(':'), add)?;
    Ok(serde_json::Map::new())
}

pub(super) fn reactions_add(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    react(desk, caller, true)
}

pub(super) fn reactions_remove(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    react(desk, caller, false)
}

pub(super) fn reactions_get(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let (id, ts) = item(desk, caller)?;
    let channel = desk.state.channel(&id)?;
    let message = channel.messages.get(&ts).ok_or_else(|| refuse("message_not_found"))?;
    let mut view = desk.views().message(channel, message, Meta::TypeOnly);
    view.insert("permalink".to_owned(), json!(desk.views().permalink(channel, message)));
    Ok(members([("type", json!("message")), ("message", Value::Object(view)), ("channel", json!(id))]))
}
