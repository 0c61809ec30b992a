//! `POST /verify`: whether clients have sent a message, and how often.
//!
//! A pattern is a line of a talk, so each message is played to a test that expects this one line.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use wiretalk_talk::player::{
    Action, Fault, HandshakeResponse, Incoming, Outcome, Plan, Player, Setup, Time,
};
use wiretalk_talk::{Diagnostic, Mismatch, Role, check, parse};

use super::Controlled;
use super::api::{Body, Error};
use crate::SystemWorld;
use crate::report::describe_mismatch;
use crate::serve::ClientId;
use crate::serve::journal::{Direction, Entry, EntryKind, Filter, Shown, Since};

/// The longest that a request may wait.
const MOST_WAITING: Duration = Duration::from_secs(600);
/// Entries that are looked at in one go.
const BATCH: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verify {
    pattern: String,
    times: Option<u64>,
    at_least: Option<u64>,
    at_most: Option<u64>,
    client: Option<u64>,
    talk: Option<String>,
    /// How long to wait for what is missing.
    #[serde(default)]
    within_ms: u64,
}

/// How often a message is to have come.
#[derive(Clone, Copy)]
struct Range {
    least: u64,
    most: Option<u64>,
}

impl Range {
    fn of(verify: &Verify) -> Result<Self, Error> {
        match (verify.times, verify.at_least, verify.at_most) {
            (Some(times), None, None) => Ok(Self {
                least: times,
                most: Some(times),
            }),
            (Some(_), ..) => Err(Error::bad("`times` goes without `at_least` and `at_most`")),
            (None, None, None) => Ok(Self {
                least: 1,
                most: None,
            }),
            (None, least, most) => {
                let least = least.unwrap_or(0);
                if most.is_some_and(|most| most < least) {
                    return Err(Error::bad("`at_most` is less than `at_least`"));
                }
                Ok(Self { least, most })
            }
        }
    }

    fn holds(self, count: u64) -> bool {
        self.least <= count && self.most.is_none_or(|most| count <= most)
    }
}

/// What was found.
#[derive(Serialize)]
struct Verified<'a> {
    passed: bool,
    count: u64,
    at_least: u64,
    at_most: Option<u64>,
    nearest: Option<Nearest<'a>>,
    dropped: u64,
}

#[derive(Serialize)]
struct Nearest<'a> {
    entry: Shown<'a>,
    why: String,
}

