//! `wiretalk test`

mod mock;
mod reports;
mod update;
mod view;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use wiretalk_engine::load::{self, Loaded};
use wiretalk_engine::report;
use wiretalk_engine::runner::{self, Options, Selection, Summary};
use wiretalk_talk::player::{Manner, Plan};
use wiretalk_talk::{Role, Value};

use super::reach::Reach;
use super::{Given, Outside};
use crate::exit::Exit;
use crate::signals::Interrupts;
use crate::{diagnostics, terminal};
use mock::Mock;
use reports::Reports;
use view::{Style, View};

#[derive(Clone, Debug, Args)]
#[command(after_help = format!("\
Examples:
  wiretalk test chat.talk
  wiretalk test tests/ --set url=wss://staging.example/ws
  wiretalk test tests/ --serve mock.talk       against a mock that runs for as long as the tests
  wiretalk test README.md --serve mock.talk    the talks in a document
  wiretalk test tests/ --filter login --tag '!slow' --watch
  wiretalk test chat.talk --update             write what the server says now into the talk
  WIRETALK_SET_token=… wiretalk test chat.talk --secret token
  wiretalk test chat.talk --compress           the same over permessage-deflate

{}", Exit::HELP))]
pub(crate) struct Test {
    /// The talks; Markdown documents with talks in them; folders, for every .talk in them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    given: Given,
    /// Serve this talk on a free port for as long as the tests run, and set `url` to where it listens
    #[arg(long, value_name = "FILE")]
    serve: Option<PathBuf>,

    /// Run only tests whose title contains this text or a match of this regular expression; of several, one is enough
    #[arg(long, value_name = "REGEX", help_heading = "Which tests")]
    filter: Vec<String>,
    /// Run only tests with this tag, or with `!` before it only those without; of several, one is enough
    #[arg(long, value_name = "WORD", help_heading = "Which tests")]
    tag: Vec<String>,
    /// List the tests and run none
    #[arg(long, help_heading = "Which tests")]
    list: bool,

    /// How many tests run at the same time
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = 64,
        help_heading = "How they run"
    )]
    jobs: usize,
    /// Begin no more tests once one has failed
    #[arg(long, help_heading = "How they run")]
    fail_fast: bool,
    /// Run each test so often
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        help_heading = "How they run"
    )]
    repeat: usize,
    /// Run a test that failed so often again; by default as often as its talk says
    #[arg(long, value_name = "N", help_heading = "How they run")]
    retry: Option<u32>,
    /// How long one attempt at a test may take, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = super::serve::seconds, help_heading = "How they run")]
    max_time: Option<Duration>,
    /// Fail tests in which messages come that no line takes, as `option strict` does
    #[arg(long, help_heading = "How they run")]
    strict: bool,
    /// Wait before a line with `after` for that long, as a mock does
    #[arg(long, help_heading = "How they run")]
    paced: bool,
    /// Make random values from this number: the same number makes the same values
    #[arg(long, value_name = "N", help_heading = "How they run")]
    seed: Option<u64>,
    /// Write what comes into the talks where it differs from their lines; holes and checks are kept
    #[arg(long, conflicts_with_all = ["repeat", "watch"], help_heading = "How they run")]
    update: bool,
    /// Run the tests again whenever a file that they come from changes, until Ctrl-C
    #[arg(long, conflicts_with = "list", help_heading = "How they run")]
    watch: bool,

    /// Offer permessage-deflate, and compress if the server agrees
    #[arg(long, help_heading = "Connections")]
    compress: bool,
    /// Say nothing of tests that pass
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Output")]
    quiet: bool,
    /// Show the messages of tests that pass, too
    #[arg(short, long, help_heading = "Output")]
    verbose: bool,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    reach: Reach,
}

