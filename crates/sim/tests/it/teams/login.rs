//! Entra: metadata, sign-in, tokens, consent, failures.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_sim::teams::seed::{APP, APP_SECRET, DANA, EMRE, TENANT};
use dragoman_sim::teams::{AppSeed, BotSeed};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode};
use serde_json::{Value, json};

use super::harness::{Reply, Rig, quick};

const BACK: &str = "http://127.0.0.1:9/oauth/callback";

fn parameter(r: &Reply, name: &str) -> Option<String> {
    let url = url::Url::parse(r.header("location")).unwrap();
    url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
}

async fn authorize(rig: &Rig, scope: &str, extra: &str) -> Reply {
    let scope = scope.replace(' ', "%20");
    rig.get(
        &format!(
            "/{TENANT}/oauth2/v2.0/authorize?client_id={APP}&response_type=code&redirect_uri={BACK}&response_mode=query\
             &scope={scope}&state=s1{extra}"
        ),
        "",
    )
    .await
}

async fn redeem(rig: &Rig, code: &str, extra: &[(&str, &str)]) -> Reply {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("client_id", APP),
        ("client_secret", APP_SECRET),
        ("code", code),
        ("redirect_uri", BACK),
    ];
    pairs.extend_from_slice(extra);
    rig.form(&format!("/{TENANT}/oauth2/v2.0/token"), &pairs).await
}

async fn credentials(rig: &Rig, tenant: &str, secret: &str, scope: &str) -> Reply {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", APP),
        ("client_secret", secret),
        ("scope", scope),
        // What MSAL adds.
        ("client_info", "1"),
        ("claims", "{\"access_token\":{\"xms_cc\":{\"values\":[\"CP1\"]}}}"),
    ];
    rig.form(&format!("/{tenant}/oauth2/v2.0/token"), &pairs).await
}

fn code_of(r: &Reply) -> i64 {
    r.json()["error_codes"][0].as_i64().unwrap()
}

#[tokio::test]
async fn metadata_is_served_in_both_versions() {
    let rig = Rig::new().await;
    let v2 = rig.get(&format!("/{TENANT}/v2.0/.well-known/openid-configuration"), "").await.json();
    assert_eq!(v2["issuer"], format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
    let v1 = rig.get(&format!("/{TENANT}/.well-known/openid-configuration"), "").await.json();
    assert_eq!(v1["issuer"], format!("https://sts.windows.net/{TENANT}/"));
    let common = rig.get("/common/.well-known/openid-configuration", "").await.json();
    assert_eq!(common["issuer"], "https://sts.windows.net/{tenantid}/");
    for document in [&v1, &v2, &common] {
        for key in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert!(document[key].as_str().unwrap().starts_with(rig.sim.base_url()), "{key}");
        }
        let keys = rig.get(document["jwks_uri"].as_str().unwrap(), "").await.json();
        assert_eq!(keys["keys"][0]["kty"], "RSA");
    }
    let discovery =
        rig.get("/common/discovery/instance?api-version=1.1&authorization_endpoint=x", "").await.json();
    assert!(discovery["tenant_discovery_endpoint"].is_string() && discovery["metadata"].is_array());
    assert_eq!(rig.get("/elsewhere.example/v2.0/.well-known/openid-configuration", "").await.status, 400);
    rig.stop().await;
}

