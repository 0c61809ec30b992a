//! The commands: one file each, one line here.

mod check;
mod connect;
mod fmt;
mod serve;
mod test;

use clap::{Parser, Subcommand};
use wiretalk_talk::{Bindings, Value};

use crate::exit::Exit;
use crate::terminal;

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
}

/// Runs a command.
pub(crate) fn run(command: Command) -> Exit {
    match command {
        Command::Serve(serve) => in_runtime(serve.run()),
        Command::Test(test) => in_runtime(test.run()),
        Command::Connect(connect) => in_runtime(connect.run()),
        Command::Check(check) => check.run(),
        Command::Fmt(fmt) => fmt.run(),
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

/// `NAME=VALUE` of `--set`.
fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write NAME=VALUE: `--set url=ws://127.0.0.1:4000`")?;
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || !name.chars().all(letters)
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(format!(
            "`{name}` is not a name: letters, digits and underscores"
        ));
    }
    Ok((name.to_owned(), Value::read(value)))
}

/// The variables of `WIRETALK_SET_NAME` and of `--set`, which wins.
fn variables(set: &[(String, Value)]) -> Bindings {
    const PREFIX: &str = "WIRETALK_SET_";
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?.strip_prefix(PREFIX)?.to_owned();
        Some((name, Value::read(&value.into_string().ok()?)))
    });
    environment.chain(set.iter().cloned()).collect()
}
