//! The reports that `wiretalk test` writes: one option for each format that the engine knows.

use std::env;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use wiretalk_engine::report::{FORMATS, Format, Output, Report, Start, github};
use wiretalk_engine::runner::{Summary, TestResult};

use crate::terminal::{self, WARNING};

/// The reports that were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    files: Vec<(&'static Format, PathBuf)>,
    github: bool,
}

const HEADING: &str = "Reports";
const GITHUB: &str = "github";

impl clap::Args for Reports {
    fn augment_args(mut command: Command) -> Command {
        for format in FORMATS {
            command = command.arg(
                Arg::new(format.name)
                    .long(format.name)
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help(format!("Write {}; `-` is standard output", format.help))
                    .help_heading(HEADING),
            );
        }
        command.arg(
            Arg::new(GITHUB)
                .long(GITHUB)
                .action(ArgAction::SetTrue)
                .help("Annotate failures and write a step summary, as GitHub Actions reads them [there by itself]")
                .help_heading(HEADING),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Reports {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut reports = Self::default();
        reports.update_from_arg_matches(matches)?;
        Ok(reports)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.files = FORMATS
            .iter()
            .filter_map(|format| Some((format, matches.get_one::<PathBuf>(format.name)?.clone())))
            .collect();
        self.github = matches.get_flag(GITHUB);
        Ok(())
    }
}

impl Reports {
    /// Whether a report goes to standard output, so that what people read has to go to standard error.
    pub(crate) fn take_stdout(&self) -> bool {
        self.files.iter().any(|(_, path)| is_stdout(path))
    }

    /// Opens all of them, so that one that cannot be written is known before the first test runs.
    ///
    /// # Errors
    /// Which cannot, and why, as a sentence.
    pub(crate) fn open(&self) -> Result<Writing, String> {
        for (index, (format, path)) in self.files.iter().enumerate() {
            if let Some((other, _)) = self.files[..index].iter().find(|(_, it)| it == path) {
                return Err(format!(
                    "`--{}` and `--{}` both write to `{}`: give each its own file",
                    other.name,
                    format.name,
                    path.display()
                ));
            }
        }
        let start = Start {
            at: SystemTime::now(),
            version: env!("CARGO_PKG_VERSION"),
        };
        let mut writing = Writing::default();
        for (format, path) in &self.files {
            let output = if is_stdout(path) {
                Output::stream(BufWriter::new(io::stdout()))
            } else {
                Output::file(path).map_err(|error| cannot_write(format.name, path, &error))?
            };
            let name = format!("--{} {}", format.name, path.display());
            writing.reports.push((name, (format.begin)(output, start)));
        }
        if self.github || env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
            match self.open_github() {
                Ok(report) => writing.reports.push((format!("--{GITHUB}"), report)),
                Err(error) if self.github => {
                    return Err(format!("cannot write for GitHub Actions: {error}"));
                }
                // Nobody asked for it: that is no reason not to test.
                Err(error) => terminal::err(&format!(
                    "{WARNING}warning{WARNING:#}: cannot write for GitHub Actions: {error}"
                )),
            }
        }
        Ok(writing)
    }

    fn open_github(&self) -> io::Result<Box<dyn Report>> {
        let path = |name: &str| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let place = github::Place {
            summary: path("GITHUB_STEP_SUMMARY"),
            workspace: path("GITHUB_WORKSPACE"),
            current: env::current_dir()?,
        };
        // The runner reads both.
        let output = if self.take_stdout() {
            Output::stream(io::stderr())
        } else {
            Output::stream(io::stdout())
        };
        github::begin(output, place)
    }
}

/// The reports of a run that goes on.
#[derive(Default)]
pub(crate) struct Writing {
    reports: Vec<(String, Box<dyn Report>)>,
    failures: Vec<String>,
}

impl Writing {
    /// Adds a result to all of them.
    pub(crate) fn test(&mut self, result: &TestResult) {
        let failures = &mut self.failures;
        // One that cannot be written any more is given up, and the others go on.
        self.reports
            .retain_mut(|(name, report)| match report.test(result) {
                Ok(()) => true,
                Err(error) => {
                    failures.push(format!("`{name}` cannot be written: {error}"));
                    false
                }
            });
    }

    /// Ends all of them.
    ///
    /// # Errors
    /// A sentence for each that could not be written.
    pub(crate) fn finish(mut self, summary: &Summary) -> Result<(), Vec<String>> {
        for (name, report) in self.reports {
            if let Err(error) = report.finish(summary) {
                self.failures
                    .push(format!("`{name}` cannot be written: {error}"));
            }
        }
        if self.failures.is_empty() {
            Ok(())
        } else {
            Err(self.failures)
        }
    }
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn cannot_write(format: &str, path: &Path, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot write `{}` for `--{format}`: {why}", path.display())
}