#[tokio::test]
async fn a_person_signs_in_with_pkce_and_refreshes() {
    let rig = Rig::new().await;
    let verifier = "a-verifier-of-sufficient-length-0123456789-abcdefg";
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let extra = format!(
        "&code_challenge={challenge}&code_challenge_method=S256&nonce=n1&login_hint=emre@fabrikant.example"
    );
    let scope = "offline_access openid profile https://graph.microsoft.com/ChannelMessage.Send";
    let r = authorize(&rig, scope, &extra).await;
    assert_eq!(r.status, 302);
    assert_eq!(parameter(&r, "state").as_deref(), Some("s1"));
    let code = parameter(&r, "code").unwrap();

    let wrong = redeem(&rig, &code, &[("code_verifier", "wrong")]).await;
    assert_eq!((wrong.status, code_of(&wrong)), (400, 501_481));
    let without = redeem(&rig, &code, &[]).await;
    assert_eq!(code_of(&without), 501_481);
    let good = redeem(&rig, &code, &[("code_verifier", verifier), ("client_info", "1")]).await;
    assert_eq!(good.status, 200);
    let t = good.json();
    assert_eq!(t["token_type"], "Bearer");
    assert_eq!(t["expires_in"], 3_599);
    assert!(t["scope"].as_str().unwrap().contains("https://graph.microsoft.com/ChannelMessage.Send"));
    let info: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(t["client_info"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(info, json!({"uid": EMRE, "utid": TENANT}));
    let keys = rig.get(&format!("/{TENANT}/discovery/v2.0/keys"), "").await.json();
    let key = DecodingKey::from_rsa_components(
        keys["keys"][0]["n"].as_str().unwrap(),
        keys["keys"][0]["e"].as_str().unwrap(),
    )
    .unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[APP]);
    rules.set_issuer(&[format!("https://login.microsoftonline.com/{TENANT}/v2.0")]);
    let id = decode::<Value>(t["id_token"].as_str().unwrap(), &key, &rules).unwrap().claims;
    assert_eq!((id["oid"].as_str(), id["nonce"].as_str()), (Some(EMRE), Some("n1")));

    let again = redeem(&rig, &code, &[("code_verifier", verifier)]).await;
    assert_eq!(code_of(&again), 54_005, "codes work once");

    let refresh = |token: String| {
        let rig = &rig;
        async move {
            rig.form(
                "/organizations/oauth2/v2.0/token",
                &[
                    ("grant_type", "refresh_token"),
                    ("client_id", APP),
                    ("client_secret", APP_SECRET),
                    ("refresh_token", &token),
                    ("scope", "https://graph.microsoft.com/ChannelMessage.Send"),
                ],
            )
            .await
        }
    };
    let old = t["refresh_token"].as_str().unwrap().to_owned();
    let next = refresh(old.clone()).await;
    assert_eq!(next.status, 200);
    assert_ne!(next.json()["refresh_token"], old, "each answer carries a new refresh token");
    rig.sim.require_second_factor(EMRE);
    assert_eq!(code_of(&refresh(old.clone()).await), 50_076);
    rig.sim.change_password(EMRE);
    let dead = refresh(old.clone()).await;
    assert_eq!((dead.json()["error"].as_str(), code_of(&dead)), (Some("invalid_grant"), 50_173));
    rig.world.clock.advance(std::time::Duration::from_hours(91 * 24));
    assert_eq!(code_of(&refresh(old).await), 700_082);
    rig.stop().await;
}

#[tokio::test]
async fn withdrawn_consent_ends_the_grant() {
    let rig = Rig::new().await;
    let code = parameter(&authorize(&rig, "offline_access ChannelMessage.Send", "").await, "code").unwrap();
    let t = redeem(&rig, &code, &[]).await.json();
    rig.sim.revoke_consent(APP, DANA);
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", APP),
        ("client_secret", APP_SECRET),
        ("refresh_token", t["refresh_token"].as_str().unwrap()),
    ];
    let r = rig.form(&format!("/{TENANT}/oauth2/v2.0/token"), &pairs).await;
    assert_eq!(code_of(&r), 65_001);
    rig.stop().await;
}

