//! What is refused, and that the answer names the thing and the cure.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::rig::{Rig, free_port};

#[test]
fn without_a_gateway_commands_say_which_is_missing() {
    let rig = Rig::new("");
    let commands: [&[&str]; 8] = [
        &["org", "list"],
        &["app", "list"],
        &["install", "list"],
        &["install", "start", "slack"],
        &["bridge", "list"],
        &["delivery", "list"],
        &["dead-letter", "list"],
        &["dead-letter", "replay", "--all"],
    ];
    for command in commands {
        let told = rig.refused(command);
        assert!(told.contains(&rig.path("data").display().to_string()), "{told}");
        assert!(!told.contains("admin.sock") && told.contains("dragoman serve"), "{told}");
        assert!(told.contains("DRG-NOT-RUNNING"), "{told}");
    }
}

#[test]
fn the_configuration_is_checked() {
    let rig = Rig::new("");
    assert!(rig.ok(&["config", "check"]).0.contains("is in order"));
    let key = &rig.json(&["config", "check"])["config"]["keys"]["file"];
    assert_eq!(*key, rig.path("root.key").display().to_string());
    let (example, _) = rig.ok(&["config", "example"]);
    assert!(example.contains("[listen]") && example.contains("# Address and port"), "{example}");
    assert_eq!(rig.json(&["config", "example"])["log"]["level"], "info");

    let wrong = |key: &str, value: toml::Value| {
        let mut config = rig.config();
        config["relay"].as_table_mut().expect("a section").insert(key.to_owned(), value);
        let good = fs::read(rig.config_path()).expect("a file");
        rig.set_config(&config);
        let told =
            [rig.refused(&["config", "check"]), rig.refused(&["serve"]), rig.refused(&["org", "list"])];
        fs::write(rig.config_path(), good).expect("a file");
        assert!(told.iter().all(|text| *text == told[0]), "{told:?}");
        told[0].clone()
    };
    let unknown = wrong("patience", 1.into());
    assert!(unknown.contains("relay.patience") && unknown.contains("relay.patience_ms?"), "{unknown}");
    let form = wrong("pace", "slowly".into());
    assert!(form.contains("relay.pace") && form.contains("dragoman.toml"), "{form}");
    let range = wrong("rest_minutes", 60.into());
    assert!(range.contains("relay.rest_minutes") && range.contains("1 to 15"), "{range}");
    fs::write(rig.config_path(), "[listen\n").expect("a file");
    assert!(rig.refused(&["config", "check"]).contains("syntax"));
    fs::remove_file(rig.config_path()).expect("a file");
    let gone = rig.refused(&["serve"]);
    assert!(gone.contains("dragoman.toml") && gone.contains("dragoman init"), "{gone}");
}

#[test]
fn init_leaves_what_is_there_alone() {
    let rig = Rig::new("");
    let key = fs::read(rig.path("root.key")).expect("a key file");
    let twice = rig.refused(&["init"]);
    assert!(twice.contains("is there already") && twice.contains("--config"), "{twice}");
    // A second configuration uses the key file that is there.
    let other = rig.path("other/dragoman.toml").display().to_string();
    let arguments = |config: &str| -> Vec<String> {
        let (data, keys, file) = (rig.path("data"), rig.path("keys"), rig.path("root.key"));
        let paths = [("--data-folder", data), ("--key-folder", keys), ("--key-file", file)];
        let mut all = vec!["--config".to_owned(), config.to_owned(), "--json".to_owned(), "init".to_owned()];
        all.extend(paths.into_iter().flat_map(|(name, path)| [name.to_owned(), path.display().to_string()]));
        all
    };
    let run = |arguments: Vec<String>| {
        std::process::Command::new(crate::rig::BINARY).args(arguments).output().expect("the binary runs")
    };
    let output = run(arguments(&other));
    let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(made["config"], other);
    assert_eq!(fs::read(rig.path("root.key")).expect("a key file"), key);
    assert_eq!(fs::metadata(rig.path("root.key")).expect("a key file").permissions().mode() & 0o777, 0o600);
    // One that others can read is not used.
    fs::set_permissions(rig.path("root.key"), Permissions::from_mode(0o644)).expect("ours");
    let output = run(arguments(&rig.path("third.toml").display().to_string()));
    let told = crate::rig::text(&output.stderr);
    assert!(!output.status.success() && told.contains("chmod 600") && told.contains("root.key"), "{told}");
    assert!(!rig.path("third.toml").exists());
}

#[test]
fn a_key_file_that_does_not_do_is_refused() {
    let rig = Rig::new("");
    let key = rig.path("root.key");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).expect("ours");
    let open = rig.refused(&["serve"]);
    assert!(
        open.contains("root.key") && open.contains("chmod 600") && open.contains("DRG-KEY-FILE"),
        "{open}"
    );
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("ours");
    fs::write(&key, "no key").expect("a file");
    assert!(rig.refused(&["serve"]).contains("root.key"));
    fs::remove_file(&key).expect("a file");
    let gone = rig.refused(&["serve"]);
    assert!(gone.contains("no key file") && gone.contains("dragoman init"), "{gone}");
}

#[tokio::test]
async fn a_data_folder_has_one_gateway() {
    let rig = Rig::new("");
    let _gateway = rig.serve().await;
    let mut config = rig.config();
    config["listen"]["address"] = format!("127.0.0.1:{}", free_port()).into();
    config["ops"]["address"] = format!("127.0.0.1:{}", free_port()).into();
    rig.set_config(&config);
    let told = rig.refused(&["serve"]);
    assert!(told.contains(&rig.path("data").display().to_string()), "{told}");
    assert!(told.contains("in use by another process") && told.contains("DRG-LOCKED"), "{told}");
    rig.ok(&["org", "list"]);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let (first, second) = (Rig::new(""), Rig::new(""));
    let _gateway = first.serve().await;
    let mut config = second.config();
    config["listen"]["address"] = format!("127.0.0.1:{}", first.door).into();
    second.set_config(&config);
    let told = second.refused(&["serve"]);
    assert!(told.contains(&first.door.to_string()) && told.contains("the port free"), "{told}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let rig = Rig::new("");
    drop(rig.serve().await);
    let database = rusqlite::Connection::open(rig.path("data/dragoman.sqlite")).expect("a database");
    database.execute("INSERT INTO migration (version, applied_ms) VALUES (9999, 0)", []).expect("a row");
    drop(database);
    let told = rig.refused(&["serve"]);
    assert!(told.contains("9999") && told.contains("newer version") && told.contains("backup"), "{told}");
    assert!(told.contains("DRG-NEWER-SCHEMA"), "{told}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let rig = Rig::new("");
    let mut config = rig.config();
    let listen = config["listen"].as_table_mut().expect("a section");
    listen.insert("certificate".to_owned(), rig.path("tls.pem").display().to_string().into());
    rig.set_config(&config);
    let half = rig.refused(&["config", "check"]);
    assert!(half.contains("listen.certificate") && half.contains("private_key"), "{half}");
    let listen = config["listen"].as_table_mut().expect("a section");
    listen.insert("private_key".to_owned(), rig.path("tls.key").display().to_string().into());
    rig.set_config(&config);
    let gone = rig.refused(&["serve"]);
    assert!(gone.contains("tls.pem") && gone.contains("listen.certificate"), "{gone}");
}
