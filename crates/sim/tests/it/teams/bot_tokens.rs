//! Tokens of activities, judged as a strict receiver would.

use dragoman_sim::teams::seed::{APP, DANA, GENERAL};
use dragoman_sim::teams::{Draft, Twist};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use super::harness::{Got, Rig};

/// Every rule of the Bot Framework's authentication page; the first that is broken.
async fn judge(rig: &Rig, got: &Got) -> Result<Value, String> {
    let token = got.bearer().ok_or("no token")?;
    let document = rig.get("/v1/.well-known/openidconfiguration", "").await.json();
    assert_eq!(document["issuer"], "https://api.botframework.com");
    let keys = rig.get(document["jwks_uri"].as_str().unwrap(), "").await.json();
    let kid = decode_header(token).map_err(|e| e.to_string())?.kid.ok_or("no key id")?;
    let jwk = keys["keys"].as_array().unwrap().iter().find(|k| k["kid"] == kid).ok_or("unknown key")?.clone();
    let key =
        DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[APP]);
    rules.set_issuer(&["https://api.botframework.com"]);
    rules.leeway = 300;
    let claims = decode::<Value>(token, &key, &rules).map_err(|e| e.to_string())?.claims;
    let activity = got.json();
    let url = claims["serviceurl"].as_str().or(claims["serviceUrl"].as_str()).ok_or("no service URL")?;
    if url.trim_end_matches('/') != activity["serviceUrl"].as_str().unwrap().trim_end_matches('/') {
        return Err("service URL".into());
    }
    let endorsed = jwk["endorsements"].as_array().is_some_and(|e| e.contains(&activity["channelId"]));
    if endorsed { Ok(claims) } else { Err("endorsement".into()) }
}

async fn next(rig: &Rig) -> Got {
    rig.inbox.clear();
    rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    rig.inbox.wait(1, |g| g.path == "/api/messages").await.remove(0)
}

#[tokio::test]
async fn good_tokens_pass_every_rule_and_twisted_ones_fail_theirs() {
    let rig = Rig::new().await;
    let claims = judge(&rig, &next(&rig).await).await.unwrap();
    assert!(claims["serviceurl"].is_string(), "lower case on the wire");
    for (twist, part) in [
        (Twist::BotWithoutToken, "no token"),
        (Twist::BotWrongServiceUrl, "service URL"),
        (Twist::BotWrongAudience, "InvalidAudience"),
        (Twist::BotWrongIssuer, "InvalidIssuer"),
        (Twist::BotUnknownKey, "unknown key"),
        (Twist::BotExpired, "ExpiredSignature"),
        (Twist::BotForeignKey, "unknown key"),
    ] {
        rig.sim.twist(twist, 1);
        let broken = judge(&rig, &next(&rig).await).await.unwrap_err();
        assert!(broken.contains(part), "{twist:?}: {broken}");
        judge(&rig, &next(&rig).await).await.unwrap();
    }
    rig.sim.endorse(&["webchat"]);
    assert_eq!(judge(&rig, &next(&rig).await).await.unwrap_err(), "endorsement");
    rig.stop().await;
}

#[tokio::test]
async fn keys_rotate_with_and_without_overlap() {
    let rig = Rig::new().await;
    let old = next(&rig).await;
    rig.sim.rotate_bot_keys(true).unwrap();
    judge(&rig, &old).await.unwrap();
    judge(&rig, &next(&rig).await).await.unwrap();
    rig.sim.rotate_bot_keys(false).unwrap();
    assert_eq!(judge(&rig, &old).await.unwrap_err(), "unknown key");
    judge(&rig, &next(&rig).await).await.unwrap();
    rig.stop().await;
}

#[tokio::test]
async fn the_claim_may_be_spelled_as_in_the_reference() {
    let rig = Rig::new().await;
    rig.sim.with_config(|c| c.doubts.service_url_claim_camel_case = true);
    let claims = judge(&rig, &next(&rig).await).await.unwrap();
    assert!(claims["serviceUrl"].is_string() && claims.get("serviceurl").is_none());
    rig.stop().await;
}
