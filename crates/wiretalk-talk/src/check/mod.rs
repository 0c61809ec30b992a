//! What is wrong with a talk although every line of it can be read: a name that nobody binds, a line that cannot be
//! played in its role, a test that could not fail.

mod lines;
mod names;
mod rules;
mod speech;
pub(crate) mod walk;

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, MOST_FINDINGS, closest};
use crate::pattern::Pattern;
use crate::player::Plan;
use crate::source::Span;
use crate::syntax::{
    Arrow, Content, ErrorKind, Frame, SetScope, Statement, StatementKind, Talk, Who,
};
use names::Names;
use speech::Speech;
use walk::each_statement;

/// The role that a talk is to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We are the clients.
    Test,
    /// We are the server.
    Mock,
}

/// Looks a talk over for a role. `given` are the names that come from outside (`--set`).
///
/// Of a talk with lines that were not understood it tells what is wrong whatever those lines were meant to say.
#[must_use]
pub fn check(talk: &Talk, role: Role, given: &[String]) -> Vec<Diagnostic> {
    let plan = Plan::new(talk);
    let parts: Vec<usize> = match role {
        Role::Test => plan.dialogues().collect(),
        Role::Mock => plan.served_by_default().into_iter().collect(),
    };
    check_parts(talk, &plan, role, &parts, given)
}

/// Looks a talk over for a mock that plays the dialogue of `part`, an index that [`Plan::test_named`] gave.
#[must_use]
pub fn check_served(talk: &Talk, part: Option<usize>, given: &[String]) -> Vec<Diagnostic> {
    check_parts(talk, &Plan::new(talk), Role::Mock, part.as_slice(), given)
}

fn check_parts(
    talk: &Talk,
    plan: &Plan,
    role: Role,
    parts: &[usize],
    given: &[String],
) -> Vec<Diagnostic> {
    let mut checker = Checker {
        role,
        newline: match talk.source.text().find('\n') {
            Some(at) if talk.source.text()[..at].ends_with('\r') => 2,
            _ => 1,
        },
        names: Names::new(given),
        around: Around::Dialogue,
        repeats: 0,
        clients: BTreeSet::new(),
        joins: false,
        identifies: false,
        fields: BTreeSet::new(),
        loose: false,
        broken: talk
            .broken
            .iter()
            .flat_map(|line| words(talk.source.line(*line)))
            .map(str::to_owned)
            .collect(),
        diagnostics: Vec::new(),
        comparisons: 0,
        more: 0,
    };
    checker.talk(talk, plan, parts);
    let mut diagnostics = checker.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.dedup();
    diagnostics.extend(Diagnostic::and_more(checker.more, talk.source.text().len()));
    diagnostics
}

/// The words of a line: letters, digits and underscores.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.split(move |c| !letter(c))
        .filter(|word| !word.is_empty())
}

struct Checker {
    role: Role,
    /// Bytes of a line's end.
    newline: usize,
    names: Names,
    /// What surrounds the line at hand.
    around: Around,
    /// How many `repeat`s surround it.
    repeats: usize,
    /// The names of clients.
    clients: BTreeSet<String>,
    /// Whether a line puts clients into rooms, and whether one says which users they are.
    joins: bool,
    identifies: bool,
    /// The fields that `set` gives to clients and to the whole: `client.x`, `global.y`.
    fields: BTreeSet<String>,
    /// Whether names may be bound that nobody knows of here: the columns of a file that was not read.
    loose: bool,
    /// The words of lines that were not understood: they may connect, expect, and bind names.
    broken: BTreeSet<String>,
    diagnostics: Vec<Diagnostic>,
    /// How often a rule was compared with another one.
    comparisons: usize,
    /// Findings beyond those that are kept.
    more: usize,
}

/// What surrounds a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// A dialogue.
    Dialogue,
    /// `finally`.
    Finally,
    /// The `set` lines that a mock runs at its start: there is no client.
    Settings,
    /// A rule's body: there is a client, and a message.
    Rule,
    /// A client's own clock.
    ClientClock,
    /// The server's clock: there is no client.
    ServerClock,
    /// `on connect` and `on GET`: nothing but an answer.
    Handshake,
    /// `on open`: there is a client, and no message.
    Open,
    /// `on close`: there is a client that nothing can be sent to.
    Close,
    /// `on lost`: there is a client, no message, and `lost`.
    Lost,
}

impl Checker {
    fn error(&mut self, span: Span, what: impl Into<String>, mend: impl Into<String>) {
        self.push(Diagnostic::error(span, what, mend));
    }

