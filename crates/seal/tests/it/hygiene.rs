//! These change the whole process, so they run in a second one: this test binary again, told so by a
//! variable.

use std::process::Command;

const TOLD: &str = "DRAGOMAN_SEAL_HYGIENE";
const CANARY: &str = "canary-of-the-panic-message";

#[test]
fn a_hardened_process_dumps_nothing_and_quotes_nothing() {
    if std::env::var_os(TOLD).is_some() {
        return inside();
    }
    let output = Command::new(std::env::current_exe().expect("this binary"))
        .args(["hygiene::a_hardened_process_dumps_nothing_and_quotes_nothing", "--exact", "--nocapture"])
        .env(TOLD, "1")
        .env("RUST_BACKTRACE", "1")
        .output()
        .expect("the second process runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(CANARY), "{said}");
    assert!(said.contains("panic in thread 'lane' at ") && said.contains("hygiene.rs:"), "{said}");
}

fn inside() {
    let hardening = dragoman_seal::hygiene::harden();
    assert!(hardening.no_core_files && hardening.not_dumpable && hardening.no_new_privileges);
    assert_eq!(hardening.key_memory, dragoman_seal::protection());
    let limits = std::fs::read_to_string("/proc/thread-self/limits").expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("the core limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("status");
    assert!(status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"])));
    let thread = std::thread::Builder::new().name("lane".to_owned());
    let panicked = thread.spawn(|| panic!("{CANARY}")).expect("a thread").join();
    assert!(panicked.is_err());
}
