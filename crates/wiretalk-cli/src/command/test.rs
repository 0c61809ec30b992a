//! `wiretalk test`

mod reports;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use wiretalk_engine::runner::{self, Options, TestResult};
use wiretalk_engine::{load, report};
use wiretalk_talk::player::Plan;
use wiretalk_talk::{Role, Value};

use crate::exit::Exit;
use crate::terminal::{BAD, GOOD, QUIET};
use crate::{diagnostics, terminal};
use reports::{Reports, Writing};

#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  wiretalk test chat.talk
  wiretalk test tests/*.talk --set url=wss://staging.example/ws
  WIRETALK_SET_token=… wiretalk test chat.talk
  wiretalk test chat.talk --compress           the same over permessage-deflate

{}", Exit::HELP))]
pub(crate) struct Test {
    /// The talks
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Set a variable; it wins over `set NAME = …` in the talk
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::variable)]
    set: Vec<(String, Value)>,
    /// How many tests run at the same time
    #[arg(short, long, value_name = "N", default_value_t = 64)]
    jobs: usize,
    /// Offer permessage-deflate, and compress if the server agrees
    #[arg(long)]
    compress: bool,
    /// Believe any certificate of a server
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Trust the root certificates of a PEM file, beside those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    reports: Reports,
}

impl Test {
    pub(crate) async fn run(self) -> Exit {
        let variables = super::variables(&self.set);
        let given: Vec<String> = variables.keys().cloned().collect();
        let mut plans = Vec::new();
        let mut usable = true;
        for file in &self.files {
            match load::load(file) {
                Ok(loaded) => {
                    let loaded = loaded.check(Role::Test, &given);
                    diagnostics::show(&loaded);
                    usable &= !loaded.has_errors();
                    plans.push(loaded.plan());
                }
                Err(error) => {
                    terminal::error(&error.to_string());
                    usable = false;
                }
            }
        }
        let root_certificates = match self.ca.as_ref().map(std::fs::read).transpose() {
            Ok(pem) => pem,
            Err(error) => {
                terminal::error(&format!("cannot read the file of `--ca`: {error}"));
                return Exit::USAGE;
            }
        };
        if !usable {
            return Exit::USAGE;
        }
        let options = Options {
            variables,
            jobs: self.jobs,
            insecure: self.insecure,
            root_certificates,
            deflate: super::offers(self.compress),
            ..Options::default()
        };
        let writing = match self.reports.open() {
            Ok(writing) => writing,
            Err(why) => {
                terminal::error(&why);
                return Exit::USAGE;
            }
        };
        // What people read makes room for a report on standard output.
        let say: fn(&str) = if self.reports.take_stdout() {
            terminal::err
        } else {
            |line| {
                terminal::out(line);
            }
        };
        tokio::select! {
            exit = run(&plans, &options, writing, say) => exit,
            _ = tokio::signal::ctrl_c() => {
                terminal::error("interrupted");
                Exit::INTERRUPTED
            }
        }
    }
}

async fn run(plans: &[Arc<Plan>], options: &Options, mut writing: Writing, say: fn(&str)) -> Exit {
    let summary = runner::run(plans, options, |result| {
        writing.test(&result);
        show(&result, say);
    })
    .await;
    let summary = match summary {
        Ok(summary) => summary,
        Err(error) => {
            terminal::error(&error.to_string());
            return Exit::USAGE;
        }
    };
    say(&report::summary(&summary));
    if let Err(failures) = writing.finish(&summary) {
        for why in failures {
            terminal::error(&why);
        }
        return Exit::USAGE;
    }
    if summary.failed == 0 {
        Exit::SUCCESS
    } else {
        Exit::FAILED
    }
}

fn show(result: &TestResult, say: fn(&str)) {
    let (style, word) = if result.passed() {
        (GOOD, "PASS")
    } else if result.skipped() {
        (QUIET, "SKIP")
    } else {
        (BAD, "FAIL")
    };
    say(&format!(
        "{style}{word}{style:#} {} {QUIET}({}:{}) {:.3}s{QUIET:#}",
        result.title,
        result.file,
        result.line,
        result.duration.as_secs_f64()
    ));
    let why = report::failure(result);
    if !why.is_empty() {
        say(&why);
    }
}
