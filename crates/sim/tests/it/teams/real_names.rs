//! The services' real host names over TLS with a given authority: the way unpatched clients come.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_sim::core::{HttpClient, TokioNet, World};
use dragoman_sim::teams::seed::{APP, APP_SECRET, DANA, GENERAL, TEAM, TENANT};
use dragoman_sim::teams::{Draft, TeamsSim};
use http::{HeaderMap, Method};
use serde_json::Value;

use super::harness::quick;

const NAMES: [&str; 4] =
    ["login.microsoftonline.com", "graph.microsoft.com", "login.botframework.com", "smba.trafficmanager.net"];

#[tokio::test]
async fn hosts_decide_who_answers() {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.clone().self_signed(&authority_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(NAMES.map(String::from).to_vec())
        .unwrap()
        .signed_by(&key, &rcgen::Issuer::new(params, authority_key))
        .unwrap();

    let mut config = quick();
    config.tls = Some((certificate.pem(), key.serialize_pem()));
    config.service_host = Some("https://smba.trafficmanager.net".into());
    let world = World::real(3);
    let sim = TeamsSim::start(&world, config).await.unwrap();
    for _ in 0..25 {
        sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    }
    let address = sim.base_url().strip_prefix("https://").unwrap().parse().unwrap();
    let net = NAMES.iter().fold(TokioNet::default(), |net, name| net.with_name(name, address));
    let outside = World::new(4, world.clock.micros(), Arc::new(net));
    let client = HttpClient::new(&outside, &outside.tasks, Some(&authority.pem())).unwrap();
    let call = async |method: Method, url: &str, token: &str, body: &str| {
        let mut headers = HeaderMap::new();
        if !token.is_empty() {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let body = Bytes::from(body.to_owned());
        let answer = client.request(method, url, headers, body, Duration::from_secs(10)).await.unwrap();
        (answer.status.as_u16(), serde_json::from_slice::<Value>(&answer.body).unwrap())
    };

    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", APP)
        .append_pair("client_secret", APP_SECRET)
        .append_pair("scope", "https://graph.microsoft.com/.default")
        .finish();
    let login = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let (status, answer) = call(Method::POST, &login, "", &form).await;
    assert_eq!(status, 200);
    let token = answer["access_token"].as_str().unwrap().to_owned();

    let messages = format!("https://graph.microsoft.com/v1.0/teams/{TEAM}/channels/{GENERAL}/messages");
    let (status, page) = call(Method::GET, &messages, &token, "").await;
    assert_eq!((status, page["value"].as_array().unwrap().len()), (200, 20));
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with("https://graph.microsoft.com/v1.0/"), "{next}");
    assert_eq!(call(Method::GET, next, &token, "").await.1["value"].as_array().unwrap().len(), 5);

    let metadata = "https://login.botframework.com/v1/.well-known/openidconfiguration";
    let (_, document) = call(Method::GET, metadata, "", "").await;
    assert_eq!(document["jwks_uri"], "https://login.botframework.com/v1/.well-known/keys");
    let (_, keys) = call(Method::GET, "https://login.botframework.com/v1/.well-known/keys", "", "").await;
    assert!(keys["keys"][0]["endorsements"].as_array().unwrap().contains(&"msteams".into()));

    assert_eq!(sim.service_url(), format!("https://smba.trafficmanager.net/emea/{TENANT}/"));
    let team = format!("{}v3/teams/{GENERAL}", sim.service_url());
    assert_eq!(call(Method::GET, &team, &sim.bot_token(APP), "").await.1["aadGroupId"], TEAM);
    sim.shutdown().await;
    outside.tasks.shutdown().await;
}
