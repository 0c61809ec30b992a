//! The tasks of this repository: `cargo xtask test` installs what is missing and runs every check and test.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to a terminal"
)]

mod api;
mod arrows;
mod check;
mod examples;
mod length;
mod report;
mod setup;
mod suite;
mod workspace;

use std::env;
use std::process::ExitCode;

use crate::report::Report;
use crate::workspace::Workspace;

const HELP: &str = "\
The tasks of this repository.

Usage: cargo xtask TASK

Tasks:
  test      Install what is missing, then run every check and test: what CI runs
  setup     Install what is missing: Debian packages (as root, or by sudo without a password),
            the Python and Node peers, cargo-deny. All but the packages goes into `target/`
  check     The checks without the tests: formatting, clippy, dependency arrows, file length,
            licences and sources, rustdoc, the public API, wasm32
  api       Write down the public API of the library crates, in `crates/*/api.txt`
  interop   The binary against the programs of others, and nothing else
  help      This text

`test`, `check` and `interop` end with the line `N passed, M failed`, where each check counts as one,
and with exit code 1 if anything failed.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let task: fn(&Workspace, &mut Report) =
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["test"] => |workspace, report| {
                if setup::all(workspace, report) {
                    check::all(workspace, report);
                    if suite::build(workspace, report) {
                        suite::tests(workspace, report);
                        suite::doc_tests(workspace, report);
                        suite::interop(workspace, report);
                    }
                }
            },
            ["setup"] => |workspace, report| {
                setup::all(workspace, report);
            },
            ["check"] => |workspace, report| {
                if setup::for_checks(workspace, report) {
                    check::all(workspace, report);
                }
            },
            ["api"] => |workspace, report| {
                if report.check("setup", api::toolchain) {
                    api::write(workspace, report);
                }
            },
            ["interop"] => |workspace, report| {
                if setup::for_interop(workspace, report) && suite::build_programs(workspace, report)
                {
                    suite::interop(workspace, report);
                }
            },
            ["help" | "--help" | "-h"] => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            _ => {
                eprint!("{HELP}");
                return ExitCode::from(2);
            }
        };
    let workspace = match Workspace::load() {
        Ok(workspace) => workspace,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut report = Report::default();
    task(&workspace, &mut report);
    report.close()
}
