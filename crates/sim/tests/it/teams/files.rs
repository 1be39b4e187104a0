//! Files: the channel's folder, upload sessions, links that lead to bytes, and what people attach.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use dragoman_sim::teams::seed::{APP, DANA, EMRE, FARAH, GENERAL, LUNCH_CHAT, TEAM};
use dragoman_sim::teams::{Draft, Place, Refusal};
use http::Method;
use serde_json::{Value, json};

use super::harness::{Reply, Rig, general, quick};

const PART: usize = 320 * 1024;

async fn rig() -> Rig {
    Rig::with_roles(&["Files.ReadWrite.All", "ChannelMessage.Read.All", "Chat.Read.All"]).await
}

/// `drives/{id}/items/{id}` of the channel's folder.
async fn folder(rig: &Rig) -> String {
    let path = format!("/v1.0/teams/{TEAM}/channels/{GENERAL}/filesFolder");
    let f = rig.get(&path, &rig.app()).await.json();
    format!(
        "/v1.0/drives/{}/items/{}",
        f["parentReference"]["driveId"].as_str().unwrap(),
        f["id"].as_str().unwrap()
    )
}

async fn put(rig: &Rig, url: &str, range: &str, body: &[u8]) -> Reply {
    rig.call(Method::PUT, url, "", &[("content-range", range)], Bytes::copy_from_slice(body)).await
}

fn shares(address: &str) -> String {
    format!("/v1.0/shares/u!{}/driveItem", URL_SAFE_NO_PAD.encode(address))
}

