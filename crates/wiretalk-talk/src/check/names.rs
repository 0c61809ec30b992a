//! Which names are bound where, and which are never used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::{Around, Checker, Role};
use crate::diagnostic::closest;
use crate::expression::{BUILT_IN, FUNCTIONS};
use crate::pattern::{HoleKind, Pattern};
use crate::query::{Check, CheckKind};
use crate::source::Span;
use crate::syntax::{Set, SetScope, Statement, StatementKind, Trigger};
use crate::world::World;

/// Names of the language that this version does not know yet.
const LATER: [&str; 3] = ["load", "members", "history"];

/// The names in sight, and what is known of those that the talk captures.
#[derive(Default)]
pub(super) struct Names {
    /// Names that come from outside.
    given: BTreeSet<String>,
    /// Names that the talk binds, in sight here.
    bound: BTreeSet<String>,
    /// Those of `bound` that were bound since the check began, to be forgotten at the end of a body.
    log: Vec<String>,
    /// Where each captured name is first captured, and whether it is used anywhere.
    captured: BTreeMap<String, (Span, bool)>,
}

impl Names {
    pub(super) fn new(given: &[String]) -> Self {
        Self {
            given: given.iter().cloned().collect(),
            ..Self::default()
        }
    }

    pub(super) fn bind(&mut self, name: &str) {
        if self.bound.insert(name.to_owned()) {
            self.log.push(name.to_owned());
        }
    }

    fn bind_set(&mut self, set: &Set) {
        if set.scope == SetScope::Run {
            self.bind(&set.name);
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.contains(name) || self.given.contains(name)
    }

    /// A body begins: what it binds is forgotten by [`Names::leave`].
    pub(super) fn enter(&self) -> usize {
        self.log.len()
    }

    pub(super) fn leave(&mut self, entered: usize) {
        for name in self.log.drain(entered..) {
            self.bound.remove(&name);
        }
    }

    /// A dialogue begins, with nothing in sight but what comes from outside; for a mock, also what its handshake
    /// captures. Gives back what was in sight, for [`Names::end_dialogue`].
    pub(super) fn begin_dialogue(
        &mut self,
        handshake: &[Statement],
    ) -> (BTreeSet<String>, Vec<String>) {
        let before = (
            std::mem::take(&mut self.bound),
            std::mem::take(&mut self.log),
        );
        for statement in handshake {
            self.declare_handshake(statement);
        }
        before
    }

    pub(super) fn end_dialogue(&mut self, before: (BTreeSet<String>, Vec<String>)) {
        (self.bound, self.log) = before;
    }

    /// The names that `on connect` captures or sets.
    fn declare_handshake(&mut self, statement: &Statement) {
        let StatementKind::On(on) = &statement.kind else {
            return;
        };
        let Trigger::Connect { path, headers } = &on.trigger else {
            return;
        };
        let values = headers.iter().map(|header| &header.value);
        for pattern in path.iter().chain(values) {
            for (name, _) in pattern.declares() {
                self.bind(name);
            }
        }
        on.checks.iter().for_each(|check| self.bind_capture(check));
        for line in &on.body {
            if let StatementKind::Set(set) = &line.kind {
                self.bind_set(set);
            }
        }
    }

    /// Every name that is bound anywhere outside the bodies of rules and clocks, and every capture there is.
    pub(super) fn declare_all(&mut self, statements: &[Statement]) {
        // What the lines of a dialogue have captured: the same capture again compares, which is a use.
        let mut before = BTreeSet::new();
        let mut shared = None;
        for statement in statements {
            if let StatementKind::Test(_) = statement.kind {
                before = shared.get_or_insert(before).clone();
            }
            let mut here = Vec::new();
            each_pattern(statement, &mut |pattern, captures| {
                for (name, span) in pattern.declares() {
                    if captures {
                        let first = (span, before.contains(name));
                        let known = self.captured.entry(name.to_owned());
                        known
                            .and_modify(|known| known.1 |= first.1)
                            .or_insert(first);
                        here.push(name.to_owned());
                    }
                }
            });
            each_check(statement, &mut |check| {
                if let CheckKind::Capture { name, .. } = &check.kind {
                    let first = (check.span, false);
                    self.captured.entry(name.clone()).or_insert(first);
                }
            });
            if let StatementKind::Frame(_) | StatementKind::Http(_) = statement.kind {
                before.extend(here);
            }
            each_name(statement, &mut |name| self.mark(name));
            match &statement.kind {
                StatementKind::Set(set) => self.bind_set(set),
                StatementKind::Frame(_) | StatementKind::Http(_) | StatementKind::Connect(_) => {
                    each_pattern(statement, &mut |pattern, _| {
                        for (name, _) in pattern.declares() {
                            self.bind(name);
                        }
                    });
                    each_check(statement, &mut |check| self.bind_capture(check));
                }
                StatementKind::On(_) => self.declare_handshake(statement),
                _ => {}
            }
        }
    }

    fn bind_capture(&mut self, check: &Check) {
        if let CheckKind::Capture { name, .. } = &check.kind {
            self.bind(name);
        }
    }

    fn mark(&mut self, name: &str) {
        if let Some((_, used)) = self.captured.get_mut(name) {
            *used = true;
        }
    }
}

/// A world that gives something for everything: only asked whether a type can make up a value.
struct AnyWorld;

impl World for AnyWorld {
    fn unix_time(&self) -> f64 {
        0.0
    }

