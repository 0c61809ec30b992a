//! The runner: builds the peers, measures them beside each other, and prints the tables.

mod build;
mod measurement;
mod peers;
mod render;
mod server;
mod tables;
mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    measurement::Plan,
    peers::{PEERS, Peer},
    server::Place,
    tables::{Row, Table},
};

/// Whatever ends the runner early.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// Measures WebSocket servers beside each other.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the load program and the peers, and fetch those that come from npm and PyPI.
    Build {
        /// Only these, such as `wiretalk,sockudo-ws`.
        #[arg(long, value_delimiter = ',', value_parser = peer)]
        peers: Vec<&'static Peer>,
    },
    /// What there is to choose from.
    List,
    /// Echo: server CPU time per message. Rows such as `1KiB-P16`, or `125-P1-C1000`.
    Echo(Options),
    /// Echo of 1 KiB of JSON with permessage-deflate.
    Deflate(Options),
    /// Memory per idle connection: `plain`, `deflate`, `tls`.
    Memory(Options),
    /// One message to many: server CPU time per delivery. `single`, `burst`.
    Fanout(Options),
    /// Every table.
    All(Options),
}

#[derive(Args)]
struct Options {
    /// Only these rows.
    #[arg(long, value_delimiter = ',')]
    row: Vec<String>,
    /// Only these peers, such as `wiretalk,sockudo-ws`.
    #[arg(long, value_delimiter = ',', value_parser = peer)]
    peers: Vec<&'static Peer>,
    /// How often each peer has its turn.
    #[arg(long)]
    rounds: Option<usize>,
    /// How long each turn is measured, in seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// What comes before it, in seconds.
    #[arg(long)]
    warm_up: Option<f64>,
    /// Three rounds of one second, for a first look.
    #[arg(long)]
    quick: bool,
    /// Binary messages, not text; for `echo` and `fanout`.
    #[arg(long)]
    binary: bool,
    /// How many connections, where the row does not say.
    #[arg(long)]
    connections: Option<usize>,
    /// Where the server runs.
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,
    /// Where the load program runs.
    #[arg(long, default_value_t = 1)]
    load_cpu: usize,
    /// Another `wiretalk` than the one that `build` made.
    #[arg(long, value_name = "PATH")]
    wiretalk: Option<PathBuf>,
    /// Write the tables to this file too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Build { peers } => {
            Place::new().and_then(|place| build::run(&place, &all_if_none(&peers)))
        }
        Command::List => {
            list();
            Ok(())
        }
        Command::Echo(options) => run(&[Table::Echo], &options),
        Command::Deflate(options) => run(&[Table::Deflate], &options),
        Command::Memory(options) => run(&[Table::Memory], &options),
        Command::Fanout(options) => run(&[Table::FanOut], &options),
        Command::All(options) => run(&Table::ALL, &options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("run: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(tables: &[Table], options: &Options) -> Result<(), Failure> {
    let mut place = Place::new()?;
    place.server_cpu = options.server_cpu;
    place.load_cpu = options.load_cpu;
    place.wiretalk.clone_from(&options.wiretalk);
    let mut plan = if options.quick {
        Plan::QUICK
    } else {
        Plan::FULL
    };
    plan.rounds = options.rounds.unwrap_or(plan.rounds).max(1);
    plan.seconds = options.seconds.unwrap_or(plan.seconds);
    plan.warm_up = options.warm_up.unwrap_or(plan.warm_up);
    plan.binary = options.binary;
    let chosen = all_if_none(&options.peers);
    let mut markdown = String::new();
    for table in tables {
        let rows = rows(*table, options)?;
        for row in rows {
            let results = measurement::run(&place, &plan, &row, &chosen);
            let verdicts = targets::judge(&row, &results);
            println!("{}", render::text(&row, &plan, &results, &verdicts));
            markdown.push_str(&render::markdown(&row, &plan, &results, &verdicts));
            // Written again after each row, so that a run that is stopped has not been for nothing.
            if let Some(file) = &options.markdown {
                write(file, &markdown)?;
            }
        }
    }
    Ok(())
}

fn rows(table: Table, options: &Options) -> Result<Vec<Row>, Failure> {
    let mut rows = if options.row.is_empty() {
        table.rows()
    } else {
        let rows = options.row.iter().map(|name| table.row(name));
        rows.collect::<Result<_, _>>()?
    };
    if let Some(connections) = options.connections {
        for row in &mut rows {
            row.connections = connections;
        }
    }
    Ok(rows)
}

fn write(file: &Path, markdown: &str) -> Result<(), Failure> {
    let text = format!("{}{markdown}", render::preamble());
    fs::write(file, text)
        .map_err(|error| format!("{} cannot be written: {error}", file.display()).into())
}

fn all_if_none(peers: &[&'static Peer]) -> Vec<&'static Peer> {
    if peers.is_empty() {
        PEERS.iter().collect()
    } else {
        peers.to_vec()
    }
}

fn peer(id: &str) -> Result<&'static Peer, String> {
    PEERS.iter().find(|peer| peer.id == id).ok_or_else(|| {
        let ids: Vec<_> = PEERS.iter().map(|peer| peer.id).collect();
        format!("there is no such peer; there are {}", ids.join(", "))
    })
}

fn list() {
    println!("Peers:");
    for peer in PEERS {
        println!("  {:<24} {}", peer.id, peer.title);
    }
    for table in Table::ALL {
        println!("\nRows of {}:", table.name());
        for row in table.rows() {
            println!("  {:<24} {}", row.name, row.title());
        }
    }
}
