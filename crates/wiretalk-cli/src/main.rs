//! The binary `wiretalk`: arguments, terminal, exit codes.

mod command;
mod descriptors;
mod diagnostics;
mod exit;
mod signals;
mod supervisor;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    arguments.color.write_global();
    command::run(arguments.command).into()
}
