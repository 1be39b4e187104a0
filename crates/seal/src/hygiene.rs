//! What a process does once, at start, so that secrets do not leave it through the operating system.

use std::io::Write;

use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::locked::{Protection, protection};

/// What [`harden`] achieved. Each part may fail on its own without stopping the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardening {
    /// The core file limit is zero, soft and hard.
    pub no_core_files: bool,
    /// The process is not dumpable: no core by any handler, no `ptrace` by the same user.
    pub not_dumpable: bool,
    /// No program started from here can gain rights.
    pub no_new_privileges: bool,
    /// Protection of key memory.
    pub key_memory: Protection,
}

/// Switches off core dumps and gaining of rights, raises the memory-lock limit as far as allowed, and
/// installs a panic hook that prints no payload. Call it first thing in `main`; warns about what could not be
/// done.
pub fn harden() -> Hardening {
    quiet_panics();
    let no_core_files =
        rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).is_ok();
    let not_dumpable = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok();
    let no_new_privileges = rustix::thread::set_no_new_privs(true).is_ok();
    let memlock = rustix::process::getrlimit(Resource::Memlock);
    // Where the hard limit is what stops us, `protection` warns below.
    rustix::process::setrlimit(
        Resource::Memlock,
        Rlimit { current: memlock.maximum, maximum: memlock.maximum },
    )
    .ok();
    if !(no_core_files && not_dumpable) {
        tracing::warn!("core dumps could not be switched off; set LimitCORE=0 in the service unit");
    }
    Hardening { no_core_files, not_dumpable, no_new_privileges, key_memory: protection() }
}

/// Installs a panic hook that prints where a panic happened and on which thread, never what it said: a panic
/// message may quote the data that caused it.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let line = panic_line(
            std::thread::current().name(),
            info.location().map(|at| (at.file(), at.line(), at.column())),
        );
        // Nowhere is left to report a failure of standard error.
        writeln!(std::io::stderr().lock(), "{line}").ok();
    }));
}

fn panic_line(thread: Option<&str>, at: Option<(&str, u32, u32)>) -> String {
    let thread = thread.unwrap_or("unnamed");
    match at {
        Some((file, line, column)) => format!("panic in thread '{thread}' at {file}:{line}:{column}"),
        None => format!("panic in thread '{thread}' at an unknown place"),
    }
}

#[cfg(test)]
mod tests {
    use super::panic_line;

    #[test]
    fn a_panic_line_names_place_and_thread_only() {
        assert_eq!(
            panic_line(Some("lane"), Some(("src/a.rs", 3, 9))),
            "panic in thread 'lane' at src/a.rs:3:9"
        );
        assert_eq!(panic_line(None, None), "panic in thread 'unnamed' at an unknown place");
    }
}