    fn local_time(&self, _: &str) -> Result<String, String> {
        Ok("1970-01-01T00:00:00+00:00".into())
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn random(&self) -> u64 {
        1
    }
}

static ANY_WORLD: LazyLock<AnyWorld> = LazyLock::new(|| AnyWorld);

impl Checker {
    /// The holes of a payload that is sent or expected, in their order.
    pub(super) fn pattern(&mut self, pattern: &Pattern, sent: bool) {
        for hole in &pattern.holes {
            match &hole.kind {
                HoleKind::Wildcard(_) => {
                    if let (true, Some(why)) = (sent, hole.cannot_be_sent(&*ANY_WORLD)) {
                        self.error(
                            hole.span,
                            format!("this cannot be sent: {why}"),
                            "give it a name and an example: `{{name=example}}`",
                        );
                    }
                }
                HoleKind::Declare { name, ty, example } => {
                    let made_up = example.is_some()
                        || ty
                            .as_ref()
                            .is_some_and(|ty| ty.fresh(&*ANY_WORLD).is_some());
                    if sent && !made_up && !self.names.is_bound(name) {
                        self.error(
                            hole.span,
                            format!(
                                "this cannot be sent: `{name}` is not bound, and has no example"
                            ),
                            format!("give it one: `{{{{{}=example}}}}`", hole.raw.trim()),
                        );
                    }
                    self.names.bind(name);
                }
                HoleKind::Name(name) => self.used(name, hole.span),
                HoleKind::Expression(expression) => {
                    for name in expression.names() {
                        self.used(name, hole.span);
                    }
                }
            }
        }
    }

    pub(super) fn checks(&mut self, checks: &[Check]) {
        for check in checks {
            for name in check.names() {
                self.used(&name, check.span);
            }
            if let CheckKind::Capture { name, .. } = &check.kind {
                self.names.bind(name);
            }
        }
    }

    pub(super) fn bind_set(&mut self, set: &Set) {
        self.names.bind_set(set);
    }

    fn used(&mut self, name: &str, span: Span) {
        if self.names.is_bound(name) || FUNCTIONS.contains(&name) {
            return;
        }
        if BUILT_IN.contains(&name) {
            if let Some((what, mend)) = self.out_of_place(name) {
                self.error(span, what, mend);
            }
            return;
        }
        if LATER.contains(&name) {
            self.error(
                span,
                format!("`{name}` is not in this version yet"),
                "leave it out",
            );
            return;
        }
        let word = |line: &String| {
            let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
            line.split(|c| !letter(c)).any(|word| word == name)
        };
        if self.broken.iter().any(word) {
            // That line may have been meant to bind it.
            return;
        }
        let known = self.names.bound.iter().chain(&self.names.given);
        let mend = match closest(name, known.map(String::as_str).chain(BUILT_IN)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "bind it before: `set {name} = …`, `--set {name}=…`, or capture it with `{{{{{name}:type}}}}`"
            ),
        };
        self.error(span, format!("`{name}` is not bound here"), mend);
    }

    /// Why a name that is there by itself is not there in this place.
    fn out_of_place(&self, name: &str) -> Option<(&'static str, &'static str)> {
        let clock = matches!(self.around, Around::ClientClock | Around::ServerClock);
        match name {
            "n" if !clock => Some((
                "`n` counts the runs of `every`, and this is not in one",
                "put the line under `every`, or bind a name of your own",
            )),
            "message" if clock || matches!(self.around, Around::Handshake | Around::Settings) => {
                Some((
                    "there is no `message` here: nothing was received",
                    "put the line under `on >`",
                ))
            }
            "client" if self.role == Role::Test => Some((
                "`client` is what a server knows of a client, and a test has none",
                "bind what you need: `set user = alice`",
            )),
            "client" if matches!(self.around, Around::ServerClock | Around::Settings) => Some((
                "there is no `client` here that could be meant",
                "put the line under `on >` or `every … per client`",
            )),
            _ => None,
        }
    }

