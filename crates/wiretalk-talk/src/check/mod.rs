//! What is wrong with a talk although every line of it can be read: a name that nobody binds, a line that cannot be
//! played in its role, a test that could not fail.

mod names;

use crate::diagnostic::{Diagnostic, closest};
use crate::player::Plan;
use crate::source::Span;
use crate::syntax::{Arrow, Content, Frame, Statement, StatementKind, Talk, Trigger, Who};
use names::Names;

/// The role that a talk is to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We are the clients.
    Test,
    /// We are the server.
    Mock,
}

/// Looks a talk over for a role. `given` are the names that come from outside (`--set`).
#[must_use]
pub fn check(talk: &Talk, role: Role, given: &[String]) -> Vec<Diagnostic> {
    let mut checker = Checker {
        role,
        names: Names::new(given),
        diagnostics: Vec::new(),
    };
    checker.talk(talk);
    let mut diagnostics = checker.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.dedup();
    diagnostics
}

struct Checker {
    role: Role,
    names: Names,
    diagnostics: Vec<Diagnostic>,
}

/// What surrounds a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// A dialogue, or `finally`.
    Dialogue,
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

    fn talk(&mut self, talk: &Talk) {
        // Rules run at any time, so what is bound anywhere in the dialogue may be bound when they do.
        self.names.declare_all(&talk.statements);
        self.rules(&talk.statements);
        self.unused();
        let plan = Plan::new(talk);
        let parts: Vec<usize> = match self.role {
            Role::Test => plan.tests().map(|(index, ..)| index).collect(),
            Role::Mock => plan.served_by_default().into_iter().collect(),
        };
        for index in parts {
            self.dialogue(&plan.parts[index].steps);
            if self.role == Role::Test {
                let part = &plan.parts[index];
                let span = if part.named {
                    part.span
                } else {
                    part.steps.first().map(|step| step.span).unwrap_or_default()
                };
                self.vacuous(&part.title, span, &part.steps);
            }
        }
        if self.role == Role::Test && plan.tests().next().is_none() {
            self.error(
                Span::default(),
                "there is nothing to test in this talk",
                "a test begins with `connect ws://…`; to play the server, run `wiretalk serve`",
            );
        }
    }

    /// A dialogue, line by line: names are bound by the lines before.
    fn dialogue(&mut self, steps: &[Statement]) {
        let mut names = self.names.before_dialogue(steps, self.role);
        std::mem::swap(&mut self.names, &mut names);
        let mut connected: Vec<Option<&str>> = Vec::new();
        for step in steps {
            if let StatementKind::Connect(connect) = &step.kind {
                connected.push(connect.name.as_deref());
            }
            if let StatementKind::Frame(frame) = &step.kind {
                self.who(step.span, frame, &connected);
                let word = |pattern: &crate::pattern::Pattern| pattern.raw.trim() == "close";
                let plain = matches!(&frame.content, Content::Text(p) if word(p) && p.typed());
                if plain && frame.arrow == Arrow::ToServer {
                    self.closing_word(step.span, steps);
                }
            }
            self.statement(step, Around::Dialogue);
        }
        std::mem::swap(&mut self.names, &mut names);
    }

    /// `> close` is a text, and a `<close` behind it makes one wonder.
    fn closing_word(&mut self, span: Span, steps: &[Statement]) {
        let close_follows =
            steps
                .iter()
                .skip_while(|step| step.span <= span)
                .any(|step| match &step.kind {
                    StatementKind::Frame(frame) => matches!(frame.content, Content::Close { .. }),
                    _ => false,
                });
        if close_follows {
            self.warning(
                span,
                "`> close` sends the word `close`, not a close frame",
                "write `>close` for the close frame, or `>text close` if the word is meant",
            );
        }
    }

    /// Whom a line of a dialogue means.
    fn who(&mut self, span: Span, frame: &Frame, connected: &[Option<&str>]) {
        let named: Vec<&str> = connected.iter().flatten().copied().collect();
        if self.role == Role::Mock && connected.is_empty() {
            return;
        }
        match &frame.who {
            _ if connected.is_empty() => self.error(
                span,
                "there is no connection yet",
                "put `connect ws://…` before this line",
            ),
            Some(Who::Name(name)) if !named.contains(&name.as_str()) => {
                let mend = match closest(name, named.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("open it first: `connect {name} ws://…`"),
                };
                self.error(span, format!("there is no client called `{name}`"), mend);
            }
            None if named.len() > 1 && !connected.contains(&None) => self.error(
                span,
                "there are several clients, and this line does not say which it means",
                format!(
                    "put a name before the arrow: `{} {}`",
                    named[0],
                    frame.arrow.sign()
                ),
            ),
            _ => {}
        }
    }

    /// The blocks beside the dialogue.
    fn rules(&mut self, statements: &[Statement]) {
        let mut broader: Option<Span> = None;
        for statement in statements {
            match &statement.kind {
                StatementKind::On(on) => {
                    let mut names = self.names.clone();
                    std::mem::swap(&mut self.names, &mut names);
                    let around = match &on.trigger {
                        Trigger::Message { arrow, content } if !self.ours(*arrow) => {
                            if let Some(broader) = broader {
                                self.shadowed(statement.span, broader);
                            }
                            if on.checks.is_empty() && takes_every_text(content) {
                                broader = broader.or(Some(statement.span));
                            }
                            self.content(statement.span, content, false, Around::Rule);
                            Some(Around::Rule)
                        }
                        Trigger::Message { .. } => None,
                        Trigger::Connect { path, headers } => {
                            self.handshake_patterns(path.as_ref(), headers);
                            (self.role == Role::Mock).then_some(Around::Handshake)
                        }
                        Trigger::Get { path, headers } => {
                            self.handshake_patterns(Some(path), headers);
                            (self.role == Role::Mock).then_some(Around::Handshake)
                        }
                    };
                    if let Some(around) = around {
                        self.checks(&on.checks);
                        for line in &on.body {
                            self.statement(line, around);
                        }
                    }
                    std::mem::swap(&mut self.names, &mut names);
                    self.names.take_uses(&names);
                }
                StatementKind::Every(every) => {
                    let around = if every.per_client || self.role == Role::Test {
                        Around::ClientClock
                    } else {
                        Around::ServerClock
                    };
                    for line in &every.body {
                        self.statement(line, around);
                    }
                }
                StatementKind::Finally(body) if self.role == Role::Test => {
                    for line in body {
                        self.statement(line, Around::Dialogue);
                    }
                }
                StatementKind::Listen(url) => self.pattern(url, true),
                StatementKind::Test(_) => broader = None,
                _ => {}
            }
        }
    }

    fn shadowed(&mut self, span: Span, _broader: Span) {
        self.warning(
            span,
            "this rule is never reached: a rule above it takes every text message",
            "put it above that rule; the first rule that matches wins",
        );
    }

    fn handshake_patterns(
        &mut self,
        path: Option<&crate::pattern::Pattern>,
        headers: &[crate::syntax::Header],
    ) {
        if self.role == Role::Mock {
            for pattern in path.into_iter().chain(headers.iter().map(|h| &h.value)) {
                self.pattern(pattern, false);
            }
        }
    }

    fn statement(&mut self, statement: &Statement, around: Around) {
        let span = statement.span;
        if around == Around::Handshake
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
            StatementKind::Frame(frame) => self.frame(span, frame, around),
            StatementKind::Connect(connect) => {
                // A mock compares the address with what a client asks for: it need not know every name in it.
                if self.role == Role::Test {
                    self.pattern(&connect.url, true);
                }
                for header in &connect.headers {
                    self.pattern(&header.value, self.role == Role::Test);
                }
            }
            StatementKind::Http(http) => {
                let sent = self.role == Role::Mock;
                for header in &http.headers {
                    self.pattern(&header.value, sent);
                }
                if let Some(body) = &http.body {
                    self.pattern(body, sent);
                }
                self.checks(&http.checks);
            }
            StatementKind::Set(set) => {
                self.pattern(&set.value, true);
                self.names.bind(&set.name);
            }
            _ => {}
        }
    }

    fn frame(&mut self, span: Span, frame: &Frame, around: Around) {
        let sent = self.ours(frame.arrow);
        if !sent && matches!(around, Around::ClientClock | Around::ServerClock) {
            return;
        }
        if around == Around::ServerClock {
            let mend = "write `all <`, or `every … per client` for a clock of each client's own";
            match (&frame.who, &frame.content) {
                (None | Some(Who::Name(_)), _) => {
                    self.error(
                        span,
                        "the server's clock has no client to send this to",
                        mend,
                    );
                }
                (Some(Who::Others), _) => self.error(
                    span,
                    "`others` needs a client that it is not, and the server's clock has none",
                    mend,
                ),
                (_, Content::Echo) => {
                    self.error(span, "nothing was received that could be echoed", mend);
                }
                _ => {}
            }
        }
        if sent && matches!(frame.content, Content::Any) {
            self.error(
                span,
                "`any` cannot be sent",
                "write the message itself; `any` only stands where a message is expected",
            );
        }
        if sent && !frame.checks.is_empty() {
            self.warning(
                frame.checks[0].span,
                "a check under a line that is sent checks nothing",
                "put it under a line that is expected",
            );
        }
        if sent && (frame.options.within.is_some() || frame.options.skip) {
            self.warning(
                span,
                "`within` and `skip` say nothing of a line that is sent",
                "leave them out",
            );
        }
        self.content(span, &frame.content, sent, around);
        self.checks(&frame.checks);
    }

    fn content(&mut self, _span: Span, content: &Content, sent: bool, _around: Around) {
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

fn takes_every_text(content: &Content) -> bool {
    match content {
        Content::Any => true,
        Content::Text(pattern) => pattern.matches_everything(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
