//! The operator's own certificate, served and read again when its files change.

use std::fs;

use crate::http::{Http, eventually};
use crate::rig::Rig;

/// A certificate for `localhost` that nobody else has signed: certificate and key as PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test]
async fn the_certificate_is_read_again_when_it_changes() {
    let rig = Rig::new("");
    let write = |(certificate, key): &(String, String)| {
        fs::write(rig.path("tls.pem"), certificate).expect("a file");
        fs::write(rig.path("tls.key"), key).expect("a file");
    };
    let (first, second) = (certificate(), certificate());
    write(&first);
    let mut config = rig.config();
    config["public_url"] = format!("https://localhost:{}", rig.door).into();
    let listen = config["listen"].as_table_mut().expect("a section");
    listen.insert("certificate".to_owned(), rig.path("tls.pem").display().to_string().into());
    listen.insert("private_key".to_owned(), rig.path("tls.key").display().to_string().into());
    let outbound = config["outbound"].as_table_mut().expect("a section");
    outbound.insert("extra_ca".to_owned(), rig.path("tls.pem").display().to_string().into());
    rig.set_config(&config);
    let mut gateway = rig.serve().await;
    let url = format!("https://localhost:{}/instance", rig.door);
    let trusts = |pair: &(String, String)| Http::trusting(Some(pair.0.clone().into_bytes()));
    let (_, instance) = trusts(&first).get(&url).await.expect("the first certificate is served");
    assert!(trusts(&second).get(&url).await.is_none(), "the second is not served yet");
    let well = crate::rig::text(&rig.command(&["doctor"]).stdout);
    assert!(well.contains(&format!("https://localhost:{} leads here", rig.door)), "{well}");

    // Half of a new pair changes nothing.
    fs::write(rig.path("tls.pem"), &second.0).expect("a file");
    eventually("half a pair is told of", async || gateway.log().contains("the old one stays").then_some(()))
        .await;
    assert!(trusts(&first).get(&url).await.is_some(), "the first is still served");
    write(&second);
    let (_, same) = eventually("the second is served", async || trusts(&second).get(&url).await).await;
    assert_eq!(same, instance, "without a new start");
    assert!(gateway.ended().is_none());
}