impl Test {
    pub(crate) async fn run(self) -> Exit {
        if self.watch {
            return watch::run(self).await;
        }
        let mut interrupts = Interrupts::listen();
        let mut files = Vec::new();
        let prepared = tokio::select! {
            prepared = self.prepare(&mut files) => prepared,
            () = interrupts.next() => {
                terminal::error("interrupted");
                return Exit::INTERRUPTED;
            }
        };
        match prepared {
            Ok(prepared) => self.perform(prepared, interrupts.next()).await,
            Err(exit) => exit,
        }
    }

    /// One run of many. The files that it depends on are added to `depends`, also those that cannot be read.
    async fn once(&self, depends: &mut Vec<PathBuf>) -> Exit {
        match self.prepare(depends).await {
            Ok(prepared) => self.perform(prepared, std::future::pending()).await,
            Err(exit) => exit,
        }
    }

    /// Reads and looks over all there is to run.
    async fn prepare(&self, depends: &mut Vec<PathBuf>) -> Result<Prepared, Exit> {
        depends.extend(self.files.iter().cloned());
        depends.extend(self.serve.iter().cloned());
        depends.extend(self.given.env_file().map(PathBuf::from));
        depends.extend(self.reach.files());
        let mut outside = self.given.read().map_err(usage)?;
        if self.serve.is_some() && outside.variables.contains_key("url") {
            return Err(usage(
                "`--serve` sets `url`, which is given by `--set` or the environment already: leave one of them out",
            ));
        }
        let served = self.serve.as_deref().map(load::load).transpose();
        let served = served.map_err(|error| usage(error.to_string()))?;
        let found = self.find()?;
        let all: Vec<_> = served.iter().chain(found.iter().flatten()).collect();
        for loaded in &all {
            depends.extend(loaded.linked.iter().cloned());
            outside.hide_secrets_of(loaded.source());
        }
        outside.know_secrets(&all).map_err(usage)?;
        let mock = match served {
            Some(served) => {
                let mock = Mock::start(served, &outside, self.seed).await?;
                let url = Value::Text(mock.url.clone());
                outside.variables.insert("url".into(), url);
                Some(mock)
            }
            None => None,
        };
        let talks = check(found, &outside)?;
        let connector = self.reach.connector().map_err(usage)?;
        self.reach.warn();
        let mut selection = Selection::default();
        self.filter.iter().for_each(|text| selection.title(text));
        self.tag.iter().for_each(|word| selection.tag(word));
        let options = Options {
            variables: outside.variables.clone(),
            environment: Arc::clone(&outside.environment),
            secrets: outside.secrets.clone(),
            seed: self.seed.unwrap_or_else(wiretalk_engine::fresh_seed),
            selection,
            jobs: self.jobs,
            fail_fast: self.fail_fast,
            repeat: self.repeat,
            retry: self.retry,
            max_time: self.max_time,
            manner: Manner {
                strict: self.strict,
                paced: self.paced,
                update: self.update,
                ..Manner::default()
            },
            connector,
            deflate: super::offers(self.compress),
        };
        Ok(Prepared {
            talks,
            options,
            outside,
            mock,
        })
    }

    /// The talks of the files; `None` stands for a file that cannot be read, which is told.
    fn find(&self) -> Result<Vec<Option<Loaded>>, Exit> {
        let mut talks = Vec::new();
        for file in load::files(&self.files).map_err(|error| usage(error.to_string()))? {
            match load::load_all(&file) {
                Ok(found) => talks.extend(found.into_iter().map(Some)),
                Err(error) => {
                    terminal::error(&error.to_string());
                    talks.push(None);
                }
            }
        }
        Ok(talks)
    }

