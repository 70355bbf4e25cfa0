//! An appliance of one's own: directory, token, certificates, policy, processes.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use libtest_mimic::{Failed, Trial};

pub(crate) mod anvil;
pub(crate) mod body;
pub(crate) mod daemon;
pub(crate) mod exchange;
pub(crate) mod installation;
pub(crate) mod litecoind;
pub(crate) mod litesvm;
pub(crate) mod load;
pub(crate) mod long_log;
pub(crate) mod notified;
pub(crate) mod officers;
pub(crate) mod prometheus;
pub(crate) mod relay;
pub(crate) mod rpc;
pub(crate) mod running;
pub(crate) mod shim;
pub(crate) mod vault;
pub(crate) mod watcher;
pub(crate) mod watcher_program;
pub(crate) mod websocket;
pub(crate) mod wire;
pub(crate) mod yubihsms;

pub(crate) use installation::Installation;
pub(crate) use running::Running;

/// Runs as one of the programs, where this process was started under its name.
pub(crate) fn program() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().peekable();
    let name = Path::new(arguments.peek()?).file_name()?.to_str()?.to_owned();
    match name.as_str() {
        "chancery" => Some(appliance::cli::run(arguments)),
        "chancery-watcher" => Some(watcher_client::cli::run(arguments)),
        "chancery-provision" => Some(provisioning::cli::run(arguments)),
        "reference" => Some(reference::cli::run()),
        _ => None,
    }
}

/// Where the sources are.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A program as somebody calls it who types in the repository. What cargo told this test of itself would have build
/// scripts run again, and all be built anew that rests on them.
pub(crate) fn typed(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repository());
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// A test; its name is a claim.
pub(crate) fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || -> Result<(), Failed> {
        test();
        Ok(())
    })
}

/// Runs a future to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}

/// What `look` finds, as soon as it finds something: other processes have no event to wait for.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "not within 60 s: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
