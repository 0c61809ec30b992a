//! The load program: non-blocking sockets, frames that were made beforehand, and one thread, so that what it costs is
//! next to nothing beside the server. It tells what it saw as one line of JSON ([`measure::Report`]).

mod connect;
mod connection;
mod echo;
mod fan_out;
mod idle;
mod replies;
mod script;
mod window;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use measure::Report;

use crate::{
    connect::{Target, trust},
    script::{Kind, Script},
    window::Duty,
};

/// Whatever ends a run early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One buffer for all reads: no reply is kept.
pub(crate) const READ_SIZE: usize = 256 * 1024;

/// Puts load on a WebSocket server.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Each connection keeps some messages in flight to a server that sends them back.
    Echo(Traffic),
    /// What one connection sends comes back on all; the next burst leaves when everyone has the last.
    FanOut(Traffic),
    /// Connections that do nothing after one message each, until a line comes on standard input.
    Idle(Idle),
}

#[derive(Args)]
struct Server {
    /// Its address.
    #[arg(long)]
    address: SocketAddr,
    /// What to ask for.
    #[arg(long, default_value = "/")]
    path: String,
    /// Its process, whose use of the CPU is measured.
    #[arg(long)]
    pid: u32,
    /// Compress with permessage-deflate; messages are of 1 KiB of JSON then.
    #[arg(long, conflicts_with_all = ["raw", "binary"])]
    deflate: bool,
    /// TLS, with this certificate.
    #[arg(long, value_name = "PEM")]
    tls: Option<PathBuf>,
    /// No handshake: the server echoes bytes.
    #[arg(long)]
    raw: bool,
    /// Binary messages, not text.
    #[arg(long, conflicts_with = "raw")]
    binary: bool,
}

#[derive(Args)]
struct Time {
    /// What comes before anything is counted, in seconds.
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// What is counted, in seconds.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

#[derive(Args)]
struct Traffic {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    time: Time,
    /// How many connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// The payload of a message, in bytes.
    #[arg(long, default_value_t = 32)]
    size: usize,
    /// Messages in flight on each connection; for a fan-out, in a burst.
    #[arg(long, default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4096))]
    in_flight: usize,
}

#[derive(Args)]
struct Idle {
    #[command(flatten)]
    server: Server,
    /// How many connections.
    #[arg(long, default_value_t = 18_000)]
    connections: usize,
    /// The payload of the message, in bytes.
    #[arg(long, default_value_t = 32)]
    size: usize,
}

impl Server {
    fn target(&self) -> Result<Target, Failure> {
        Ok(Target {
            address: self.address,
            path: self.path.clone(),
            raw: self.raw,
            deflate: self.deflate,
            tls: self.tls.as_deref().map(trust).transpose()?,
        })
    }

    fn kind(&self) -> Kind {
        match (self.raw, self.binary, self.deflate) {
            (true, _, _) => Kind::Raw,
            (_, true, _) => Kind::Binary,
            (_, _, true) => Kind::Deflate,
            _ => Kind::Text,
        }
    }
}

impl Time {
    fn duty(&self, server: u32) -> Result<Duty, Failure> {
        Ok(Duty {
            warm_up: Duration::try_from_secs_f64(self.warm_up)?,
            measured: Duration::try_from_secs_f64(self.seconds)?,
            server,
        })
    }
}

fn main() -> ExitCode {
    raise_descriptor_limit();
    let result = match Cli::parse().mode {
        Mode::Echo(mode) => traffic(&mode, echo::run),
        Mode::FanOut(mode) => traffic(&mode, fan_out::run),
        Mode::Idle(mode) => hold(&mode),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn traffic(
    mode: &Traffic,
    run: impl FnOnce(&Target, &Script, usize, usize, Duty) -> Result<Report, Failure>,
) -> Result<(), Failure> {
    let script = Script::new(mode.server.kind(), mode.size, mode.in_flight)?;
    let duty = mode.time.duty(mode.server.pid)?;
    let target = mode.server.target()?;
    let report = run(&target, &script, mode.connections, mode.in_flight, duty)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn hold(mode: &Idle) -> Result<(), Failure> {
    let script = Script::new(mode.server.kind(), mode.size, 1)?;
    idle::run(&mode.server.target()?, &script, mode.connections)
}

/// As many descriptors as this process may have.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, the connection that is one too many says so.
    let _ = setrlimit(Resource::Nofile, limit);
}