async fn session(rig: &Rig, name: &str, behaviour: &str) -> String {
    let path = format!("{}:/{name}:/createUploadSession", folder(rig).await);
    let body = json!({"item": {"@microsoft.graph.conflictBehavior": behaviour}});
    let r = rig.post(&path, &rig.app(), &body).await;
    assert_eq!(r.status, 200, "{:?}", r.error());
    r.json()["uploadUrl"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn small_files_go_up_in_one_request_and_down_by_a_redirect() {
    let rig = rig().await;
    let path = format!("{}:/Gr%C3%B6%C3%9Fe%20%26%20co.txt:/content", folder(&rig).await);
    let write =
        async |path: &str| rig.call(Method::PUT, path, &rig.app(), &[], Bytes::from_static(b"abc")).await;
    let item = write(&path).await;
    assert_eq!(item.status, 201);
    let item = item.json();
    assert_eq!((&item["name"], &item["size"]), (&json!("Größe & co.txt"), &json!(3)));
    assert_eq!(write(&path).await.status, 200, "replaced");
    let fail = format!("{path}?@microsoft.graph.conflictBehavior=fail");
    assert_eq!(
        (write(&fail).await.status, write(&fail).await.error().0.as_str()),
        (409, "nameAlreadyExists")
    );
    let bad = format!("{}:/a%3Ab.txt:/content", folder(&rig).await);
    assert_eq!(write(&bad).await.status, 400);

    let link = shares(item["webUrl"].as_str().unwrap());
    assert_eq!(rig.get(&link, &rig.app()).await.json()["id"], item["id"]);
    assert_eq!(item["createdBy"], json!({"application": {"id": APP}}));
    let moved = rig.get(&format!("{link}/content"), &rig.app()).await;
    assert_eq!(moved.status, 302);
    let address = moved.header("location").to_owned();
    let bytes = rig.get(&address, "").await;
    assert_eq!((&bytes.bytes[..], bytes.header("content-type")), (&b"abc"[..], "text/plain"));
    assert_eq!(rig.get(&address, &rig.app()).await.status, 401, "a token there is refused");
    rig.sim.expire_addresses();
    assert_eq!(rig.get(&address, "").await.status, 401);

    let id = format!(
        "/v1.0/drives/{}/items/{}",
        item["parentReference"]["driveId"].as_str().unwrap(),
        item["id"].as_str().unwrap()
    );
    assert_eq!(rig.send(Method::DELETE, &id, &rig.app(), &Value::Null).await.status, 204);
    assert_eq!(rig.get(&link, &rig.app()).await.error().0, "itemNotFound");
    rig.stop().await;
}

#[tokio::test]
async fn upload_sessions_take_parts_in_order() {
    let rig = rig().await;
    let url = session(&rig, "big.bin", "rename").await;
    let part = vec![7_u8; PART];
    let total = PART + 5;
    let first = format!("bytes 0-{}/{total}", PART - 1);
    let last = format!("bytes {PART}-{}/{total}", total - 1);
    assert_eq!(put(&rig, &url, "bytes 0-4/9", b"abcde").await.status, 400, "no multiple of 320 KiB");
    assert_eq!(put(&rig, &url, &last, b"abcde").await.status, 416, "not the next");
    let with_token = rig
        .call(Method::PUT, &url, &rig.app(), &[("content-range", &first)], Bytes::from(part.clone()))
        .await;
    assert_eq!(with_token.status, 401);
    let accepted = put(&rig, &url, &first, &part).await;
    assert_eq!(
        (accepted.status, &accepted.json()["nextExpectedRanges"]),
        (202, &json!([format!("{PART}-")]))
    );
    assert_eq!(put(&rig, &url, &first, &part).await.status, 416, "there already");
    assert_eq!(rig.get(&url, "").await.json()["nextExpectedRanges"], json!([format!("{PART}-")]));
    assert_eq!(put(&rig, &url, &format!("bytes {PART}-{total}/{total}"), b"abcde").await.status, 400);
    let made = put(&rig, &url, &last, b"abcde").await;
    assert_eq!((made.status, made.json()["size"].as_u64()), (201, Some(total as u64)));
    assert_eq!(made.json()["createdBy"], json!({"application": {"id": APP}}));
    assert_eq!(put(&rig, &url, &last, b"abcde").await.status, 404, "over");
    assert_eq!(rig.sim.file_at(made.json()["webUrl"].as_str().unwrap()).unwrap().len(), total);

    // A name that is taken: a number, or a refusal at the end.
    let again = session(&rig, "big.bin", "rename").await;
    assert_eq!(put(&rig, &again, "bytes 0-0/1", b"x").await.json()["name"], "big 1.bin");
    let fail = session(&rig, "big.bin", "fail").await;
    assert_eq!(put(&rig, &fail, "bytes 0-0/1", b"x").await.status, 409);

    let dropped = session(&rig, "c.bin", "fail").await;
    assert_eq!(rig.call(Method::DELETE, &dropped, "", &[], Bytes::new()).await.status, 204);
    assert_eq!(rig.get(&dropped, "").await.status, 404);
    let late = session(&rig, "d.bin", "fail").await;
    rig.sim.expire_addresses();
    assert_eq!(put(&rig, &late, "bytes 0-0/1", b"x").await.status, 404);
    rig.stop().await;
}

#[tokio::test]
async fn uploads_need_more_than_the_right_to_look() {
    let rig = Rig::new().await;
    let path = format!("/v1.0/teams/{TEAM}/channels/{GENERAL}/filesFolder");
    let f = rig.get(&path, &rig.app()).await;
    // The resource-specific permission gives the folder and nothing in it.
    let drive = if f.status == 200 {
        f.json()["parentReference"]["driveId"].as_str().unwrap().to_owned()
    } else {
        "b!x".into()
    };
    let target = format!("/v1.0/drives/{drive}/items/01X:/a.txt:/createUploadSession");
    let r = rig.post(&target, &rig.app(), &json!({})).await;
    assert_eq!(r.status, 403);
    assert!(r.error().1.contains("Files.ReadWrite.All"), "{:?}", r.error());
    assert_eq!(rig.get(&shares("https://x.example/a"), &rig.app()).await.status, 403);
    let away = rig.post(&target, &rig.dana(&["Files.ReadWrite.All"]), &json!({})).await;
    assert_eq!(away.status, 404, "no such folder");
    rig.stop().await;
}

#[tokio::test]
async fn a_folder_can_be_late() {
    let mut config = quick();
    config.doubts.files_folder_late = true;
    config.apps[0].roles.push("Files.Read.All".into());
    let rig = Rig::with(config).await;
    let path = format!("/v1.0/teams/{TEAM}/channels/{GENERAL}/filesFolder");
    assert_eq!(rig.get(&path, &rig.app()).await.error().0, "NotFound");
    let draft = rig.sim.attaching(DANA, GENERAL, Draft::html(""), &[("a.txt", b"x")]).unwrap();
    rig.sim.post(DANA, GENERAL, draft).unwrap();
    assert_eq!(rig.get(&path, &rig.app()).await.status, 200);
    rig.stop().await;
}

#[tokio::test]
async fn what_people_attach_is_a_reference_in_the_right_folder() {
    let rig = rig().await;
    let draft = rig
        .sim
        .attaching(DANA, GENERAL, Draft::text("see <this>"), &[("a.txt", b"x"), ("a.txt", b"yy")])
        .unwrap();
    let id = rig.sim.post(DANA, GENERAL, draft).unwrap();
    let m = rig.get(&format!("{}/{id}", general()), &rig.app()).await.json();
    let names: Vec<&str> =
        m["attachments"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.txt", "a 1.txt"]);
    let a = &m["attachments"][1];
    assert!(
        m["body"]["content"]
            .as_str()
            .unwrap()
            .contains(&format!("<attachment id=\"{}\">", a["id"].as_str().unwrap()))
    );
    assert!(m["body"]["content"].as_str().unwrap().starts_with("<p>see &lt;this&gt;</p>"));
    let link = shares(a["contentUrl"].as_str().unwrap());
    let item = rig.get(&link, &rig.app()).await.json();
    let tag = format!("\"{{{}}},1\"", a["id"].as_str().unwrap().to_uppercase());
    assert_eq!((&item["eTag"], &item["size"]), (&json!(tag), &json!(2)));
    // A bot is told of a tag and no more.
    let activity = rig.inbox.activities(1, "message").await;
    assert_eq!(activity[0]["attachments"].as_array().unwrap().len(), 1);
    assert!(activity[0]["attachments"][0]["content"].as_str().unwrap().contains("<attachment id="));

    // In a chat it is the sender's own folder, and members' alone.
    let draft = rig.sim.attaching(EMRE, LUNCH_CHAT, Draft::html(""), &[("menu.pdf", b"pdf")]).unwrap();
    let address = draft.attachments[0]["contentUrl"].as_str().unwrap().to_owned();
    assert!(address.contains(&format!("/personal/{EMRE}/")), "{address}");
    rig.sim.post(EMRE, LUNCH_CHAT, draft).unwrap();
    let reads = async |who: &str| {
        rig.get(&shares(&address), &rig.sim.user_token(APP, who, &["Files.Read.All"])).await.status
    };
    assert_eq!(reads(EMRE).await, 200);
    assert_eq!(reads("55555555-0000-4000-8000-000000000000").await, 403);
    assert!(rig.sim.delete_file(&address) && rig.sim.file_at(&address).is_none());
    assert_eq!(
        rig.sim.attaching(DANA, GENERAL, Draft::html(""), &[("a?b", b"x")]).err(),
        Some(Refusal::BadName)
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_message_can_name_a_file_that_is_there() {
    let rig = rig().await;
    let path = format!("{}:/plan.txt:/content", folder(&rig).await);
    let item = rig.call(Method::PUT, &path, &rig.app(), &[], Bytes::from_static(b"abc")).await.json();
    let guid = item["eTag"].as_str().unwrap()[2..38].to_owned();
    let message = |id: &str, tag: &str| {
        json!({"body": {"contentType": "html", "content": format!("<attachment id=\"{tag}\"></attachment>")},
            "attachments": [{"id": id, "contentType": "reference", "contentUrl": item["webUrl"], "name": "plan.txt"}]})
    };
    let sent = rig.post(&general(), &rig.writer(), &message(&guid, &guid)).await;
    assert_eq!(sent.status, 201, "{:?}", sent.error());
    assert_eq!(sent.json()["attachments"][0]["contentType"], "reference");
    let other = "00000000-0000-4000-8000-000000000000";
    assert_eq!(rig.post(&general(), &rig.writer(), &message(other, other)).await.status, 400, "another id");
    assert_eq!(rig.post(&general(), &rig.writer(), &message(&guid, other)).await.status, 400, "no marker");
    rig.stop().await;
}

#[tokio::test]
async fn pasted_pictures_are_hosted_contents() {
    let rig = rig().await;
    let draft = rig.sim.pasting(Draft::html("<p>look</p>"), "image/png", b"pngbytes");
    let id = rig.sim.post(DANA, GENERAL, draft).unwrap();
    let m = rig.get(&format!("{}/{id}", general()), &rig.app()).await.json();
    let content = m["body"]["content"].as_str().unwrap();
    let src = content.split("src=\"").nth(1).unwrap().split('"').next().unwrap();
    let value = rig.get(src, &rig.app()).await;
    assert_eq!((&value.bytes[..], value.header("content-type")), (&b"pngbytes"[..], "image/png"));
    assert_eq!(rig.get(src, "").await.status, 401);
    // Bots are told of them beside the text, under an address that needs their token.
    let told = rig.inbox.activities(1, "message").await.remove(0);
    let [picture, text] = told["attachments"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&picture["contentType"], &text["contentType"]), (&json!("image/*"), &json!("text/html")));
    let address = picture["contentUrl"].as_str().unwrap();
    assert!(address.starts_with(&rig.sim.service_url()), "{address}");
    assert_eq!(&rig.get(address, &rig.bot()).await.bytes[..], b"pngbytes");
    assert_eq!(rig.get(address, &rig.app()).await.status, 401);
    rig.stop().await;
}

#[tokio::test]
async fn the_page_sends_and_fetches_files() {
    let rig = rig().await;
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("as", DANA), ("conversation", GENERAL), ("name", "a b.txt"), ("text", "look <here>")])
        .finish();
    let sent =
        rig.call(Method::POST, &format!("/_sim/upload?{query}"), "", &[], Bytes::from_static(b"abc")).await;
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    let m = rig.sim.message(GENERAL, &id).unwrap();
    let address = m["attachments"][0]["contentUrl"].as_str().unwrap();
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("address", address).finish();
    let file = rig.get(&format!("/_sim/file?{query}"), "").await;
    assert_eq!((&file.bytes[..], file.header("content-type")), (&b"abc"[..], "text/plain"));
    assert!(file.header("content-disposition").ends_with("a%20b.txt"));
    assert_eq!(rig.get("/_sim/file?address=http%3A%2F%2Fx%2Fy", "").await.status, 404);
    let shown = rig.get(&format!("/_sim/messages?conversation={GENERAL}"), "").await.json();
    assert_eq!(shown["messages"][0]["attachments"][0]["size"], 3);
    // What is pasted stands in the text, as with Teams' own client.
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("as", DANA), ("conversation", GENERAL), ("html", "<b>see</b>")])
        .finish();
    let form = "--x\r\nContent-Disposition: form-data; name=\"pasted\"; filename=\"image.png\"\r\n\r\npng\r\n--x\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"c.txt\"\r\n\r\ntext\r\n--x--\r\n";
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    let body = Bytes::from_static(form.as_bytes());
    let sent = rig.call(Method::POST, &format!("/_sim/upload?{query}"), "", &headers, body).await;
    let m = rig.sim.message(GENERAL, sent.json()["id"].as_str().unwrap()).unwrap();
    let content = m["body"]["content"].as_str().unwrap();
    assert!(content.contains("<b>see</b>") && content.contains("hostedContents/"), "{content}");
    assert_eq!(m["attachments"][0]["name"], "c.txt");
    rig.stop().await;
}

