//! What a run shows: each result as it comes, and on a terminal a line below that tells how far it is.

use std::env;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};
use wiretalk_engine::report;
use wiretalk_engine::runner::{Observer, TestResult};

use crate::terminal::{self, BAD, GOOD, QUIET, WARNING};

/// How often the line below is drawn anew, if nothing else happens.
const REDRAW: Duration = Duration::from_millis(100);

/// How much is shown, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Nothing of tests that pass.
    pub(super) quiet: bool,
    /// The messages of tests that pass.
    pub(super) verbose: bool,
    /// All goes to standard error.
    pub(super) to_stderr: bool,
}

/// The view of one run.
pub(super) struct View {
    style: Style,
    state: Mutex<State>,
}

struct State {
    live: bool,
    began: Instant,
    planned: usize,
    /// The titles of the tests that run, the oldest first.
    running: Vec<String>,
    passed: usize,
    failed: usize,
    random_failed: bool,
    /// Whether the line is on the terminal now.
    drawn: bool,
    drawn_at: Option<Instant>,
}

impl View {
    /// A view: with a line below if standard error is a terminal that can do it, and nobody asked for plain lines.
    pub(super) fn new(style: Style) -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let live = std::io::stderr().is_terminal() && !dumb && !set("CI") && !set("NO_COLOR");
        Self {
            style,
            state: Mutex::new(State {
                live,
                began: Instant::now(),
                planned: 0,
                running: Vec::new(),
                passed: 0,
                failed: 0,
                random_failed: false,
                drawn: false,
                drawn_at: None,
            }),
        }
    }

    /// Shows the results of a run, and hands each on.
    pub(super) fn observer<F: FnMut(&TestResult)>(&self, each: F) -> Watching<'_, F> {
        Watching { view: self, each }
    }

    /// Waits for the run, and keeps the line below in time.
    pub(super) async fn while_it_runs<T>(&self, run: impl Future<Output = T>) -> T {
        let mut run = std::pin::pin!(run);
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // Also if the run is given up, no half line is to stay.
        let _clear = Clear(self);
        loop {
            tokio::select! {
                biased;
                done = &mut run => return done,
                _ = redraw.tick() => self.lock().draw(),
            }
        }
    }

    /// Writes a line, above the one below.
    pub(super) fn say(&self, line: &str) {
        self.lock().say(line, self.style);
    }

    /// Whether a test failed that had made random values.
    pub(super) fn random_failed(&self) -> bool {
        self.lock().random_failed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Clear<'a>(&'a View);

impl Drop for Clear<'_> {
    fn drop(&mut self) {
        self.0.lock().clear();
    }
}

/// A run's observer.
pub(super) struct Watching<'a, F> {
    view: &'a View,
    each: F,
}

impl<F: FnMut(&TestResult)> Observer for Watching<'_, F> {
    fn planned(&mut self, tests: usize) {
        self.view.lock().planned = tests;
    }

    fn began(&mut self, title: &str) {
        self.view.lock().running.push(title.to_owned());
    }

    fn ended(&mut self, result: TestResult) {
        (self.each)(&result);
        self.view.lock().ended(&result, self.view.style);
    }
}

impl State {
    fn ended(&mut self, result: &TestResult, style: Style) {
        if let Some(at) = self.running.iter().position(|own| *own == result.title) {
            self.running.remove(at);
        }
        self.passed += usize::from(result.passed());
        self.failed += usize::from(result.failed());
        self.random_failed |= result.failed() && result.seed.is_some();
        // The number of those that did not run is told at the end.
        if result.skipped() || (style.quiet && !result.failed()) {
            self.draw_soon();
            return;
        }
        let mut lines = headline(result);
        let mut more = report::failure(result);
        if style.verbose && !result.failed() {
            more.push_str(&report::messages(result));
        }
        if !more.is_empty() {
            lines.push('\n');
            lines.push_str(&more);
        }
        self.say(&lines, style);
        self.draw_soon();
    }

    fn say(&mut self, line: &str, style: Style) {
        self.clear();
        if style.to_stderr {
            terminal::err(line);
        } else {
            terminal::out(line);
        }
    }

    /// Draws the line unless it was drawn a moment ago: a thousand results a second need no thousand lines.
    fn draw_soon(&mut self) {
        if self.drawn_at.is_none_or(|at| at.elapsed() >= REDRAW) {
            self.draw();
        }
    }

    fn draw(&mut self) {
        if !self.live || self.planned == 0 {
            return;
        }
        let done = self.passed + self.failed;
        let failed = match self.failed {
            0 => String::new(),
            failed => format!("{BAD}{failed} failed{BAD:#}, "),
        };
        let seconds = self.began.elapsed().as_secs_f64();
        let head = format!(
            "{done}/{} {GOOD}{} passed{GOOD:#}, {failed}{} running {QUIET}{seconds:.1}s{QUIET:#} ",
            self.planned,
            self.passed,
            self.running.len()
        );
        let width = terminal::width();
        let taken = anstream::adapter::strip_str(&head)
            .to_string()
            .chars()
            .count();
        let title = self.running.first().map_or("", String::as_str);
        let left = width.saturating_sub(taken + 1);
        let title = wiretalk_engine::record::show(title.as_bytes(), false, left.saturating_sub(1));
        // A title may have characters of two columns: what does not fit is cut by the terminal (no wrapping).
        terminal::status(Some(&format!("{head}{title}")));
        self.drawn = true;
        self.drawn_at = Some(Instant::now());
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            terminal::status(None);
            let _ = std::io::stderr().flush();
        }
    }
}

fn headline(result: &TestResult) -> String {
    let (style, word) = if result.passed() {
        (GOOD, "PASS")
    } else {
        (BAD, "FAIL")
    };
    let attempts = match result.attempts {
        0 | 1 => String::new(),
        attempts => format!(" {WARNING}attempt {attempts}{WARNING:#}"),
    };
    format!(
        "{style}{word}{style:#} {} {QUIET}({}:{}) {:.3}s{QUIET:#}{attempts}",
        result.title,
        result.file,
        result.line,
        result.duration.as_secs_f64()
    )
}