    fn warning(&mut self, span: Span, what: impl Into<String>, mend: impl Into<String>) {
        self.push(Diagnostic::warning(span, what, mend));
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MOST_FINDINGS {
            self.diagnostics.push(diagnostic);
        } else {
            self.more += 1;
        }
    }

    /// Whether what is found from now on is only counted.
    fn is_full(&self) -> bool {
        self.diagnostics.len() >= MOST_FINDINGS
    }

    fn ours(&self, arrow: Arrow) -> bool {
        (arrow == Arrow::ToServer) == (self.role == Role::Test)
    }

    fn talk(&mut self, talk: &Talk, plan: &Plan, parts: &[usize]) {
        each_statement(&talk.statements, &mut |statement| match &statement.kind {
            StatementKind::Connect(connect) => self.clients.extend(connect.name.clone()),
            StatementKind::Join(_) => self.joins = true,
            StatementKind::Identify { .. } => self.identifies = true,
            StatementKind::Set(set) => match set.scope {
                SetScope::Run => {}
                SetScope::Client => {
                    self.fields.insert(format!("client.{}", set.name));
                }
                SetScope::Global => {
                    self.fields.insert(format!("global.{}", set.name));
                }
            },
            StatementKind::Each(name) => match talk.files.rows.get(&name.path) {
                Some(rows) => rows
                    .iter()
                    .flat_map(|row| row.keys())
                    .for_each(|column| self.names.give(column)),
                None => self.loose = true,
            },
            _ => {}
        });
        // Rules run at any time, so what is bound anywhere in the dialogue may be bound when they do.
        self.names.declare_all(&talk.statements);
        self.rules(&talk.statements);
        let whole = self.broken.is_empty();
        if whole {
            self.unused();
        }
        if parts.is_empty() {
            self.dialogue(talk, &plan.settings, plan.settings.len());
        }
        for part in parts.iter().filter_map(|index| plan.parts.get(*index)) {
            self.dialogue(talk, &part.steps, plan.settings.len());
            if self.role == Role::Test && whole {
                let span = if part.named {
                    part.span
                } else {
                    part.steps.first().map(|step| step.span).unwrap_or_default()
                };
                self.vacuous(&part.title, span, &part.steps);
            }
        }
        if self.role == Role::Test && whole && plan.dialogues().next().is_none() {
            self.error(
                Span::default(),
                "there is nothing to test in this talk",
                "a test begins with `connect ws://…`; to play the server, run `wiretalk serve`",
            );
        }
    }