/// Dana's own token for her own drive.
fn hers(rig: &Rig) -> String {
    rig.dana(&["Files.ReadWrite", "Chat.ReadWrite", "ChatMessage.Send"])
}

#[tokio::test]
async fn people_have_drives_of_their_own_and_guests_have_none() {
    let mut config = quick();
    config.apps[0].roles.push("Files.ReadWrite.All".into());
    config.people.iter_mut().filter(|it| it.id == FARAH).for_each(|it| it.guest = true);
    let rig = Rig::with(config).await;
    let read = async |who: &str, token: &str| rig.get(&format!("/v1.0/{who}/drive"), token).await;
    let mine = read("me", &hers(&rig)).await.json();
    assert_eq!((&mine["driveType"], &mine["owner"]["user"]["id"]), (&json!("business"), &json!(DANA)));
    let seen = read(&format!("users/{DANA}"), &rig.app()).await.json();
    assert_eq!(seen["id"], mine["id"]);
    assert_eq!(read(&format!("users/{EMRE}"), &hers(&rig)).await.status, 403, "another's");
    assert_eq!(read(&format!("users/{DANA}"), &rig.dana(&["ChatMessage.Send"])).await.status, 403);
    assert_eq!(read("me", &rig.app()).await.status, 400, "an app is nobody");
    let guest = read(&format!("users/{FARAH}"), &rig.app()).await;
    assert_eq!((guest.status, guest.error().0.as_str()), (404, "ResourceNotFound"));
    // The folder of chats is there from the first file on.
    let path = "/v1.0/me/drive/root:/Microsoft%20Teams%20Chat%20Files";
    assert_eq!(rig.get(path, &hers(&rig)).await.error().0, "itemNotFound");
    let children = "/v1.0/me/drive/root/children";
    let wanted = json!({"name": "Microsoft Teams Chat Files", "folder": {}});
    assert_eq!(rig.post(children, &hers(&rig), &wanted).await.status, 201);
    assert_eq!(rig.post(children, &hers(&rig), &wanted).await.error().0, "nameAlreadyExists");
    let folder = rig.get(path, &hers(&rig)).await.json();
    assert_eq!(folder["parentReference"]["driveId"], mine["id"]);
    let draft = rig.sim.attaching(EMRE, LUNCH_CHAT, Draft::html(""), &[("menu.pdf", b"pdf")]).unwrap();
    rig.sim.post(EMRE, LUNCH_CHAT, draft).unwrap();
    let emre = rig.sim.user_token(APP, EMRE, &["Files.ReadWrite"]);
    assert_eq!(rig.get(path, &emre).await.status, 200, "Teams' own client made it");
    rig.stop().await;
}

