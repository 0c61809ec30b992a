//! The commands: one file each, one line here.

mod check;
mod connect;
mod fmt;
mod lsp;
mod serve;
mod test;

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use wiretalk_engine::record::show;
use wiretalk_net::DeflateConfig;
use wiretalk_talk::{Bindings, Value};

use crate::exit::Exit;
use crate::terminal::{self, WARNING};

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
    Serve(serve::Serve),
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
        Command::Serve(serve) => in_runtime(serve.run()),
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

/// `NAME=VALUE` of `--set`.
fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write NAME=VALUE: `--set url=ws://127.0.0.1:4000`")?;
    wiretalk_talk::may_be_bound(name)?;
    Ok((name.to_owned(), Value::read(value)))
}

/// The variables of `WIRETALK_SET_NAME` and of `--set`, which wins.
fn variables(set: &[(String, Value)]) -> Bindings {
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_string_lossy();
        let bare = name.strip_prefix(PREFIX)?;
        match from_environment(bare, value) {
            Ok(value) => Some((bare.to_owned(), value)),
            Err(why) => {
                let name = show(name.as_bytes(), false, 100);
                let why = show(why.as_bytes(), false, 300);
                terminal::err(&format!(
                    "{WARNING}warning{WARNING:#}: the environment variable `{name}` is ignored: {why}"
                ));
                None
            }
        }
    });
    environment.chain(set.iter().cloned()).collect()
}

/// What variables of a talk begin with in the environment.
const PREFIX: &str = "WIRETALK_SET_";

fn from_environment(name: &str, value: OsString) -> Result<Value, String> {
    wiretalk_talk::may_be_bound(name)?;
    match value.into_string() {
        Ok(value) => Ok(Value::read(&value)),
        Err(_) => Err("its value is not UTF-8".to_owned()),
    }
}
