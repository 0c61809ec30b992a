//! Which names are bound where, and which are never used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::walk::{each_check, each_field, each_name, each_pattern, each_statement};
use super::{Around, Checker, Role};
use crate::diagnostic::closest;
use crate::expression::{BUILT_IN, Expression, FUNCTIONS, OF_ROOMS};
use crate::pattern::{HoleKind, Pattern};
use crate::query::{Check, CheckKind};
use crate::source::Span;
use crate::syntax::{Set, SetScope, Statement, StatementKind, Trigger};
use crate::world::World;

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
    /// The same of what `set` binds, with the field for those of a client or of the whole: `client.x`.
    set: BTreeMap<String, (Span, bool)>,
}

impl Names {
    pub(super) fn new(given: &[String]) -> Self {
        Self {
            given: given.iter().cloned().collect(),
            ..Self::default()
        }
    }

    /// A name comes from outside.
    pub(super) fn give(&mut self, name: &str) {
        if !self.given.contains(name) {
            self.given.insert(name.to_owned());
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

    pub(super) fn is_bound(&self, name: &str) -> bool {
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
        each_statement(statements, &mut |statement| {
            if let StatementKind::Set(set) = &statement.kind {
                let name = match set.scope {
                    SetScope::Run => set.name.clone(),
                    SetScope::Client => format!("client.{}", set.name),
                    SetScope::Global => format!("global.{}", set.name),
                };
                self.set.entry(name).or_insert((statement.span, false));
            }
        });
        // What the lines of a dialogue have captured, or is given: the same capture again compares, which is a use.
        let mut before = self.given.clone();
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
            if is_line(statement) {
                before.extend(here);
            }
            each_name(statement, &mut |name| self.mark(name));
            each_field(statement, &mut |field| {
                // `client.query.x` is not the `x` that somebody set.
                self.mark(first_field(field));
            });
            match &statement.kind {
                StatementKind::Set(set) => self.bind_set(set),
                StatementKind::On(_) => self.declare_handshake(statement),
                _ if is_line(statement) => {
                    each_pattern(statement, &mut |pattern, _| {
                        for (name, _) in pattern.declares() {
                            self.bind(name);
                        }
                    });
                    each_check(statement, &mut |check| self.bind_capture(check));
                    each_statement(std::slice::from_ref(statement), &mut |line| {
                        let content = line.kind.content().into_iter();
                        content
                            .flat_map(crate::syntax::Content::groups)
                            .for_each(|group| self.bind(group));
                    });
                }
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
        for known in [&mut self.captured, &mut self.set] {
            if let Some((_, used)) = known.get_mut(name) {
                *used = true;
            }
        }
    }
}

/// Whether a statement is a line of a dialogue that can capture.
fn is_line(statement: &Statement) -> bool {
    matches!(
        statement.kind,
        StatementKind::Frame(_)
            | StatementKind::Http(_)
            | StatementKind::Connect(_)
            | StatementKind::Unordered(_)
    )
}

/// `client.query` of `client.query.x`.
fn first_field(path: &str) -> &str {
    let second = path.match_indices('.').nth(1);
    second.map_or(path, |(at, _)| &path[..at])
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
                HoleKind::Expression(expression) => self.expression(expression, hole.span),
            }
        }
    }

    pub(super) fn checks(&mut self, checks: &[Check]) {
        for check in checks {
            for expression in check.expressions() {
                self.expression(expression, check.span);
            }
            if let CheckKind::Capture { name, .. } = &check.kind {
                self.names.bind(name);
            }
        }
    }

    fn expression(&mut self, expression: &Expression, span: Span) {
        for name in expression.names() {
            self.used(name, span);
        }
        if expression.has_default() {
            return;
        }
        for field in expression.fields() {
            self.field(first_field(field), span);
        }
    }

    /// A field of one of the names that are there by themselves.
    fn field(&mut self, field: &str, span: Span) {
        let Some((of, name)) = field.split_once('.') else {
            return;
        };
        let own: &[&str] = match of {
            "client" if self.role == Role::Mock => {
                &["id", "ip", "path", "query", "header", "rooms", "token"]
            }
            "server" => &["clients"],
            "load" => &["user", "iteration"],
            "global" => &[],
            _ => return,
        };
        let prefix = format!("{of}.");
        if self.names.is_bound(of)
            || own.contains(&name)
            || self.fields.contains(field)
            || !self.broken.is_empty()
            || self.is_full()
        {
            return;
        }
        let set = self
            .fields
            .iter()
            .filter_map(|known| known.strip_prefix(&prefix));
        let mend = match closest(name, own.iter().copied().chain(set)) {
            Some(near) => format!("did you mean `{of}.{near}`?"),
            None if matches!(of, "client" | "global") => {
                format!(
                    "set it: `set {field} = …`; or say what holds without it: `{{{{ {field}|default(\"\") }}}}`"
                )
            }
            None => format!(
                "there is {}",
                own.iter()
                    .map(|own| format!("`{of}.{own}`"))
                    .collect::<Vec<_>>()
                    .join(" and ")
            ),
        };
        self.error(span, format!("`{field}` is not known here"), mend);
    }

    pub(super) fn bind_set(&mut self, set: &Set) {
        self.names.bind_set(set);
    }

    fn used(&mut self, name: &str, span: Span) {
        if self.names.is_bound(name) || FUNCTIONS.contains(&name) {
            return;
        }
        if BUILT_IN.contains(&name) || OF_ROOMS.contains(&name) {
            if let Some((what, mend)) = self.out_of_place(name) {
                self.error(span, what, mend);
            }
            return;
        }
        // A line that was not understood may have been meant to bind it, and so may be the column of a file.
        if self.loose || self.broken.contains(name) {
            return;
        }
        if self.is_full() {
            self.more += 1;
            return;
        }
        let known = self.names.bound.iter().chain(&self.names.given);
        let mend = match closest(
            name,
            known.map(String::as_str).chain(BUILT_IN).chain(OF_ROOMS),
        ) {
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
            "n" if !clock && self.repeats == 0 => Some((
                "`n` counts the runs of `every` and `repeat`, and this is in neither",
                "put the line under `every` or `repeat`, or bind a name of your own",
            )),
            "message"
                if clock
                    || matches!(
                        self.around,
                        Around::Handshake
                            | Around::Settings
                            | Around::Open
                            | Around::Close
                            | Around::Lost
                    ) =>
            {
                Some((
                    "there is no `message` here: nothing was received",
                    "put the line under `on >`",
                ))
            }
            "members" if self.role == Role::Test => Some((
                "`members` is what a server knows of a room, and a test has none",
                "look at what arrives",
            )),
            "history" | "offset" | "epoch" if self.role == Role::Test => Some((
                "what a room has heard is known to a server, and a test has none",
                "look at what arrives",
            )),
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

    /// Captures and variables that nothing looks at.
    pub(super) fn unused(&mut self) {
        let unused =
            |(name, (span, used)): (&String, &(Span, bool))| (!used).then(|| (name.clone(), *span));
        let captured: Vec<_> = self.names.captured.iter().filter_map(unused).collect();
        let set: Vec<_> = self.names.set.iter().filter_map(unused).collect();
        for (name, span) in captured {
            self.warning(
                span,
                format!("`{name}` is captured and never used"),
                "write `{{_}}` or `{{_:type}}` if the value does not matter",
            );
        }
        for (name, span) in set {
            self.warning(
                span,
                format!("`{name}` is set and never used"),
                format!("leave it out, or use it: `{{{{{name}}}}}`"),
            );
        }
    }
}