#[tokio::test]
async fn a_file_of_a_drive_is_seen_by_those_it_is_shared_with() {
    let rig = rig().await;
    let token = hers(&rig);
    let wanted = json!({"name": "Microsoft Teams Chat Files", "folder": {}});
    let folder = rig.post("/v1.0/me/drive/root/children", &token, &wanted).await.json();
    let place = format!(
        "/v1.0/drives/{}/items/{}",
        folder["parentReference"]["driveId"].as_str().unwrap(),
        folder["id"].as_str().unwrap()
    );
    let path = format!("{place}:/plan.txt:/content");
    let emre = rig.sim.user_token(APP, EMRE, &["Files.ReadWrite.All", "ChatMessage.Send"]);
    let away = rig.call(Method::PUT, &path, &emre, &[], Bytes::from_static(b"abc")).await;
    assert_eq!(away.status, 403, "into another's drive");
    let item = rig.call(Method::PUT, &path, &token, &[], Bytes::from_static(b"abc")).await.json();
    assert_eq!(item["createdBy"], json!({"user": {"id": DANA}, "application": {"id": APP}}));
    let link = shares(item["webUrl"].as_str().unwrap());
    assert_eq!(rig.get(&link, &emre).await.status, 403, "not shared yet");
    assert_eq!(rig.get(&link, &rig.app()).await.status, 200, "an app sees all");

    let invite = format!(
        "/v1.0/drives/{}/items/{}/invite",
        item["parentReference"]["driveId"].as_str().unwrap(),
        item["id"].as_str().unwrap()
    );
    let asks = |recipients: Value, roles: Value| json!({"recipients": recipients, "roles": roles, "requireSignIn": true, "sendInvitation": false});
    let of_emre = asks(json!([{"objectId": EMRE}]), json!(["read"]));
    assert_eq!(rig.post(&invite, &emre, &of_emre).await.status, 403, "only its owner shares it");
    assert_eq!(rig.post(&invite, &token, &asks(json!([]), json!(["read"]))).await.status, 400);
    assert_eq!(
        rig.post(&invite, &token, &asks(json!([{"objectId": EMRE}]), json!(["rule"]))).await.status,
        400
    );
    let mixed =
        asks(json!([{"objectId": EMRE}, {"objectId": "nobody"}, {"objectId": DANA}]), json!(["read"]));
    let some = rig.post(&invite, &token, &mixed).await;
    let refused =
        some.json()["value"].as_array().unwrap().iter().filter(|it| it["error"].is_object()).count();
    assert_eq!((some.status, refused), (207, 2), "one by one");
    assert_eq!(rig.get(&link, &emre).await.json()["id"], item["id"]);
    assert_eq!(rig.post(&invite, &token, &of_emre).await.status, 200);
    let remove = format!(
        "/v1.0/drives/{}/items/{}",
        item["parentReference"]["driveId"].as_str().unwrap(),
        item["id"].as_str().unwrap()
    );
    assert_eq!(rig.send(Method::DELETE, &remove, &emre, &Value::Null).await.status, 403, "shared to be read");

    // In a chat it is named as in a channel; an app names nothing there.
    let guid = item["eTag"].as_str().unwrap()[2..38].to_owned();
    let message = json!({"body": {"contentType": "html", "content": format!("<attachment id=\"{guid}\"></attachment>")},
        "attachments": [{"id": guid, "contentType": "reference", "contentUrl": item["webUrl"], "name": "plan.txt"}]});
    let chat = format!("/v1.0/chats/{LUNCH_CHAT}/messages");
    assert_eq!(rig.post(&chat, &rig.app(), &message).await.status, 403);
    assert_eq!(rig.post(&chat, &token, &message).await.json()["attachments"][0]["id"], guid);
    assert_eq!(rig.send(Method::DELETE, &remove, &token, &Value::Null).await.status, 204);
    rig.stop().await;
}