    /// Captures that nothing looks at.
    pub(super) fn unused(&mut self) {
        let unused: Vec<(String, Span)> = self
            .names
            .captured
            .iter()
            .filter(|(_, (_, used))| !used)
            .map(|(name, (span, _))| (name.clone(), *span))
            .collect();
        for (name, span) in unused {
            self.warning(
                span,
                format!("`{name}` is captured and never used"),
                "write `{{_}}` or `{{_:type}}` if the value does not matter",
            );
        }
    }
}

/// Calls `each` for every payload of a statement and what hangs under it; the flag tells a payload that can capture
/// without having an example, which a sender needs a name for.
fn each_pattern(statement: &Statement, each: &mut dyn FnMut(&Pattern, bool)) {
    match &statement.kind {
        StatementKind::Frame(frame) => {
            for pattern in frame.content.patterns() {
                each(pattern, !has_examples(pattern));
            }
        }
        StatementKind::Connect(connect) => {
            each(&connect.url, false);
            for header in &connect.headers {
                each(&header.value, false);
            }
        }
        StatementKind::Http(http) => {
            for header in &http.headers {
                each(&header.value, !has_examples(&header.value));
            }
            if let Some(body) = &http.body {
                each(body, !has_examples(body));
            }
        }
        StatementKind::Set(set) => each(&set.value, false),
        StatementKind::Listen(url) => each(url, false),
        StatementKind::On(on) => {
            match &on.trigger {
                Trigger::Message { content, .. } => {
                    for pattern in content.patterns() {
                        each(pattern, !has_examples(pattern));
                    }
                }
                Trigger::Connect { path, headers } => {
                    for pattern in path.iter().chain(headers.iter().map(|h| &h.value)) {
                        each(pattern, !has_examples(pattern));
                    }
                }
                Trigger::Open | Trigger::Close => {}
                Trigger::Get { path, headers } => {
                    each(path, !has_examples(path));
                    for header in headers {
                        each(&header.value, !has_examples(&header.value));
                    }
                }
            }
            for line in &on.body {
                each_pattern(line, each);
            }
        }
        StatementKind::Every(every) => {
            for line in &every.body {
                each_pattern(line, each);
            }
        }
        StatementKind::Finally(body) => {
            for line in body {
                each_pattern(line, each);
            }
        }
        _ => {}
    }
}

/// A hole with an example is there for who sends it: nobody need look at what it captures.
fn has_examples(pattern: &Pattern) -> bool {
    pattern.holes.iter().any(|hole| {
        matches!(
            hole.kind,
            HoleKind::Declare {
                example: Some(_),
                ..
            }
        )
    })
}

fn each_check(statement: &Statement, each: &mut dyn FnMut(&Check)) {
    let (checks, body): (&[Check], &[Statement]) = match &statement.kind {
        StatementKind::Frame(frame) => (&frame.checks, &[]),
        StatementKind::Http(http) => (&http.checks, &[]),
        StatementKind::On(on) => (&on.checks, &on.body),
        StatementKind::Every(every) => (&[], &every.body),
        StatementKind::Finally(body) => (&[], body),
        _ => (&[], &[]),
    };
    checks.iter().for_each(&mut *each);
    for line in body {
        each_check(line, each);
    }
}

/// Calls `each` for every name that a statement, or what hangs under it, looks at.
fn each_name(statement: &Statement, each: &mut dyn FnMut(&str)) {
    let mut seen: Vec<String> = Vec::new();
    let mut declared: Vec<String> = Vec::new();
    each_pattern(statement, &mut |pattern, _| {
        for hole in &pattern.holes {
            match &hole.kind {
                HoleKind::Name(name) => seen.push(name.clone()),
                HoleKind::Expression(expression) => seen.extend_from_slice(expression.names()),
                // The same capture again compares: that is a use.
                HoleKind::Declare { name, .. } => declared.push(name.clone()),
                HoleKind::Wildcard(_) => {}
            }
        }
    });
    each_check(statement, &mut |check| seen.extend(check.names()));
    for name in &seen {
        each(name);
    }
    declared.sort();
    for pair in declared.windows(2) {
        if pair[0] == pair[1] {
            each(&pair[0]);
        }
    }
}
