//! `sim --real-hosts`: a gateway with the platforms' own addresses, given nothing but a proxy and an authority.

use std::fs;
use std::path::Path;

use crate::rig::Rig;
use crate::sims::Sims;

#[tokio::test]
async fn a_gateway_with_its_default_addresses_reaches_the_simulators() {
    let sims = Sims::start(&["--real-hosts"]);
    let real = &sims.told["real_hosts"];
    let (proxy, ca_file) =
        (real["proxy"].as_str().expect("a URL"), real["ca_file"].as_str().expect("a path"));
    let hosts = real["hosts"].as_array().expect("a list");
    for host in ["slack.com", "graph.microsoft.com", "webexapis.com", "zoom.us"] {
        assert!(hosts.iter().any(|it| it == host), "{host}: {hosts:?}");
    }
    assert!(fs::read_to_string(ca_file).expect("a file").starts_with("-----BEGIN CERTIFICATE"));
    let rig = Rig::new(&format!(
        "[outbound]\nproxy = \"{proxy}\"\nproxy_exceptions = [\"127.0.0.1\"]\nextra_ca = \"{ca_file}\"\n"
    ));
    let _gateway = rig.serve().await;
    let (told, _) = rig.ok(&["doctor"]);
    for host in [
        "slack.com",
        "login.microsoftonline.com",
        "graph.microsoft.com",
        "login.botframework.com",
        "webexapis.com",
        "api.zoom.us",
    ] {
        assert!(told.contains(&format!("{host} answers")), "{host}: {told}");
    }
    let ca_file = ca_file.to_owned();
    assert!(sims.end().success());
    assert!(!Path::new(&ca_file).exists(), "the authority goes with the simulators");
}
