//! The blocks beside the dialogue: rules, clocks, `finally`; and which rules are never reached.

use super::{Around, Checker, Role};
use crate::pattern::Pattern;
use crate::source::Span;
use crate::syntax::{Content, Data, Header, On, Statement, StatementKind, Trigger};

/// Rules that one is compared with: with more of them before it, only those are looked at.
const MOST_COMPARED: usize = 500;
/// Comparisons of rules in one talk: beyond them nobody asks any more which are never reached.
const MOST_COMPARISONS: usize = 2_000_000;

/// What rules above leave nothing of to those below.
#[derive(Clone, Default)]
struct Taken<'a> {
    /// What the rules without guards wait for.
    messages: Vec<&'a Content>,
    connects: bool,
}

impl Checker {
    /// A rule without a body, and right below it an answer at the margin, which is then a line of the dialogue.
    fn forgotten(&mut self, span: Span, on: &On, below: Option<&Statement>) {
        let (Trigger::Message { arrow, .. }, Some(below)) = (&on.trigger, below) else {
            return;
        };
        let StatementKind::Frame(frame) = &below.kind else {
            return;
        };
        let adjoins = below.span.start.saturating_sub(span.end) <= self.newline;
        if adjoins && on.body.is_empty() && on.checks.is_empty() && frame.arrow != *arrow {
            self.warning(
                below.span,
                "this line is not of the rule above it, but of the dialogue",
                "indent it by two spaces if the rule is to send it; else put a blank line between",
            );
        }
    }

    /// The blocks beside the dialogue.
    pub(super) fn rules(&mut self, statements: &[Statement]) {
        let mut taken = Taken::default();
        // What holds for every test holds before the rules of each.
        let mut shared = None;
        for (index, statement) in statements.iter().enumerate() {
            let entered = self.names.enter();
            match &statement.kind {
                StatementKind::On(on) => {
                    self.forgotten(statement.span, on, statements.get(index + 1));
                    self.shadowed(statement.span, on, &mut taken);
                    self.rule(statement.span, on);
                }
                StatementKind::Every(every) => {
                    self.around = if every.per_client || self.role == Role::Test {
                        Around::ClientClock
                    } else {
                        Around::ServerClock
                    };
                    self.body(&every.body);
                }
                StatementKind::Finally(body) if self.role == Role::Test => {
                    self.around = Around::Finally;
                    self.body(body);
                }
                StatementKind::Listen(url) => {
                    self.around = Around::Settings;
                    self.pattern(url, true);
                }
                StatementKind::Test(_) => taken = shared.get_or_insert(taken).clone(),
                _ => {}
            }
            self.names.leave(entered);
        }
    }

    fn rule(&mut self, span: Span, on: &On) {
        match &on.trigger {
            Trigger::Message { arrow, content } if !self.ours(*arrow) => {
                self.around = Around::Rule;
                self.content(span, content, false);
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
            Trigger::Open if self.role == Role::Mock => self.around = Around::Open,
            Trigger::Close if self.role == Role::Mock => self.around = Around::Close,
            Trigger::Lost if self.role == Role::Mock => {
                self.around = Around::Lost;
                self.names.bind("lost");
            }
            _ => return,
        }
        self.checks(&on.checks);
        self.body(&on.body);
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
    fn shadowed<'a>(&mut self, span: Span, on: &'a On, taken: &mut Taken<'a>) {
        let bare = on.checks.is_empty();
        let never = match &on.trigger {
            Trigger::Message { arrow, content } if !self.ours(*arrow) => {
                let names = &self.names;
                let bound = |name: &str| names.is_bound(name);
                let before = taken.messages.iter();
                self.comparisons += before.len();
                let ask = self.comparisons <= MOST_COMPARISONS;
                let before = before.filter(|_| ask);
                let first = before.copied().find(|own| covers(own, content, &bound));
                if bare && first.is_none() && taken.messages.len() < MOST_COMPARED {
                    taken.messages.push(content);
                }
                first.map(|own| match own {
                    Content::Any => "every message".to_owned(),
                    Content::Text(pattern) if pattern.matches_everything() => {
                        "every text message".to_owned()
                    }
                    _ => "all that this one would take".to_owned(),
                })
            }
            Trigger::Connect { path, headers } if self.role == Role::Mock => {
                let before = taken.connects;
                taken.connects |= bare && path.is_none() && headers.is_empty();
                before.then(|| "every handshake".to_owned())
            }
            _ => None,
        };
        if let Some(what) = never {
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
}

/// Whether one rule takes all that another would.
fn covers(own: &Content, other: &Content, bound: &dyn Fn(&str) -> bool) -> bool {
    match (own, other) {
        (
            Content::Any,
            Content::Any
            | Content::Text(_)
            | Content::Re(_)
            | Content::Binary(_)
            | Content::File(_),
        ) => true,
        (Content::Text(own), Content::Text(other)) => own.covers(other, bound),
        (Content::Text(own), Content::Re(_)) => own.matches_everything(),
        (Content::Re(own), Content::Re(other)) => own.as_str() == other.as_str(),
        (Content::Binary(own), Content::Binary(other)) => own == other,
        (Content::File(own), Content::File(other)) => {
            own.name.path == other.name.path && own.bytes == other.bytes
        }
        (Content::Ping(own), Content::Ping(other)) | (Content::Pong(own), Content::Pong(other)) => {
            match (own, other) {
                (None, _) => true,
                (Some(Data::Text(own)), Some(Data::Text(other))) => own.covers(other, bound),
                (Some(Data::Bytes(own)), Some(Data::Bytes(other))) => own == other,
                _ => false,
            }
        }
        _ => false,
    }
}
