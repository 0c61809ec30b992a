//! The tests: built once, run by `cargo test`, counted by what it prints.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::report::{Count, Report};
use crate::workspace::{Workspace, run, shown};

const INTEROP: &str = "wiretalk-interop";

/// What has its tests in the crates themselves, with all that can be switched on.
const OURS: [&str; 4] = ["--workspace", "--exclude", INTEROP, "--all-features"];

/// The binary, the examples and the tests, all but those of interop: what is named here just as for the tests is built but once.
pub(crate) fn build(workspace: &Workspace, report: &mut Report) -> bool {
    report.check("build", || {
        let mut cargo = workspace.cargo();
        cargo.args(["build", "--locked", "--bins", "--examples", "--tests"]);
        run(cargo.args(OURS))
    })
}

/// The binary and the examples of the library, which the interop tests start.
pub(crate) fn build_programs(workspace: &Workspace, report: &mut Report) -> bool {
    report.check("build", || {
        let mut cargo = workspace.cargo();
        cargo.args(["build", "--locked", "--package", "wiretalk-cli"]);
        cargo.arg("--all-features");
        run(&mut cargo)?;
        let mut cargo = workspace.cargo();
        cargo.args(["build", "--locked", "--package", "wiretalk", "--examples"]);
        run(cargo.arg("--all-features"))
    })
}

/// The unit and integration tests of every crate.
pub(crate) fn tests(workspace: &Workspace, report: &mut Report) {
    report.tests("tests", || {
        let mut cargo = workspace.cargo();
        cargo.args([
            "test",
            "--locked",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
        ]);
        count_tests(cargo.args(OURS))
    });
}

/// The examples in the documentation.
pub(crate) fn doc_tests(workspace: &Workspace, report: &mut Report) {
    report.tests("doc tests", || {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--locked", "--no-fail-fast", "--doc"]);
        count_tests(cargo.args(OURS))
    });
}

/// The binary, once it is built, against the programs of others.
pub(crate) fn interop(workspace: &Workspace, report: &mut Report) {
    report.tests("interop tests", || {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--locked", "--no-fail-fast", "--package", INTEROP]);
        cargo.args(["--lib", "--tests"]);
        cargo.env("WIRETALK_BIN", workspace.binary());
        cargo.env("WIRETALK_PYTHON", workspace.python());
        cargo.env(
            "WIRETALK_NODE_PATH",
            workspace.peers().join("node/node_modules"),
        );
        count_tests(&mut cargo)
    });
}

/// Runs `cargo test`, passes on what it prints, and adds up its `test result` lines.
fn count_tests(cargo: &mut Command) -> Count {
    let mut count = Count::default();
    match run_counted(cargo, &mut count) {
        // Not all was run: a crate did not build, or a test took its process down.
        Ok(false) if count.failed == 0 => count.failed += 1,
        Ok(_) => {}
        Err(error) => {
            println!("{}: {error}", shown(cargo));
            count.failed += 1;
        }
    }
    count
}

fn run_counted(cargo: &mut Command, count: &mut Count) -> io::Result<bool> {
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        if let Some(of_line) = Tally::of(text.trim_end()) {
            if of_line.ignored > 0 {
                println!("    ignored tests count as failed: a test runs, or it goes");
            }
            count.passed += of_line.passed;
            count.failed += of_line.failed + of_line.ignored;
        }
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// A line such as `test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.05s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Tally {
    fn of(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let number = |word: &str| {
            let count = counts
                .split("; ")
                .find_map(|part| part.strip_suffix(word))?;
            count.trim_end().parse().ok()
        };
        Some(Self {
            passed: number("passed")?,
            failed: number("failed")?,
            ignored: number("ignored")?,
        })
    }
}

#[cfg(test)]
mod tests;
