//! The commands: one file each, one line here.

mod check;
mod connect;
mod fmt;
mod lsp;
mod reach;
pub(crate) mod serve;
mod test;
mod variables;

use clap::{Parser, Subcommand};
use wiretalk_net::DeflateConfig;

use crate::exit::Exit;
use crate::terminal;
use variables::{Given, Outside};

/// The workbench for WebSocket: one binary, and one plain-text file, the talk.
#[derive(Debug, Parser)]
#[command(
    name = "wiretalk",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  wiretalk serve --echo                        a server that sends back what it receives
  wiretalk serve chat.talk                     a server that answers as the talk says
  wiretalk connect ws://127.0.0.1:4000         join a server by hand
  wiretalk test chat.talk                      test a server with the same talk"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to write in colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = color)]
    pub(crate) color: ColorChoice,
}

/// A choice of colour, by its usual names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColorChoice(anstream::ColorChoice);

impl ColorChoice {
    pub(crate) fn write_global(self) {
        self.0.write_global();
    }
}

fn color(text: &str) -> Result<ColorChoice, String> {
    Ok(ColorChoice(match text {
        "auto" => anstream::ColorChoice::Auto,
        "always" => anstream::ColorChoice::Always,
        "never" => anstream::ColorChoice::Never,
        _ => return Err("the choices are auto, always and never".into()),
    }))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a talk, or an echo
    Serve(Box<serve::Serve>),
    /// Run the tests of talks
    Test(test::Test),
    /// Connect to a server: a line in is a message out
    Connect(connect::Connect),
    /// Look talks over for mistakes
    Check(check::Check),
    /// Lay talks out
    Fmt(fmt::Fmt),
    /// Help editors: the language server
    Lsp(lsp::Lsp),
}

/// Runs a command.
pub(crate) fn run(command: Command) -> Exit {
    match command {
        Command::Serve(serve) => in_runtime((*serve).run()),
        Command::Test(test) => in_runtime(test.run()),
        Command::Connect(connect) => in_runtime(connect.run()),
        Command::Check(check) => check.run(),
        Command::Fmt(fmt) => fmt.run(),
        Command::Lsp(lsp) => lsp.run(),
    }
}

fn in_runtime(command: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let exit = runtime.block_on(command);
            // A thread that waits for a key must not hold up the end.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            terminal::error(&format!("the system gives no threads: {error}"));
            Exit::FAILED
        }
    }
}

/// What a client offers that is told to `--compress`: what browsers do, so that a server answers as it does to them.
fn offers(compress: bool) -> Vec<DeflateConfig> {
    if compress {
        vec![DeflateConfig::with_context_takeover()]
    } else {
        Vec::new()
    }
}
