//! What was run, how long it took, and what came of it.

use std::fmt::Display;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How many tests of a step passed and failed. A check is a step of one test.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

/// The steps so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: String,
    count: Count,
    time: Duration,
}

impl Report {
    /// Runs a step that passes or fails as a whole. Whatever is wrong is in its error.
    pub(crate) fn check(&mut self, name: &str, step: impl FnOnce() -> Result<(), String>) -> bool {
        self.tests(name, || match step() {
            Ok(()) => Count {
                passed: 1,
                failed: 0,
            },
            Err(error) => {
                say(error);
                Count {
                    passed: 0,
                    failed: 1,
                }
            }
        })
    }

    /// Runs a step that counts its tests. Gives whether all passed.
    pub(crate) fn tests(&mut self, name: &str, step: impl FnOnce() -> Count) -> bool {
        say(format_args!("\n=== {name}"));
        let start = Instant::now();
        let count = step();
        let (time, name) = (start.elapsed(), name.to_owned());
        self.steps.push(Step { name, count, time });
        say(format_args!(
            "    {}",
            self.steps[self.steps.len() - 1].line()
        ));
        count.failed == 0
    }

    /// Says that a step does not apply, and why.
    pub(crate) fn skip(&self, name: &str, reason: &str) {
        say(format_args!("\n=== {name}\n    not run: {reason}"));
    }

    /// Lists the steps, and ends with the line that says it all.
    pub(crate) fn close(self) -> ExitCode {
        say("\n=== all");
        for step in &self.steps {
            say(format_args!("    {:<40} {}", step.name, step.line()));
        }
        let passed: usize = self.steps.iter().map(|step| step.count.passed).sum();
        let failed: usize = self.steps.iter().map(|step| step.count.failed).sum();
        say(format_args!("\n{passed} passed, {failed} failed"));
        if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl Step {
    fn line(&self) -> String {
        let seconds = self.time.as_secs_f64();
        match self.count {
            Count {
                passed: 1,
                failed: 0,
            } => format!("passed in {seconds:.1} s"),
            Count {
                passed: 0,
                failed: 1,
            } => format!("FAILED in {seconds:.1} s"),
            Count { passed, failed: 0 } => format!("{passed} passed in {seconds:.1} s"),
            Count { passed, failed } => {
                format!("{passed} passed, {failed} FAILED in {seconds:.1} s")
            }
        }
    }
}

/// Prints a line at once, so that it stays in order with what the steps' own programs print.
fn say(line: impl Display) {
    println!("{line}");
    // Nobody is left to tell if this fails.
    let _ = stdout().flush();
}
