//! Lines without an arrow: a keyword and what belongs to it.

use std::time::Duration;

use super::lines::Line;
use super::who::behind_who;
use super::words::{DURATION_MEND, duration, first_word, header_name, yes_no};
use super::{
    Arrow, Header, Parser, Place, RefuseBy, Set, SetScope, StatementKind, TalkOption, Who, payload,
};
use crate::diagnostic::closest;
use crate::pattern::{Pattern, Payload, bind_name, is_name};
use crate::source::Span;

/// Every first word that has a meaning of its own: no client can be called so.
pub(crate) const KEYWORDS: [&str; 26] = [
    "connect",
    "HTTP",
    "listen",
    "test",
    "finally",
    "tag",
    "set",
    "option",
    "wait",
    "silence",
    "unordered",
    "ignore",
    "repeat",
    "each",
    "on",
    "every",
    "join",
    "leave",
    "identify",
    "keep",
    "retry",
    "all",
    "others",
    "room",
    "user",
    "load",
];

/// Names under `client.` that are there by themselves.
const RESERVED: [&str; 5] = ["id", "ip", "path", "query", "header"];

/// Words behind a keyword, with where they stand.
pub(super) struct Rest<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
}

impl Rest<'_> {
    pub(super) fn span(&self) -> Span {
        Span::new(self.start, self.start + self.text.len().max(1))
    }

    pub(super) fn payload(&self) -> Payload {
        Payload::line(self.text, self.start)
    }

    /// The rest behind the first `bytes`, without blanks.
    pub(super) fn behind(&self, bytes: usize) -> Rest<'_> {
        let text = self.text[bytes..].trim_start();
        Rest {
            text,
            start: self.start + self.text.len() - text.len(),
        }
    }
}

impl Parser {
    pub(super) fn directive(&mut self, line: &Line<'_>, place: Place) -> Option<StatementKind> {
        let (word, behind) = first_word(line.text.trim_end());
        let rest = Rest {
            text: behind,
            start: line.start + line.text.trim_end().len() - behind.len(),
        };
        if place != Place::Top
            && matches!(
                word,
                "connect"
                    | "listen"
                    | "test"
                    | "finally"
                    | "option"
                    | "on"
                    | "every"
                    | "tag"
                    | "each"
                    | "retry"
                    | "ignore"
            )
        {
            self.error(
                line.span(),
                format!("`{word}` cannot stand in a body"),
                "put it at the start of a line of its own, without indentation",
            );
            return None;
        }
        match word {
            "connect" => self
                .connect(line, &rest)
                .map(|connect| StatementKind::Connect(Box::new(connect))),
            "HTTP" => {
                self.needed(line, &rest, "a status: `HTTP 101`")?;
                self.http(line, rest.text, rest.start)
                    .map(|http| StatementKind::Http(Box::new(http)))
            }
            "listen" => {
                self.no_children(line, "`listen`");
                self.needed(line, &rest, "an address: `listen ws://127.0.0.1:4000/path`")?;
                let pattern = Pattern::parse(&rest.payload(), &mut self.diagnostics);
                Some(StatementKind::Listen(Box::new(pattern)))
            }
            "test" => {
                self.no_children(line, "`test`: what follows it is the test, not indented");
                self.needed(line, &rest, "a title: `test a message is answered`")?;
                Some(StatementKind::Test(rest.text.to_owned()))
            }
            "finally" => {
                self.nothing_behind(&rest, word);
                Some(StatementKind::Finally(self.body(line, "`finally`")))
            }
            "set" => self
                .set(line, &rest)
                .map(|set| StatementKind::Set(Box::new(set))),
            "option" => self.option(line, &rest).map(StatementKind::Option),
            "wait" => {
                self.no_children(line, "`wait`");
                self.time(line, &rest).map(StatementKind::Wait)
            }
            "silence" => self.silence(line, &rest, None),
            "on" => self
                .on(line, &rest)
                .map(|on| StatementKind::On(Box::new(on))),
            "every" => self.every(line, &rest).map(StatementKind::Every),
            "tag" => self.tag(line, &rest),
            "unordered" => Some(self.unordered(line, &rest)),
            "ignore" => self.ignore(line, &rest),
            "repeat" => self.repeat(line, &rest),
            "each" => self.each(line, &rest),
            "join" | "leave" => self.rooms(line, word, &rest, None),
            "identify" => self.identify(line, &rest, None),
            "keep" => self.keep(line, &rest),
            "retry" => self.retry(line, &rest),
            _ => self.somebodys(line).unwrap_or_else(|| {
                self.unknown(line, word);
                None
            }),
        }
    }