#[tokio::test]
async fn app_tokens_need_a_concrete_tenant_and_a_valid_secret() {
    let mut config = quick();
    config.apps[0].expired_secrets = vec!["old".into()];
    let rig = Rig::with(config).await;
    let graph = "https://graph.microsoft.com/.default";
    let good = credentials(&rig, TENANT, APP_SECRET, graph).await;
    assert_eq!(good.status, 200);
    let token = good.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(rig.get("/v1.0/teams/x", &token).await.status, 403, "the token counts at Graph");
    for (tenant, secret, scope, status, code) in [
        (TENANT, "wrong", graph, 401, 7_000_215),
        (TENANT, "old", graph, 401, 7_000_222),
        (TENANT, "", graph, 401, 7_000_218),
        (TENANT, APP_SECRET, "User.Read", 400, 1_002_012),
        ("common", APP_SECRET, graph, 400, 53_003),
        ("elsewhere", APP_SECRET, graph, 400, 90_002),
    ] {
        let r = credentials(&rig, tenant, secret, scope).await;
        assert_eq!((r.status, code_of(&r)), (status, code), "{tenant} {secret} {scope}");
        assert!(r.json()["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")));
    }
    let unknown = rig
        .form(
            &format!("/{TENANT}/oauth2/v2.0/token"),
            &[
                ("grant_type", "client_credentials"),
                ("client_id", "nobody"),
                ("client_secret", "x"),
                ("scope", graph),
            ],
        )
        .await;
    assert_eq!(code_of(&unknown), 700_016);
    rig.sim.login_down(true);
    let down = credentials(&rig, TENANT, APP_SECRET, graph).await;
    assert_eq!((down.status, down.json()["error"].as_str()), (503, Some("temporarily_unavailable")));
    rig.stop().await;
}

#[tokio::test]
async fn bot_tokens_come_from_the_home_tenant_unless_the_bot_is_multi_tenant() {
    let rig = Rig::new().await;
    let scope = "https://api.botframework.com/.default";
    let r = credentials(&rig, "botframework.com", APP_SECRET, scope).await;
    assert_eq!(code_of(&r), 700_016);
    let token = credentials(&rig, TENANT, APP_SECRET, scope).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(rig.get(&rig.connector("v3/teams/x"), &token).await.status, 404, "known at the connector");
    assert_eq!(rig.get("/v1.0/teams", &token).await.status, 401, "unknown at Graph");
    rig.sim.with_app(APP, |a| {
        a.bot = Some(BotSeed { endpoint: None, multi_tenant: true, supports_files: false });
    });
    assert_eq!(credentials(&rig, "botframework.com", APP_SECRET, scope).await.status, 200);
    rig.stop().await;
}

#[tokio::test]
async fn a_certificate_signs_instead_of_a_secret() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["app".into()]).unwrap().self_signed(&pair).unwrap();
    let mut config = quick();
    config.apps = vec![AppSeed {
        certificates: vec![certificate.pem()],
        secrets: vec![],
        ..AppSeed::new(APP, "D", "x")
    }];
    let rig = Rig::with(config).await;
    let token = |signer: &rcgen::KeyPair, alg, subject: &str| {
        let exp = rig.now() / 1_000 + 600;
        let claims = json!({"iss": subject, "sub": subject, "aud": "x", "exp": exp, "jti": "1"});
        let key = EncodingKey::from_rsa_pem(signer.serialize_pem().as_bytes()).unwrap();
        jsonwebtoken::encode(&Header::new(alg), &claims, &key).unwrap()
    };
    let ask = |assertion: String| {
        let rig = &rig;
        async move {
            rig.form(
                &format!("/{TENANT}/oauth2/v2.0/token"),
                &[
                    ("grant_type", "client_credentials"),
                    ("client_id", APP),
                    ("scope", "https://graph.microsoft.com/.default"),
                    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                    ("client_assertion", &assertion),
                ],
            )
            .await
        }
    };
    assert_eq!(ask(token(&pair, Algorithm::RS256, APP)).await.status, 200);
    assert_eq!(ask(token(&pair, Algorithm::PS256, APP)).await.status, 200);
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    assert_eq!(code_of(&ask(token(&other, Algorithm::RS256, APP)).await), 700_027);
    assert_eq!(code_of(&ask(token(&pair, Algorithm::RS256, "someone")).await), 700_027);
    rig.stop().await;
}