    /// A dialogue, line by line: names are bound by the lines before. The first `settings` of them are run by a mock at
    /// its start.
    fn dialogue(&mut self, talk: &Talk, steps: &[Statement], settings: usize) {
        let handshake: &[Statement] = match self.role {
            Role::Test => &[],
            Role::Mock => &talk.statements,
        };
        let before = self.names.begin_dialogue(handshake);
        let mut speech = Speech::default();
        let last_close = steps.iter().rposition(|step| match &step.kind {
            StatementKind::Frame(frame) => matches!(frame.content, Content::Close { .. }),
            _ => false,
        });
        for (index, step) in steps.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| &steps[before].kind);
            self.whom(step, &mut speech);
            match &step.kind {
                StatementKind::Frame(frame) => {
                    if last_close.is_some_and(|close| close > index) {
                        self.closing_word(step.span, frame);
                    }
                    self.handshake_error(step.span, frame, before);
                }
                StatementKind::Http(_)
                    if self.broken.is_empty()
                        && !matches!(before, Some(StatementKind::Connect(_))) =>
                {
                    self.error(
                        step.span,
                        "`HTTP` is the answer to a handshake, and none stands right before it",
                        "put it right under its `connect`, without indentation",
                    );
                }
                _ => {}
            }
            self.around = match self.role {
                Role::Mock if index < settings => Around::Settings,
                _ => Around::Dialogue,
            };
            self.statement(step);
        }
        self.names.end_dialogue(before);
    }

    /// Whom a line of a dialogue means, and those under it.
    fn whom<'a>(&mut self, step: &'a Statement, speech: &mut Speech<'a>) {
        match &step.kind {
            StatementKind::Connect(connect) => speech.connect(connect.name.as_deref()),
            StatementKind::Frame(frame) => self.who(step.span, frame, speech),
            StatementKind::Silence {
                who: Some(Who::Name(name)),
                ..
            } if self.broken.is_empty() => self.known_client(step.span, name, speech),
            StatementKind::Join(rooms) | StatementKind::Leave(rooms) => {
                self.named(step.span, rooms.who.as_ref(), speech);
            }
            StatementKind::Identify { who, .. } => self.named(step.span, who.as_ref(), speech),
            StatementKind::Unordered(body) => body.iter().for_each(|line| self.whom(line, speech)),
            StatementKind::Repeat(repeat) => {
                repeat.body.iter().for_each(|line| self.whom(line, speech));
            }
            _ => {}
        }
    }

    fn named(&mut self, span: Span, who: Option<&Who>, speech: &Speech<'_>) {
        if let Some(Who::Name(name)) = who
            && self.broken.is_empty()
        {
            self.known_client(span, name, speech);
        }
    }

    /// Errors that only opening a connection can have.
    fn handshake_error(&mut self, span: Span, frame: &Frame, before: Option<&StatementKind>) {
        let opening = matches!(
            frame.content,
            Content::Error(
                ErrorKind::Refused | ErrorKind::Dns | ErrorKind::Tls | ErrorKind::Handshake
            )
        );
        let answered = matches!(
            before,
            Some(StatementKind::Connect(_) | StatementKind::Http(_))
        );
        if opening && !answered && self.role == Role::Test && self.broken.is_empty() {
            self.error(
                span,
                "this error is one of opening a connection, and no `connect` stands right before it",
                "put it right under its `connect`, without indentation",
            );
        }
    }

    /// `> close` is a text, and a `<close` behind it makes one wonder.
    fn closing_word(&mut self, span: Span, frame: &Frame) {
        let word = |pattern: &Pattern| pattern.raw.trim() == "close" && pattern.typed();
        if frame.arrow == Arrow::ToServer && matches!(&frame.content, Content::Text(p) if word(p)) {
            self.warning(
                span,
                "`> close` sends the word `close`, not a close frame",
                "write `>close` for the close frame, or `>text close` if the word is meant",
            );
        }
    }

    /// Whom a line of a dialogue means.
    fn who<'a>(&mut self, span: Span, frame: &'a Frame, speech: &mut Speech<'a>) {
        if (self.role == Role::Mock && !speech.connected) || !self.broken.is_empty() {
            return;
        }
        match &frame.who {
            _ if !speech.connected => self.error(
                span,
                "there is no connection yet",
                "put `connect ws://…` before this line",
            ),
            Some(Who::Name(name)) => self.known_client(span, name, speech),
            Some(Who::Others) if !speech.spoke && self.role == Role::Test => self.error(
                span,
                "`others` are all but the client that spoke last, and none has spoken yet",
                "put a `>` line before it, or write `all`",
            ),
            None if speech.names.len() > 1 && !speech.nameless => {
                let first = speech.names.first().copied().unwrap_or_default();
                self.error(
                    span,
                    "there are several clients, and this line does not say which it means",
                    format!(
                        "put a name before the arrow: `{first} {}`",
                        frame.arrow.sign()
                    ),
                );
            }
            _ => {}
        }
        speech.spoke |=
            frame.arrow == Arrow::ToServer && matches!(frame.who, None | Some(Who::Name(_)));
    }

    fn known_client(&mut self, span: Span, name: &str, speech: &Speech<'_>) {
        if speech.names.contains(name) || (self.role == Role::Mock && !speech.connected) {
            return;
        }
        let mend = match closest(name, speech.names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("open it first: `connect {name} ws://…`"),
        };
        self.error(span, format!("there is no client called `{name}`"), mend);
    }

    /// A test that could not fail is no test.
    fn vacuous(&mut self, title: &str, span: Span, steps: &[Statement]) {
        if !steps.iter().any(can_fail) {
            self.error(
                span,
                format!("the test `{title}` expects nothing, so it could never fail"),
                "add what must arrive (`< …`), or `silence 500ms` if nothing may",
            );
        }
    }
}

/// Whether a line asks for something that might not be so.
fn can_fail(step: &Statement) -> bool {
    match &step.kind {
        StatementKind::Frame(frame) => {
            let all = matches!(frame.content, Content::Any) && frame.checks.is_empty();
            let unseen = matches!(frame.content, Content::Stall(_));
            let none =
                frame.options.optional || frame.options.count.is_some_and(|count| count.least == 0);
            frame.arrow == Arrow::ToClient && !all && !unseen && !none
        }
        StatementKind::Silence { .. } => true,
        StatementKind::Http(http) => {
            http.status != 101 || !http.headers.is_empty() || !http.checks.is_empty()
        }
        StatementKind::Unordered(body) => body.iter().any(can_fail),
        StatementKind::Repeat(repeat) => repeat.body.iter().any(can_fail),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