    /// Runs the tests, until they are through or `stop` is done: then it tells what came of those that are.
    async fn perform(&self, prepared: Prepared, stop: impl Future<Output = ()>) -> Exit {
        let Prepared {
            talks,
            options,
            outside,
            mock,
        } = prepared;
        let plans: Vec<_> = talks.iter().map(|(_, plan)| Arc::clone(plan)).collect();
        let selected = selected(&plans, &options.selection);
        if selected.is_empty() {
            terminal::error(if self.filter.is_empty() && self.tag.is_empty() {
                "there is no test in these files"
            } else {
                "no test has such a title and such tags; `--list` without `--filter` and `--tag` shows all"
            });
            return Exit::NO_TESTS;
        }
        if self.list {
            selected.iter().for_each(|line| {
                terminal::out(line);
            });
            return Exit::SUCCESS;
        }
        let mut writing = match self.reports.open() {
            Ok(writing) => writing,
            Err(why) => return usage(why),
        };
        let view = View::new(Style {
            quiet: self.quiet,
            verbose: self.verbose,
            // What people read makes room for a report on standard output.
            to_stderr: self.reports.take_stdout(),
        });
        let mut changed = update::Changed::default();
        let began = Instant::now();
        let mut so_far = Summary::default();
        let run = {
            let mut observer = view.observer(|result| {
                writing.test(result);
                changed.add(result);
                so_far.count(result);
            });
            let run = runner::run_observed(&plans, &options, &mut observer);
            tokio::select! {
                run = view.while_it_runs(run) => Some(run),
                () = stop => None,
            }
        };
        if let Some(mock) = mock {
            mock.stop().await;
        }
        let (summary, mut exit) = match run {
            Some(summary) if summary.failed == 0 => (summary, Exit::SUCCESS),
            Some(summary) => (summary, Exit::FAILED),
            None => {
                terminal::error("interrupted");
                so_far.duration = began.elapsed();
                (so_far, Exit::INTERRUPTED)
            }
        };
        if self.update
            && exit != Exit::INTERRUPTED
            && !changed.write(&talks, &outside.redactor(), |line| view.say(line))
        {
            exit = Exit::FAILED;
        }
        view.say(&report::summary(&summary));
        if view.random_failed() && self.seed.is_none() {
            view.say(&format!(
                "a test that failed made random values: `--seed {}` makes the same again",
                options.seed
            ));
        }
        if let Err(failures) = writing.finish(&summary) {
            failures.iter().for_each(|why| terminal::error(why));
            return Exit::USAGE;
        }
        exit
    }
}

/// All that a run needs.
struct Prepared {
    talks: Vec<(Loaded, Arc<Plan>)>,
    options: Options,
    outside: Outside,
    mock: Option<Mock>,
}

/// The talks with tests that are to be run, each with its plan. What is wrong with any of them is shown.
fn check(found: Vec<Option<Loaded>>, outside: &Outside) -> Result<Vec<(Loaded, Arc<Plan>)>, Exit> {
    let given = outside.names();
    let mut talks = Vec::new();
    let mut usable = true;
    for loaded in found {
        let Some(loaded) = loaded else {
            usable = false;
            continue;
        };
        let plan = loaded.plan();
        let runs = loaded.runs(&plan);
        let loaded = if runs {
            loaded.check(Role::Test, &given)
        } else {
            loaded.check_all(&given)
        };
        diagnostics::show(&loaded);
        usable &= !loaded.has_errors();
        if runs {
            talks.push((loaded, plan));
        }
    }
    if usable { Ok(talks) } else { Err(Exit::USAGE) }
}

/// The tests that are asked for, as lines.
fn selected(plans: &[Arc<Plan>], selection: &Selection) -> Vec<String> {
    let mut lines = Vec::new();
    for plan in plans {
        for test in plan.tests() {
            if !selection.takes(&test.title, &test.tags) {
                continue;
            }
            let tags = match &test.tags[..] {
                [] => String::new(),
                tags => format!(" [{}]", tags.join(" ")),
            };
            let (file, line) = (plan.source().name(), runner::first_line(plan, test.line));
            lines.push(format!("{} ({file}:{line}){tags}", test.title));
        }
    }
    lines
}

fn usage(why: impl AsRef<str>) -> Exit {
    terminal::error(why.as_ref());
    Exit::USAGE
}