    /// A directive behind a who: `alice silence 1s`, `room {{r}} join x`. `None` if it is none, `Some(None)` if it is
    /// one that cannot be.
    fn somebodys(&mut self, line: &Line<'_>) -> Option<Option<StatementKind>> {
        let (at, word) = somebodys_directive(line.text)?;
        let (_, behind) = first_word(line.text[at..].trim_end());
        let rest = Rest {
            text: behind,
            start: line.start + line.text.trim_end().len() - behind.len(),
        };
        let Some(who) = self.who(&line.text[..at], line.start) else {
            return Some(None);
        };
        Some(match (word, who) {
            // Nobody in particular is everybody.
            ("silence", Some(Who::All)) => self.silence(line, &rest, None),
            ("silence", who @ Some(Who::Name(_))) => self.silence(line, &rest, who),
            ("silence", _) => {
                self.error(
                    Span::new(line.start, line.start + at),
                    "`silence` is of one client or of all",
                    "write `NAME silence 500ms`, `all silence 500ms` or `silence 500ms`",
                );
                None
            }
            ("identify", who) => self.identify(line, &rest, who),
            (_, who) => self.rooms(line, word, &rest, who),
        })
    }

    fn unknown(&mut self, line: &Line<'_>, word: &str) {
        let span = Span::new(line.start, line.start + word.len().max(1));
        if self.findings.is_full() {
            // Nobody will read it: what it could have meant need not be found out.
            self.findings.push(crate::Diagnostic::error(span, "", ""));
            return;
        }
        if line.text.starts_with('?') {
            self.error(
                span,
                "a check stands under the message that it checks",
                "indent it by two spaces under a `<` or `>` line",
            );
            return;
        }
        if header_name(line.text).is_some() {
            self.error(
                span,
                "a header stands under `connect`, `HTTP`, `on connect` or `on GET`",
                "indent it by two spaces under one of those",
            );
            return;
        }
        let who = ["all", "others", "room", "user", "load"];
        if let Some(at) = line.text.find("{{")
            && matches!(word, "room" | "user")
            && behind_who(line.text).is_none()
        {
            self.error(
                Span::new(line.start + at, line.start + line.text.len()),
                "this hole has no end",
                "close it with `}}` before the arrow",
            );
            return;
        }
        if matches!(word, "all" | "others" | "room" | "user") {
            let who = match word {
                "room" | "user" => format!("{word} NAME"),
                _ => word.to_owned(),
            };
            self.error(
                span,
                format!("`{word}` begins no line without an arrow"),
                format!("write `{who} < hello`, or put `#` before a comment"),
            );
            return;
        }
        let directives = KEYWORDS.into_iter().filter(|known| !who.contains(known));
        let mend = match closest(word, directives) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a line begins with `>` or `<`, with a directive such as `connect` or `wait`, or with `#`".into(),
        };
        self.error(span, format!("`{word}` is not a directive"), mend);
    }

    /// Says what is missing behind a keyword, if nothing is there.
    pub(super) fn needed(&mut self, line: &Line<'_>, rest: &Rest<'_>, what: &str) -> Option<()> {
        let (word, _) = first_word(line.text.trim_end());
        self.needed_behind(line, word, rest, what)
    }

    pub(super) fn needed_behind(
        &mut self,
        line: &Line<'_>,
        word: &str,
        rest: &Rest<'_>,
        what: &str,
    ) -> Option<()> {
        if !rest.text.is_empty() {
            return Some(());
        }
        self.error(
            line.span(),
            format!("something is missing behind `{word}`"),
            format!("write {what}"),
        );
        None
    }

    pub(super) fn nothing_behind(&mut self, rest: &Rest<'_>, word: &str) {
        if !rest.text.is_empty() {
            self.error(
                rest.span(),
                format!("nothing stands behind `{word}`"),
                "put it on a line of its own, indented",
            );
        }
    }

    pub(super) fn body(&mut self, line: &Line<'_>, what: &str) -> Vec<super::Statement> {
        self.body_in(line, what, Place::Body)
    }

    pub(super) fn body_in(
        &mut self,
        line: &Line<'_>,
        what: &str,
        place: Place,
    ) -> Vec<super::Statement> {
        if line.children.is_empty() {
            self.diagnostics.push(crate::Diagnostic::warning(
                line.span(),
                format!("nothing is indented under {what}"),
                "indent what it should do by two spaces",
            ));
        }
        self.block(&line.children, place)
    }

    fn time(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<Duration> {
        let before = line.text[..line.text.trim_end().len() - rest.text.len()].trim_end();
        let word = before.rsplit([' ', '\t']).next().unwrap_or_default();
        self.needed_behind(line, word, rest, &format!("a time: `{word} 500ms`"))?;
        let time = duration(rest.text);
        if time.is_none() {
            self.error(
                rest.span(),
                format!("`{}` is not a time", rest.text),
                DURATION_MEND,
            );
        }
        time
    }

    fn silence(
        &mut self,
        line: &Line<'_>,
        rest: &Rest<'_>,
        who: Option<Who>,
    ) -> Option<StatementKind> {
        self.no_children(line, "`silence`");
        let duration = self.time(line, rest)?;
        Some(StatementKind::Silence { who, duration })
    }

    /// Header lines; anything else among them is refused.
    pub(super) fn headers(&mut self, lines: &[Line<'_>]) -> Vec<Header> {
        lines
            .iter()
            .filter_map(|line| {
                let header = self.header(line);
                if header.is_none() {
                    self.error(
                        line.span(),
                        "this is not a header",
                        "under `connect` stand headers: `Name: value`",
                    );
                }
                header
            })
            .collect()
    }

    /// A header line, or `None` if it is none.
    pub(super) fn header(&mut self, line: &Line<'_>) -> Option<Header> {
        let name = header_name(line.text)?;
        self.no_children(line, "a header");
        let value = line.text[name.len() + 1..].trim();
        let start = line.start + line.text.trim_end().len() - value.len();
        Some(Header {
            span: line.span(),
            name: name.to_owned(),
            value: Pattern::parse(&Payload::line(value, start), &mut self.diagnostics),
        })
    }

    fn set(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<Set> {
        self.no_children(line, "`set`");
        self.needed(
            line,
            rest,
            "a name and a value: `set url = ws://127.0.0.1:4000`",
        )?;
        let Some((name, value)) = rest.text.split_once('=') else {
            self.error(
                rest.span(),
                "`set` needs a value",
                "write `set NAME = VALUE`",
            );
            return None;
        };
        let name = name.trim();
        let (scope, bare) = match name.split_once('.') {
            Some(("client", bare)) => (SetScope::Client, bare),
            Some(("global", bare)) => (SetScope::Global, bare),
            _ => (SetScope::Run, name),
        };
        let span = Span::new(rest.start, rest.start + name.len().max(1));
        if !is_name(bare) {
            self.error(
                span,
                format!("`{name}` is not a name"),
                "a name is letters, digits and underscores: `set NAME`, `set client.NAME` or `set global.NAME`",
            );
            return None;
        }
        if scope == SetScope::Client && RESERVED.contains(&bare) {
            self.error(
                span,
                format!("`client.{bare}` has a meaning of its own and cannot be set"),
                "choose another name",
            );
            return None;
        }
        if scope == SetScope::Run
            && let Err((what, mend)) = bind_name(bare)
        {
            self.error(span, what, mend);
            return None;
        }
        let value = value.trim();
        let start = rest.start + rest.text.len() - value.len();
        Some(Set {
            scope,
            name: bare.to_owned(),
            value: Pattern::parse(&Payload::line(value, start), &mut self.diagnostics),
        })
    }

    fn option(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<TalkOption> {
        self.no_children(line, "`option`");
        self.needed(line, rest, "a name and a value: `option timeout 5s`")?;
        let (name, value) = first_word(rest.text);
        let behind = rest.behind(name.len());
        match name {
            "timeout" if value.is_empty() => {
                self.error(
                    rest.span(),
                    "something is missing behind `timeout`",
                    "write a time: `option timeout 5s`",
                );
                None
            }
            "timeout" => match duration(value) {
                Some(time) if !time.is_zero() => Some(TalkOption::Timeout(time)),
                Some(_) => {
                    self.error(
                        behind.span(),
                        "the time is too short",
                        "nothing could arrive within no time at all",
                    );
                    None
                }
                None => {
                    self.error(
                        behind.span(),
                        format!("`{value}` is not a time"),
                        DURATION_MEND,
                    );
                    None
                }
            },
            "strict" | "compression" => {
                let Some(yes) = yes_no(value) else {
                    self.error(
                        behind.span(),
                        format!("`{value}` is neither yes nor no"),
                        format!("write `option {name} yes` or `option {name} no`"),
                    );
                    return None;
                };
                Some(match name {
                    "strict" => TalkOption::Strict(yes),
                    _ => TalkOption::Compression(yes),
                })
            }
            "refuse" => match value {
                "status" => Some(TalkOption::Refuse(RefuseBy::Status)),
                "close" => Some(TalkOption::Refuse(RefuseBy::Close)),
                _ => {
                    self.error(
                        if value.is_empty() { rest.span() } else { behind.span() },
                        match value {
                            "" => "something is missing behind `refuse`".to_owned(),
                            _ => format!("`{value}` is no way to refuse"),
                        },
                        "write `option refuse status` (before the upgrade) or `option refuse close` (behind it, for clients that cannot see a status)",
                    );
                    None
                }
            },
            "history" => self.history(rest, &behind),
            "workers" => match value.parse::<usize>() {
                Ok(workers) if workers > 0 => Some(TalkOption::Workers(workers)),
                _ => {
                    self.error(
                        behind.span(),
                        match value {
                            "" => "something is missing behind `workers`".to_owned(),
                            _ => format!("`{value}` is not a number of workers"),
                        },
                        "write for how many clients bodies may run at once: `option workers 10`",
                    );
                    None
                }
            },
            "subprotocol" => {
                let names: Vec<String> = value
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .collect();
                if names
                    .iter()
                    .any(|name| name.is_empty() || name.contains(' '))
                {
                    self.error(
                        behind.span(),
                        "`option subprotocol` needs names",
                        "separate them by commas: `option subprotocol chat, superchat`",
                    );
                    return None;
                }
                Some(TalkOption::Subprotocol(names))
            }
            _ => {
                let known = [
                    "timeout",
                    "strict",
                    "subprotocol",
                    "compression",
                    "refuse",
                    "history",
                    "workers",
                ];
                let mend = match closest(name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the options are {}", known.join(", ")),
                };
                self.error(rest.span(), format!("there is no option `{name}`"), mend);
                None
            }
        }
    }

    /// `option history COUNT [AGE]`
    fn history(&mut self, rest: &Rest<'_>, behind: &Rest<'_>) -> Option<TalkOption> {
        const MEND: &str = "write how many messages each room remembers, and for how long if not for ever: `option history 100 24h`";
        let (count, age) = first_word(behind.text);
        let messages = match count.parse::<usize>() {
            Ok(messages) if messages > 0 => messages,
            _ => {
                let (span, what) = match count {
                    "" => (
                        rest.span(),
                        "something is missing behind `history`".to_owned(),
                    ),
                    _ => (
                        behind.span(),
                        format!("`{count}` is not a number of messages"),
                    ),
                };
                self.error(span, what, MEND);
                return None;
            }
        };
        if age.is_empty() {
            return Some(TalkOption::History(messages, None));
        }
        match duration(age) {
            Some(age) if !age.is_zero() => Some(TalkOption::History(messages, Some(age))),
            _ => {
                let span = behind.behind(count.len()).span();
                self.error(span, format!("`{age}` is not a time to remember for"), MEND);
                None
            }
        }
    }

    /// The body behind bars of an `HTTP` line, and of others that have one.
    pub(super) fn bars(&mut self, line: &Line<'_>) -> Option<Pattern> {
        if line.bars.is_empty() {
            return None;
        }
        let payload = payload(line, line.text.len());
        Some(Pattern::parse(&payload, &mut self.diagnostics))
    }
}

/// Where a directive begins that stands behind a who, and its word: `alice silence 1s`.
pub(crate) fn somebodys_directive(text: &str) -> Option<(usize, &str)> {
    let at = behind_who(text)?;
    let (word, _) = first_word(text[at..].trim_end());
    matches!(word, "silence" | "join" | "leave" | "identify").then_some((at, word))
}

impl Arrow {
    /// The sign.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::ToServer => '>',
            Self::ToClient => '<',
        }
    }
}