#[tokio::test]
async fn a_bot_that_takes_files_is_given_addresses_of_theirs() {
    let rig = rig().await;
    rig.sim.install(APP, &Place::Person(DANA.into()), DANA);
    let chat = rig.sim.personal_chat_in_graph(APP, DANA);
    let draft = rig.sim.attaching(DANA, &chat, Draft::html("<p>look</p>"), &[("a.txt", b"abc")]).unwrap();
    rig.sim.post(DANA, &chat, draft).unwrap();
    let told = rig.inbox.activities(1, "message").await.remove(0);
    let [file, html] = told["attachments"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!(
        (&file["contentType"], &file["name"], &file["content"]["fileType"]),
        (&json!("application/vnd.microsoft.teams.file.download.info"), &json!("a.txt"), &json!("txt"))
    );
    assert_eq!(html["content"], "<p>look</p>", "nothing stands for it in the text");
    let address = file["content"]["downloadUrl"].as_str().unwrap();
    assert_eq!(&rig.get(address, "").await.bytes[..], b"abc");
    assert_eq!(rig.get(address, &rig.bot()).await.status, 401, "it takes no token");
    rig.sim.with_app(APP, |app| {
        if let Some(bot) = &mut app.bot {
            bot.supports_files = false;
        }
    });
    let offered = rig.sim.attaching(DANA, &chat, Draft::html(""), &[("b.txt", b"x")]);
    assert_eq!(offered.err(), Some(Refusal::Blocked), "the client offers none");
    rig.stop().await;
}
