//! Very many connections ([`hold`], [`scale`]), very bad ones ([`soak`]), and one that does not read ([`slow`]).

mod hold;
mod scale;
mod slow;
mod soak;
mod socket;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Whatever ends a run early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Puts a crowd before a WebSocket server.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Very many connections, then one message to all, then their end; as many processes as it takes. The server's talk
    /// is to be `talks/crowd.talk`.
    Scale(scale::Scale),
    /// What each process of `scale` does, told by lines on standard input.
    Hold(hold::Hold),
    /// Clients that come, talk, vanish, flood, send garbage or do not read, by chance. The server's talk is to be
    /// `talks/chat.talk`.
    Soak(soak::Soak),
    /// A room in which one client does not read, and what the others notice of it. The server's talk is to be
    /// `talks/crowd.talk`.
    Slow(slow::Slow),
}

fn main() -> ExitCode {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime.map_err(Failure::from).and_then(|runtime| {
        runtime.block_on(async {
            match Cli::parse().mode {
                Mode::Scale(scale) => scale.run().await,
                Mode::Hold(hold) => hold.run().await,
                Mode::Soak(soak) => soak.run().await,
                Mode::Slow(slow) => slow.run().await,
            }
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("crowd: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// As many descriptors as this process may have.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, the connection that is one too many says so.
    let _ = setrlimit(Resource::Nofile, limit);
}
