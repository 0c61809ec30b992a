//! The binary `wiretalk`: arguments, terminal, exit codes.

mod command;
mod descriptors;
mod diagnostics;
mod exit;
mod signals;
mod supervisor;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
    arguments.color.write_global();
    command::run(arguments.command).into()
}

/// The arguments, with those of a file that they name. A mistake, and a wish for help, ends the program.
fn arguments() -> Result<command::Arguments, exit::Exit> {
    let mut all = command::Arguments::command();
    all.build();
    let given: Vec<_> = std::env::args_os().collect();
    let given = match all.find_subcommand("serve") {
        Some(serve) => command::serve::config::with_file(given, serve),
        None => Ok(given),
    };
    let given = given.map_err(|why| {
        terminal::error(&why);
        exit::Exit::USAGE
    })?;
    let matches = all.get_matches_from(given);
    Ok(command::Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}
