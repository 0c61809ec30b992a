//! What is wrong with a talk although every line of it can be read: a name that nobody binds, a line that cannot be
//! played in its role, a test that could not fail.

mod names;
mod speech;

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, closest};
use crate::pattern::Pattern;
use crate::player::Plan;
use crate::source::Span;
use crate::syntax::{
    Arrow, Content, Frame, Header, Http, On, SetScope, Statement, StatementKind, Talk, Trigger, Who,
};
use names::Names;
use speech::Speech;

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
        names: Names::new(given),
        around: Around::Dialogue,
        clients: BTreeSet::new(),
        broken: talk
            .broken
            .iter()
            .map(|line| talk.source.line(*line).to_owned())
            .collect(),
        diagnostics: Vec::new(),
    };
    checker.talk(talk, plan, parts);
    let mut diagnostics = checker.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.dedup();
    diagnostics
}

struct Checker {
    role: Role,
    names: Names,
    /// What surrounds the line at hand.
    around: Around,
    /// The names of clients.
    clients: BTreeSet<String>,
    /// The lines that were not understood: they may connect, expect, and bind names.
    broken: Vec<String>,
    diagnostics: Vec<Diagnostic>,
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
}

impl Checker {
    fn error(&mut self, span: Span, what: impl Into<String>, mend: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(span, what, mend));
    }

    fn warning(&mut self, span: Span, what: impl Into<String>, mend: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(span, what, mend));
    }

    fn ours(&self, arrow: Arrow) -> bool {
        (arrow == Arrow::ToServer) == (self.role == Role::Test)
    }

    fn talk(&mut self, talk: &Talk, plan: &Plan, parts: &[usize]) {
        self.clients = talk
            .statements
            .iter()
            .filter_map(|statement| match &statement.kind {
                StatementKind::Connect(connect) => connect.name.clone(),
                _ => None,
            })
            .collect();
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
            match &step.kind {
                StatementKind::Connect(connect) => speech.connect(connect.name.as_deref()),
                StatementKind::Frame(frame) => {
                    self.who(step.span, frame, &mut speech);
                    if last_close.is_some_and(|close| close > index) {
                        self.closing_word(step.span, frame);
                    }
                }
                StatementKind::Silence {
                    who: Some(Who::Name(name)),
                    ..
                } if self.broken.is_empty() => self.known_client(step.span, name, &speech),
                StatementKind::Http(_) if self.broken.is_empty() => {
                    let before = index.checked_sub(1).map(|before| &steps[before].kind);
                    if !matches!(before, Some(StatementKind::Connect(_))) {
                        self.error(
                            step.span,
                            "`HTTP` is the answer to a handshake, and none stands right before it",
                            "put it right under its `connect`, without indentation",
                        );
                    }
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
            frame.arrow == Arrow::ToServer && !matches!(frame.who, Some(Who::All | Who::Others));
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

    /// The blocks beside the dialogue.
    fn rules(&mut self, statements: &[Statement]) {
        let mut taken = Taken::default();
        // What holds for every test holds before the rules of each.
        let mut shared = None;
        for statement in statements {
            let entered = self.names.enter();
            match &statement.kind {
                StatementKind::On(on) => {
                    self.shadowed(statement.span, on, &mut taken);
                    self.rule(on);
                }
                StatementKind::Every(every) => {
                    self.around = if every.per_client || self.role == Role::Test {
                        Around::ClientClock
                    } else {
                        Around::ServerClock
                    };
                    every.body.iter().for_each(|line| self.statement(line));
                }
                StatementKind::Finally(body) if self.role == Role::Test => {
                    self.around = Around::Finally;
                    body.iter().for_each(|line| self.statement(line));
                }
                StatementKind::Listen(url) => {
                    self.around = Around::Settings;
                    self.pattern(url, true);
                }
                StatementKind::Test(_) => taken = *shared.get_or_insert(taken),
                _ => {}
            }
            self.names.leave(entered);
        }
    }

    fn rule(&mut self, on: &On) {
        match &on.trigger {
            Trigger::Message { arrow, content } if !self.ours(*arrow) => {
                self.around = Around::Rule;
                self.content(content, false);
            }
            Trigger::Connect { path, headers } if self.role == Role::Mock => {
                self.around = Around::Handshake;
                self.handshake_patterns(path.as_ref(), headers);
                self.answers(&on.body, false);
            }
            Trigger::Get { path, headers } if self.role == Role::Mock => {
                self.around = Around::Handshake;
                self.handshake_patterns(Some(path), headers);
                self.answers(&on.body, true);
            }
            _ => return,
        }
        self.checks(&on.checks);
        on.body.iter().for_each(|line| self.statement(line));
    }

    /// The answer of `on connect` or `on GET`.
    fn answers(&mut self, body: &[Statement], plain: bool) {
        let mut answered = false;
        for line in body {
            let StatementKind::Http(http) = &line.kind else {
                continue;
            };
            if answered {
                self.error(
                    line.span,
                    "a request is answered once, and this is the second answer",
                    "put the other answer under a rule of its own",
                );
            }
            if plain && http.status == 101 {
                self.error(
                    line.span,
                    "a plain request asks for no upgrade, so 101 is no answer to it",
                    "write another status: `HTTP 200`",
                );
            }
            answered = true;
        }
    }

    /// A rule that another one above it leaves nothing to do.
    fn shadowed(&mut self, span: Span, on: &On, taken: &mut Taken) {
        let bare = on.checks.is_empty();
        let (reached, what) = match &on.trigger {
            Trigger::Message { arrow, content } if !self.ours(*arrow) => {
                let before = *taken;
                if bare {
                    taken.texts |= takes_every_text(content);
                    taken.binaries |= matches!(content, Content::Any);
                }
                match content {
                    Content::Text(_) => (!before.texts, "every text message"),
                    Content::Binary(_) => (!before.binaries, "every message"),
                    Content::Any => (!before.binaries || !before.texts, "every message"),
                    _ => (true, ""),
                }
            }
            Trigger::Connect { path, headers } if self.role == Role::Mock => {
                let before = taken.connects;
                taken.connects |= bare && path.is_none() && headers.is_empty();
                (!before, "every handshake")
            }
            _ => (true, ""),
        };
        if !reached {
            self.warning(
                span,
                format!("this rule is never reached: a rule above it takes {what}"),
                "put it above that rule; the first rule that matches wins",
            );
        }
    }

    fn handshake_patterns(&mut self, path: Option<&Pattern>, headers: &[Header]) {
        for pattern in path.into_iter().chain(headers.iter().map(|h| &h.value)) {
            self.pattern(pattern, false);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let span = statement.span;
        if self.around == Around::Handshake
            && !matches!(
                statement.kind,
                StatementKind::Http(_) | StatementKind::Set(_)
            )
        {
            self.error(
                span,
                "only `HTTP` and `set` can stand here",
                "the connection is not open yet; put frames under `on >`, or into the dialogue",
            );
            return;
        }
        match &statement.kind {
            StatementKind::Frame(frame) => self.frame(span, frame),
            StatementKind::Connect(connect) => {
                // A mock compares the address with what a client asks for: it need not know every name in it.
                if self.role == Role::Test {
                    self.pattern(&connect.url, true);
                }
                for header in &connect.headers {
                    self.pattern(&header.value, self.role == Role::Test);
                }
            }
            StatementKind::Http(http) => self.http(span, http),
            StatementKind::Set(set) => {
                self.pattern(&set.value, true);
                self.bind_set(set);
                let clientless = matches!(self.around, Around::ServerClock | Around::Settings);
                if set.scope == SetScope::Client && (clientless || self.role == Role::Test) {
                    self.error(
                        span,
                        "there is no client here whose value could be set",
                        "put it under `on >` or `on connect` of a mock, or write `set NAME = …`",
                    );
                }
            }
            _ => {}
        }
    }

    fn http(&mut self, span: Span, http: &Http) {
        let sent = self.role == Role::Mock;
        if !matches!(self.around, Around::Dialogue | Around::Handshake) {
            self.error(
                span,
                "`HTTP` is the answer to a handshake or a plain request, and here is none",
                "put it under `on connect`, `on GET` or `connect`",
            );
            return;
        }
        for header in &http.headers {
            self.pattern(&header.value, sent);
        }
        if let Some(body) = &http.body {
            self.pattern(body, sent);
        }
        if self.around == Around::Handshake
            && let Some(check) = http.checks.first()
        {
            self.useless_check(check.span);
        }
        self.checks(&http.checks);
    }

    fn useless_check(&mut self, span: Span) {
        self.warning(
            span,
            "a check under a line that is sent checks nothing",
            "put it under a line that is expected",
        );
    }

    fn frame(&mut self, span: Span, frame: &Frame) {
        let sent = self.ours(frame.arrow);
        if !sent && matches!(self.around, Around::ClientClock | Around::ServerClock) {
            return;
        }
        if self.around == Around::ServerClock {
            self.server_clock(span, frame);
        } else if self.around != Around::Dialogue {
            self.who_beside(span, frame);
        }
        if sent && matches!(frame.content, Content::Any) {
            self.error(
                span,
                "`any` cannot be sent",
                "write the message itself; `any` only stands where a message is expected",
            );
        }
        // The lines of a dialogue that a mock sends are those that a test expects, with checks and all.
        if sent && (self.role == Role::Test || self.around != Around::Dialogue) {
            if let Some(check) = frame.checks.first() {
                self.useless_check(check.span);
            }
            if frame.options.within.is_some() || frame.options.skip {
                self.warning(
                    span,
                    "`within` and `skip` say nothing of a line that is sent",
                    "leave them out",
                );
            }
        }
        self.content(&frame.content, sent);
        self.checks(&frame.checks);
    }

    fn server_clock(&mut self, span: Span, frame: &Frame) {
        let mend = "write `all <`, or `every … per client` for a clock of each client's own";
        match (&frame.who, &frame.content) {
            (None | Some(Who::Name(_)), _) => self.error(
                span,
                "the server's clock has no client to send this to",
                mend,
            ),
            (Some(Who::Others), _) => self.error(
                span,
                "`others` needs a client that it is not, and the server's clock has none",
                mend,
            ),
            (Some(Who::All), Content::Echo) => {
                self.error(span, "nothing was received that could be echoed", mend);
            }
            (Some(Who::All | Who::Room(_) | Who::User(_)), _) => {}
        }
    }

    /// Whom a line beside the dialogue means.
    fn who_beside(&mut self, span: Span, frame: &Frame) {
        if self.around == Around::ClientClock && matches!(frame.content, Content::Echo) {
            self.error(
                span,
                "nothing was received that could be echoed",
                "write the message itself",
            );
        }
        let Some(Who::Name(name)) = &frame.who else {
            return;
        };
        if self.role == Role::Mock {
            self.error(
                span,
                format!("a mock's rules and clocks know no client called `{name}`"),
                "write the arrow alone for the client that it is about, `all` or `others`",
            );
        } else if !self.clients.contains(name) {
            let mend = match closest(name, self.clients.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("open it: `connect {name} ws://…`"),
            };
            self.error(span, format!("there is no client called `{name}`"), mend);
        }
    }

    fn content(&mut self, content: &Content, sent: bool) {
        for pattern in content.patterns() {
            self.pattern(pattern, sent);
        }
    }

    /// A test that could not fail is no test.
    fn vacuous(&mut self, title: &str, span: Span, steps: &[Statement]) {
        let expects = steps.iter().any(|step| match &step.kind {
            StatementKind::Frame(frame) => {
                let all = matches!(frame.content, Content::Any) && frame.checks.is_empty();
                frame.arrow == Arrow::ToClient && !all
            }
            StatementKind::Silence { .. } => true,
            StatementKind::Http(http) => {
                http.status != 101 || !http.headers.is_empty() || !http.checks.is_empty()
            }
            _ => false,
        });
        if !expects {
            self.error(
                span,
                format!("the test `{title}` expects nothing, so it could never fail"),
                "add what must arrive (`< …`), or `silence 500ms` if nothing may",
            );
        }
    }
}

/// What rules above leave nothing of to those below.
#[derive(Clone, Copy, Default)]
struct Taken {
    texts: bool,
    binaries: bool,
    connects: bool,
}

fn takes_every_text(content: &Content) -> bool {
    match content {
        Content::Any => true,
        Content::Text(pattern) => pattern.matches_everything(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