#[tokio::test]
async fn reserved_scopes_need_an_administrator() {
    let rig = Rig::new().await;
    for scope in ["ChannelMessage.ReadWrite", "Chat.ReadWrite"] {
        let r = authorize(&rig, scope, "").await;
        assert_eq!(parameter(&r, "error").as_deref(), Some("access_denied"), "{scope}");
        assert!(parameter(&r, "error_description").unwrap().starts_with("AADSTS90094"));
    }
    let consent = rig
        .get(
            &format!(
                "/{TENANT}/v2.0/adminconsent?client_id={APP}&scope=https://graph.microsoft.com/.default&redirect_uri={BACK}&state=a"
            ),
            "",
        )
        .await;
    assert_eq!(parameter(&consent, "admin_consent").as_deref(), Some("True"));
    assert_eq!(parameter(&consent, "tenant").as_deref(), Some(TENANT));
    assert_eq!(parameter(&consent, "state").as_deref(), Some("a"));
    assert!(
        parameter(&authorize(&rig, "ChannelMessage.ReadWrite Chat.ReadWrite", "").await, "code").is_some()
    );
    rig.stop().await;
}

#[tokio::test]
async fn managed_policy_is_a_switch() {
    let mut config = quick();
    config.open_user_consent = true;
    let rig = Rig::with(config).await;
    assert!(parameter(&authorize(&rig, "Chat.ReadWrite", "").await, "code").is_some());
    assert!(parameter(&authorize(&rig, "ChannelMessage.ReadWrite", "").await, "code").is_none());
    rig.stop().await;
}

#[tokio::test]
async fn without_auto_approval_people_choose_who_they_are() {
    let mut config = quick();
    config.auto_approve = false;
    config.apps[0].redirect_uris = vec![BACK.into()];
    let rig = Rig::with(config).await;
    let page = authorize(&rig, "User.Read", "").await;
    let html = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(page.status == 200 && html.contains("Emre Kaya"));
    let chosen = authorize(&rig, "User.Read", &format!("&_sim_user={EMRE}")).await;
    let code = parameter(&chosen, "code").unwrap();
    let token = redeem(&rig, &code, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(rig.get("/v1.0/me", &token).await.json()["id"], EMRE);
    let silent = authorize(&rig, "User.Read", "&prompt=none").await;
    assert_eq!(parameter(&silent, "error").as_deref(), Some("login_required"));
    let elsewhere = rig
        .get(
            &format!("/{TENANT}/oauth2/v2.0/authorize?client_id={APP}&response_type=code&redirect_uri=http://127.0.0.1:1/x&scope=User.Read"),
            "",
        )
        .await;
    assert!(elsewhere.status == 400 && String::from_utf8_lossy(&elsewhere.bytes).contains("AADSTS50011"));
    rig.stop().await;
}

#[tokio::test]
async fn access_tokens_expire() {
    let rig = Rig::new().await;
    let token = rig.writer();
    assert_eq!(rig.get(&super::harness::general(), &token).await.status, 200);
    rig.world.clock.advance(std::time::Duration::from_hours(1));
    let r = rig.get(&super::harness::general(), &token).await;
    assert_eq!((r.status, r.error().0.as_str()), (401, "InvalidAuthenticationToken"));
    let none = rig.get(&super::harness::general(), "").await;
    assert_eq!((none.status, none.error().1.as_str()), (401, "Access token is empty."));
    rig.stop().await;
}

#[tokio::test]
async fn rotation_publishes_a_new_key() {
    let rig = Rig::new().await;
    let keys = async || {
        let k = rig.get(&format!("/{TENANT}/discovery/v2.0/keys"), "").await.json();
        k["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|k| k["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let one = keys().await;
    rig.sim.rotate_login_keys(true).unwrap();
    let two = keys().await;
    assert_eq!((one.len(), two.len()), (1, 2));
    rig.sim.rotate_login_keys(false).unwrap();
    let three = keys().await;
    assert!(three.len() == 1 && !two.contains(&three[0]));
    rig.stop().await;
}
