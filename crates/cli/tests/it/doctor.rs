//! `doctor`: content with what is well, and a cure for what is not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::rig::Rig;
use crate::sims::Sims;

fn verdicts(output: &std::process::Output) -> Vec<(String, String, String)> {
    let findings: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("a text").to_owned();
    let findings = findings.as_array().expect("a list");
    findings.iter().map(|it| (text(it, "check"), text(it, "verdict"), text(it, "text"))).collect()
}

fn broken(rig: &Rig) -> Vec<(String, String)> {
    let output = rig.command(&["doctor", "--json"]);
    assert!(!output.status.success(), "doctor is content");
    let broken = verdicts(&output).into_iter().filter(|(_, verdict, _)| verdict == "broken");
    broken.map(|(check, _, text)| (check, text)).collect()
}

#[tokio::test]
async fn what_is_well_is_called_well() {
    let sims = Sims::start(&[]);
    let rig = Rig::new(&sims.config());
    let _gateway = rig.serve().await;
    let output = rig.command(&["doctor", "--json"]);
    assert!(output.status.success(), "{:?}", verdicts(&output));
    let well: Vec<String> = verdicts(&output)
        .into_iter()
        .filter(|(_, verdict, _)| verdict == "well")
        .map(|(check, _, _)| check)
        .collect();
    for check in [
        "configuration",
        "key file",
        "gateway",
        "public_url",
        "Slack",
        "Entra",
        "Graph",
        "Bot Framework",
        "Webex",
        "Zoom",
    ] {
        assert!(well.iter().any(|it| it == check), "{check}: {well:?}");
    }
    let (table, _) = rig.ok(&["doctor"]);
    assert!(table.contains("✓ gateway") && table.contains("leads here"), "{table}");
}

#[tokio::test]
async fn what_is_broken_comes_with_its_cure() {
    let sims = Sims::start(&[]);
    let rig = Rig::new(&sims.config());
    let found = broken(&rig);
    let checks: Vec<&str> = found.iter().map(|(check, _)| check.as_str()).collect();
    assert_eq!(checks, ["gateway", "public_url"]);
    assert!(found[0].1.contains("dragoman serve"), "{}", found[0].1);

    fs::set_permissions(rig.path("root.key"), Permissions::from_mode(0o644)).expect("ours");
    let (check, text) = broken(&rig).remove(0);
    assert!(check == "key file" && text.contains("chmod 600") && text.contains("root.key"), "{text}");
    fs::set_permissions(rig.path("root.key"), Permissions::from_mode(0o600)).expect("ours");

    fs::rename(rig.path("data"), rig.path("elsewhere")).expect("ours");
    let (check, text) = broken(&rig).remove(0);
    let data = rig.path("data").display().to_string();
    assert!(check == "disk" && text.contains(&data) && text.contains("make it"), "{text}");
    fs::rename(rig.path("elsewhere"), rig.path("data")).expect("ours");

    // The public address leads to another gateway.
    let other = Rig::new(&sims.config());
    let (_ours, _other) = (rig.serve().await, other.serve().await);
    let mut config = rig.config();
    config["public_url"] = format!("http://127.0.0.1:{}", other.door).into();
    rig.set_config(&config);
    let found = broken(&rig);
    assert!(found.len() == 1 && found[0].0 == "public_url", "{found:?}");
    assert!(found[0].1.contains("not from this gateway") && found[0].1.contains("proxy"), "{found:?}");
    config["public_url"] = format!("http://127.0.0.1:{}", rig.door).into();
    rig.set_config(&config);

    // Platforms that are not reached.
    assert!(sims.end().success());
    let found = broken(&rig);
    let checks: Vec<&str> = found.iter().map(|(check, _)| check.as_str()).collect();
    assert_eq!(checks, ["Slack", "Entra", "Graph", "Bot Framework", "Webex", "Zoom"]);
    assert!(found.iter().all(|(_, text)| text.contains("127.0.0.1") && text.contains("outbound.proxy")));
}
