//! An exchange in small, against a running quickstart: a node with a chain of its own, `chancery-watcher run` beside it,
//! and what happens to deposits and withdrawals between them.
//!
//! ```sh
//! make quickstart WITH=anvil
//! ```
//!
//! Coins and chain are made up; signer, watcher and node are the real programs.

use std::{
    error::Error, future::Future, io, os::unix::process::parent_id, path::PathBuf, process::ExitCode, time::Duration,
};

use clap::{Parser, ValueEnum};
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use watcher_client::{Client, Config};

use self::{anvil::Anvil, daemon::Daemon, litecoin::Litecoin, node::Node, step::Step, story::Story};

mod anvil;
mod books;
mod daemon;
mod litecoin;
mod node;
mod program;
mod rpc;
mod step;
mod story;

const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Tells of deposits and withdrawals on a real node, step by step.
#[derive(Parser)]
struct Arguments {
    /// The quickstart's directory, which holds watcher.toml.
    directory: PathBuf,
    /// The node.
    #[arg(long)]
    with: With,
    /// The program `chancery-watcher`.
    #[arg(long, value_name = "PROGRAM")]
    watcher: PathBuf,
    /// Leave node and daemon running afterwards, until SIGINT or SIGTERM.
    #[arg(long)]
    stay: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum With {
    Anvil,
    Litecoin,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Nothing here goes over TLS but to the signer; the HTTP client wants one that it could use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = match arguments.with {
        With::Anvil => run::<Anvil>(&arguments).await,
        With::Litecoin => run::<Litecoin>(&arguments).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "the demonstration failed: {error}\nrun it again, or throw away node and signer: make clean-quickstart WITH=..."
            );
            ExitCode::FAILURE
        }
    }
}

async fn run<N: Node>(arguments: &Arguments) -> Result<()> {
    let mut interrupt = Box::pin(interrupt()?);
    let directory = arguments.directory.canonicalize()?;
    let story = async {
        let step = Step::begin();
        let node = N::start(&directory).await?;
        step.done(format!("{} runs at {}, at block {}", N::PROGRAM, node.url(), node.height().await?));
        let step = Step::begin();
        let daemon = Daemon::start(&directory, &arguments.watcher, &node).await?;
        step.done(format!("`chancery-watcher run` serves it; its API listens at {}", daemon.url()));
        let client = Client::new(&Config::load(&directory.join("watcher.toml"))?)?;
        let mut story = Story::begin(node, daemon, &client, &directory).await?;
        story.tell().await?;
        Ok::<_, Box<dyn Error>>(story)
    };
    // What was started ends with what holds it, wherever the story is cut off.
    let mut story = select! {
        story = story => story?,
        () = &mut interrupt => return Err("it was interrupted".into()),
    };
    if arguments.stay {
        story.say_what_next().await?;
        select! {
            () = &mut interrupt => {}
            ended = story.watch() => ended?,
        }
    }
    story.end().await
}

/// Waits for whatever asks a program to end; also for the end of whoever started it.
fn interrupt() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            () = orphaned() => {}
        }
    })
}

async fn orphaned() {
    let parent = parent_id();
    while parent_id() == parent {
        sleep(BETWEEN_LOOKS).await;
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(what().into()) }
}
