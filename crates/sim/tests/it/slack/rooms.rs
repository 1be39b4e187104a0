//! Conversations: listing, joining, leaving, opening, inviting.

use serde_json::json;

use super::bench::{ANA, BACKSTAGE, BEN, BOT, Bench, CHLOE, GENERAL, error};

#[tokio::test]
async fn private_conversations_are_listed_for_members_only() {
    let bench = Bench::new().await;
    let names = async |types: &str| {
        let answer = bench.get(BOT, "conversations.list", &[("types", types)]).await;
        let mut names: Vec<String> = answer["channels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("public_channel").await, ["general", "launch"]);
    assert!(names("private_channel").await.is_empty());
    assert_eq!(
        error(&bench.get(BOT, "conversations.info", &[("channel", BACKSTAGE)]).await),
        "channel_not_found"
    );
    bench.sim.join(&bench.bot_user(), BACKSTAGE, Some(ANA)).unwrap();
    assert_eq!(names("public_channel,private_channel").await, ["backstage", "general", "launch"]);
    let info = bench
        .get(BOT, "conversations.info", &[("channel", BACKSTAGE), ("include_num_members", "true")])
        .await;
    assert_eq!((&info["channel"]["is_private"], &info["channel"]["num_members"]), (&json!(true), &json!(3)));
    assert_eq!(error(&bench.get(BOT, "conversations.list", &[("types", "nonsense")]).await), "invalid_types");
    let mine = bench.get(BOT, "users.conversations", &[("types", "public_channel,private_channel")]).await;
    assert_eq!(mine["channels"].as_array().unwrap().len(), 3);
    assert!(mine["channels"][0].get("is_member").is_none());
    bench.done().await;
}

#[tokio::test]
async fn public_channels_can_be_joined_and_left() {
    let bench = Bench::new().await;
    let channel = bench.sim.create_channel(ANA, "dock", false).unwrap();
    let answer = bench.json(BOT, "conversations.join", json!({"channel": channel})).await;
    assert_eq!(answer["channel"]["is_member"], true);
    let again = bench.json(BOT, "conversations.join", json!({"channel": channel})).await;
    assert_eq!((&again["ok"], &again["warning"]), (&json!(true), &json!("already_in_channel")));
    let members = bench.get(BOT, "conversations.members", &[("channel", &channel)]).await;
    assert_eq!(members["members"], json!([ANA, bench.bot_user()]));
    assert_eq!(bench.json(BOT, "conversations.leave", json!({"channel": channel})).await["ok"], true);
    let gone = bench.json(BOT, "conversations.leave", json!({"channel": channel})).await;
    assert_eq!((&gone["ok"], &gone["not_in_channel"]), (&json!(false), &json!(true)));
    assert_eq!(
        error(&bench.json(BOT, "conversations.join", json!({"channel": BACKSTAGE})).await),
        "channel_not_found"
    );
    bench.sim.archive(ANA, &channel, true).unwrap();
    assert_eq!(
        error(&bench.json(BOT, "conversations.join", json!({"channel": channel})).await),
        "is_archived"
    );
    bench.done().await;
}

#[tokio::test]
async fn the_same_people_open_the_same_conversation() {
    let bench = Bench::new().await;
    let open = async |users: &str| bench.json(BOT, "conversations.open", json!({"users": users})).await;
    let first = open(&format!("{ANA},{BEN}")).await;
    let second = open(&format!("{BEN},{ANA}")).await;
    assert_eq!(first["channel"]["id"], second["channel"]["id"]);
    assert_eq!((first.get("no_op"), &second["no_op"]), (None, &json!(true)));
    assert_eq!(error(&open("").await), "not_enough_users");
    assert_eq!(error(&open("1,2,3,4,5,6,7,8,9").await), "too_many_users");
    assert_eq!(error(&open("U0NOBODY").await), "user_not_found");
    bench.sim.deactivate(CHLOE).unwrap();
    assert_eq!(error(&open(CHLOE).await), "user_disabled");
    let body = json!({"users": ANA, "return_im": true});
    let direct = bench.json(BOT, "conversations.open", body).await;
    assert_eq!((&direct["channel"]["is_im"], &direct["channel"]["user"]), (&json!(true), &json!(ANA)));
    bench.done().await;
}

#[tokio::test]
async fn invitations_may_fail_in_part() {
    let bench = Bench::new().await;
    let made = bench.json(BOT, "conversations.create", json!({"name": "crew-room"})).await;
    let channel = made["channel"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        error(&bench.json(BOT, "conversations.create", json!({"name": "crew-room"})).await),
        "name_taken"
    );
    assert_eq!(
        error(&bench.json(BOT, "conversations.create", json!({"name": "Crew Room"})).await),
        "invalid_name_specials"
    );
    let invite = async |users: &str, force: bool| {
        bench
            .json(BOT, "conversations.invite", json!({"channel": channel, "users": users, "force": force}))
            .await
    };
    assert_eq!(invite(ANA, false).await["ok"], true);
    let partly = invite(&format!("{ANA},{BEN}"), true).await;
    assert_eq!(error(&partly), "already_in_channel");
    assert_eq!(partly["errors"], json!([{"user": ANA, "ok": false, "error": "already_in_channel"}]));
    assert!(bench.sim.members(&channel).contains(&BEN.to_owned()));
    let kick = json!({"channel": channel, "user": BEN});
    assert_eq!(bench.json(BOT, "conversations.kick", kick).await["ok"], true);
    let topic = json!({"channel": channel, "topic": "x".repeat(251)});
    assert_eq!(error(&bench.json(BOT, "conversations.setTopic", topic).await), "too_long");
    assert_eq!(bench.json(BOT, "conversations.archive", json!({"channel": channel})).await["ok"], true);
    assert_eq!(
        error(&bench.json(BOT, "conversations.archive", json!({"channel": channel})).await),
        "already_archived"
    );
    assert!(bench.sim.members(GENERAL).contains(&bench.bot_user()));
    bench.done().await;
}
