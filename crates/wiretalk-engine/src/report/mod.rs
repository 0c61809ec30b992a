//! Results in words and in files. A report format is one file here and one line in [`FORMATS`].
//!
//! Every format is a [`Report`]: it takes the results as they come, and keeps no more of each than it will write.
//! `human` is no such format: it is the sentences that a terminal shows, and that all the others repeat.

mod explain;
pub mod github;
mod html;
mod human;
mod json;
mod junit;
mod order;
mod output;
mod tap;
mod text;

#[cfg(test)]
mod tests;

use std::io;
use std::time::SystemTime;

pub use human::{describe_mismatch, failure, messages, summary};
pub use output::Output;

use crate::runner::{Summary, TestResult};

/// A report that is being written.
pub trait Report: Send {
    /// Takes a test that has ended, or was skipped.
    ///
    /// # Errors
    /// What the system says of the file.
    fn test(&mut self, result: &TestResult) -> io::Result<()>;

    /// Ends the report. Only now is a file there under its name.
    ///
    /// # Errors
    /// What the system says of the file.
    fn finish(self: Box<Self>, summary: &Summary) -> io::Result<()>;
}

/// What a report is told before the first test.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// When the run began.
    pub at: SystemTime,
    /// The version of the program that runs the tests.
    pub version: &'static str,
}

/// A format that a report can be asked for in.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What it is called where a user asks for it: `junit` in `--junit FILE`.
    pub name: &'static str,
    /// What it is, for a list of options.
    pub help: &'static str,
    /// Begins a report.
    pub begin: fn(Output, Start) -> Box<dyn Report>,
}

/// Every format, by name.
pub const FORMATS: &[Format] = &[html::FORMAT, json::FORMAT, junit::FORMAT, tap::FORMAT];