/// `POST /verify`
pub(super) async fn verify(
    State(controlled): State<Controlled>,
    Body(verify): Body<Verify>,
) -> Result<Response, Error> {
    let range = Range::of(&verify)?;
    let plan = plan(&verify.pattern)?;
    let filter = Filter {
        client: verify.client.map(ClientId),
        talk: verify.talk,
        direction: Some(Direction::Received),
        ..Filter::default()
    };
    let waiting = Duration::from_millis(verify.within_ms).min(MOST_WAITING);
    let deadline = Instant::now() + waiting;
    let mut newer = controlled.journal.watch();
    let mut search = Search::new(plan, filter);
    loop {
        newer.mark_unchanged();
        let journal = Arc::clone(&controlled.journal);
        // Many messages may be looked at, which others need not wait for.
        let looked = tokio::task::spawn_blocking(move || {
            let mut dropped = 0;
            while search.look(|filter| {
                let page = journal.read(filter, BATCH, usize::MAX);
                dropped = page.dropped;
                page.entries
            }) {}
            (search, dropped)
        });
        let dropped;
        (search, dropped) = match looked.await {
            Ok(looked) => looked,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        // What is too often will not be less often later.
        if search.count < range.least && timeout_at(deadline, newer.changed()).await.is_ok() {
            continue;
        }
        let passed = range.holds(search.count);
        let nearest = search.nearest.filter(|_| search.count < range.least);
        let redactor = controlled.journal.redactor();
        let nearest = nearest.as_ref().map(|(entry, why)| Nearest {
            entry: entry.shown(&redactor),
            why: redactor.text(&describe_mismatch(why)).into_owned(),
        });
        let verified = Verified {
            passed,
            count: search.count,
            at_least: range.least,
            at_most: range.most,
            nearest,
            dropped,
        };
        return Ok(Json(verified).into_response());
    }
}

/// A talk that expects this pattern, and nothing else.
fn plan(pattern: &str) -> Result<Arc<Plan>, Error> {
    let mut lines = pattern.lines();
    let first = lines.next().unwrap_or_default();
    if first.starts_with('<') {
        return Err(Error::bad(
            "only what clients sent can be verified: begin with `>`",
        ));
    }
    // A line at the margin would be another statement.
    let goes_on = |line: &str| line.is_empty() || line.starts_with(['|', ' ', '\t']);
    if !first.starts_with('>') || !lines.all(goes_on) {
        return Err(Error::bad(
            "a pattern is a line as a talk has it: `> {\"op\":\"subscribe\", ...}`; bars and checks may stand under it",
        ));
    }
    // What a client sends is here what comes.
    let text = format!("connect ws://127.0.0.1\n<{}\n", &pattern[1..]);
    let parsed = parse("pattern", &text);
    let wrong = |found: &&Diagnostic| found.is_error();
    // A name that nothing binds would take no message, so that `times: 0` always held.
    let checked = check(&parsed.talk, Role::Test, &[]);
    if let Some(found) = parsed.diagnostics.iter().chain(&checked).find(wrong) {
        let (line, column) = parsed.talk.source().position(found.span.start);
        return Err(Error::bad(format!(
            "the pattern, line {}, column {column}: {}: {}",
            line.saturating_sub(1),
            found.what,
            found.mend
        )));
    }
    Ok(Arc::new(Plan::new(&parsed.talk)))
}

/// Looks for messages that a pattern takes.
struct Search {
    plan: Arc<Plan>,
    setup: Setup,
    filter: Filter,
    count: u64,
    nearest: Option<(Arc<Entry>, Mismatch)>,
}

impl Search {
    fn new(plan: Arc<Plan>, filter: Filter) -> Self {
        Self {
            plan,
            setup: Setup::new(Arc::new(SystemWorld)),
            filter,
            count: 0,
            nearest: None,
        }
    }

    /// Looks at the next entries. Whether there were any.
    fn look(&mut self, read: impl FnOnce(&Filter) -> Vec<Arc<Entry>>) -> bool {
        let entries = read(&self.filter);
        for entry in &entries {
            self.filter.since = Some(Since::Number(entry.number));
            if let EntryKind::Received { frame, .. } = &entry.kind
                && let Some(what) = frame.incoming()
            {
                self.offer(entry, what);
            }
        }
        !entries.is_empty()
    }

    /// Plays a message to the test.
    fn offer(&mut self, entry: &Arc<Entry>, what: Incoming) {
        let mut player = Player::test(Arc::clone(&self.plan), 0, self.setup.clone());
        let mut what = Some(what);
        while let Some(action) = player.poll_action() {
            match action {
                Action::Connect { connection, .. } => {
                    let response = HandshakeResponse {
                        status: 101,
                        ..HandshakeResponse::default()
                    };
                    player.opened(Time::ZERO, connection, &response);
                    if let Some(what) = what.take() {
                        player.received(Time::ZERO, connection, what);
                    }
                }
                Action::Finished(Outcome::Passed { .. }) => {
                    self.count += 1;
                    return;
                }
                Action::Finished(Outcome::Failed(failure)) => {
                    if let Fault::Mismatch { mismatch, .. } = failure.fault {
                        self.compare(entry, mismatch);
                    }
                    return;
                }
                // A pong to a ping, say: there is nobody to send it to.
                _ => {}
            }
        }
    }

    /// Remembers what is at least as near as the nearest so far.
    fn compare(&mut self, entry: &Arc<Entry>, why: Mismatch) {
        let nearest = self.nearest.as_ref();
        if nearest.is_none_or(|(_, nearest)| distance(&why) <= distance(nearest)) {
            self.nearest = Some((Arc::clone(entry), why));
        }
    }
}

/// How far a message is from the pattern: the less, the nearer.
fn distance(mismatch: &Mismatch) -> usize {
    match mismatch {
        Mismatch::Check { .. } | Mismatch::Expression(_) => 0,
        Mismatch::Json(differences) => differences.len(),
        Mismatch::Text(_) => 100,
        Mismatch::NotJson(_) => 200,
        Mismatch::Kind { .. } => 300,
    }
}
