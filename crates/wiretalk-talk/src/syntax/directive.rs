//! Lines without an arrow: a keyword and what belongs to it.

use std::time::Duration;

use super::lines::Line;
use super::words::{DURATION_MEND, duration, first_word, header_name};
use super::{
    Arrow, Connect, Content, Every, Header, On, Parser, Place, Set, SetScope, StatementKind,
    TalkOption, Trigger, Who, payload,
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

/// Directives of the language that this version does not know yet.
const LATER: [&str; 10] = [
    "tag",
    "unordered",
    "ignore",
    "repeat",
    "each",
    "join",
    "leave",
    "identify",
    "keep",
    "retry",
];

/// Options of the language that this version does not know yet.
const LATER_OPTIONS: [&str; 2] = ["compression", "refuse"];

/// Words behind a keyword, with where they stand.
struct Rest<'a> {
    text: &'a str,
    start: usize,
}

impl Rest<'_> {
    fn span(&self) -> Span {
        Span::new(self.start, self.start + self.text.len().max(1))
    }

    fn payload(&self) -> Payload {
        Payload::line(self.text, self.start)
    }

    /// The rest behind the first `bytes`, without blanks.
    fn behind(&self, bytes: usize) -> Rest<'_> {
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
        if place == Place::Body
            && matches!(
                word,
                "connect" | "listen" | "test" | "finally" | "option" | "on" | "every"
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
            "connect" => self.connect(line, &rest).map(StatementKind::Connect),
            "HTTP" => self
                .http(line, rest.text, rest.start)
                .map(StatementKind::Http),
            "listen" => {
                self.no_children(line, "`listen`");
                self.needed(line, &rest, "an address: `listen ws://127.0.0.1:4000/path`")?;
                let pattern = Pattern::parse(&rest.payload(), &mut self.diagnostics);
                Some(StatementKind::Listen(pattern))
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
            "set" => self.set(line, &rest).map(StatementKind::Set),
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
            _ if LATER.contains(&word) => {
                self.error(
                    Span::new(line.start, line.start + word.len()),
                    format!("`{word}` is not in this version yet"),
                    "leave it out",
                );
                None
            }
            "all" if first_word(rest.text).0 == "silence" => {
                let behind = rest.behind("silence".len());
                self.silence(line, &behind, None)
            }
            name if is_name(name)
                && !KEYWORDS.contains(&name)
                && first_word(rest.text).0 == "silence" =>
            {
                let who = Some(Who::Name(name.to_owned()));
                let behind = rest.behind("silence".len());
                self.silence(line, &behind, who)
            }
            _ => {
                self.unknown(line, word);
                None
            }
        }
    }

    fn unknown(&mut self, line: &Line<'_>, word: &str) {
        let span = Span::new(line.start, line.start + word.len().max(1));
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
        let mend = match closest(word, KEYWORDS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a line begins with `>` or `<`, with a directive such as `connect` or `wait`, or with `#`".into(),
        };
        self.error(span, format!("`{word}` is not a directive"), mend);
    }

    /// Says what is missing behind a keyword, if nothing is there.
    fn needed(&mut self, line: &Line<'_>, rest: &Rest<'_>, what: &str) -> Option<()> {
        if !rest.text.is_empty() {
            return Some(());
        }
        let (word, _) = first_word(line.text.trim_end());
        self.error(
            line.span(),
            format!("something is missing behind `{word}`"),
            format!("write {what}"),
        );
        None
    }

    fn nothing_behind(&mut self, rest: &Rest<'_>, word: &str) {
        if !rest.text.is_empty() {
            self.error(
                rest.span(),
                format!("nothing stands behind `{word}`"),
                "put it on a line of its own, indented",
            );
        }
    }

    fn body(&mut self, line: &Line<'_>, what: &str) -> Vec<super::Statement> {
        if line.children.is_empty() {
            self.diagnostics.push(crate::Diagnostic::warning(
                line.span(),
                format!("nothing is indented under {what}"),
                "indent what it should do by two spaces",
            ));
        }
        self.block(&line.children, Place::Body)
    }

    fn time(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<Duration> {
        let (word, _) = first_word(line.text);
        self.needed(line, rest, &format!("a time: `{word} 500ms`"))?;
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

    fn connect(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<Connect> {
        self.needed(line, rest, "an address: `connect ws://127.0.0.1:4000/path`")?;
        let headers = self.headers(&line.children);
        let (first, behind) = first_word(rest.text);
        let mut name = None;
        let mut url = Rest {
            text: rest.text,
            start: rest.start,
        };
        if is_name(first) && !behind.is_empty() {
            self.client_name(Span::new(rest.start, rest.start + first.len()), first)?;
            name = Some(first.to_owned());
            url = rest.behind(first.len());
        }
        let (word, more) = first_word(url.text);
        let counted = word.strip_prefix('x').and_then(|n| n.parse::<u32>().ok());
        if counted.is_some() {
            self.error(
                url.span(),
                "several connections of one name are not in this version yet",
                "write a `connect` for each, with names of their own",
            );
            return None;
        }
        if !more.is_empty() && !word.contains("{{") {
            self.error(
                url.span(),
                format!("`{}` is not an address", url.text),
                "an address has no blanks: `connect [NAME] ws://host:port/path`",
            );
            return None;
        }
        Some(Connect {
            name,
            url: Pattern::parse(&url.payload(), &mut self.diagnostics),
            headers,
        })
    }

    fn client_name(&mut self, span: Span, name: &str) -> Option<()> {
        if KEYWORDS.contains(&name) {
            self.error(
                span,
                format!("a client cannot be called `{name}`: the word has a meaning of its own"),
                "choose another name",
            );
            return None;
        }
        Some(())
    }

    /// Header lines; anything else among them is refused.
    fn headers(&mut self, lines: &[Line<'_>]) -> Vec<Header> {
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
            "timeout" => match duration(value) {
                Some(time) if !time.is_zero() => Some(TalkOption::Timeout(time)),
                _ => {
                    self.error(
                        behind.span(),
                        format!("`{value}` is not a time"),
                        DURATION_MEND,
                    );
                    None
                }
            },
            "strict" => match value {
                "" | "yes" | "true" | "on" => Some(TalkOption::Strict(true)),
                "no" | "false" | "off" => Some(TalkOption::Strict(false)),
                _ => {
                    self.error(
                        behind.span(),
                        format!("`{value}` is neither yes nor no"),
                        "write `option strict yes` or `option strict no`",
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
            _ if LATER_OPTIONS.contains(&name) => {
                self.error(
                    rest.span(),
                    format!("the option `{name}` is not in this version yet"),
                    "leave it out",
                );
                None
            }
            _ => {
                let known = ["timeout", "strict", "subprotocol"];
                let mend = match closest(name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the options are {}", known.join(", ")),
                };
                self.error(rest.span(), format!("there is no option `{name}`"), mend);
                None
            }
        }
    }

    fn on(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<On> {
        self.needed(
            line,
            rest,
            "what to wait for: `on > PATTERN`, `on connect` or `on GET /path`",
        )?;
        let (word, behind) = first_word(rest.text);
        if rest.text.starts_with(['>', '<']) {
            // A pattern is taken byte for byte, so that blanks at its end count.
            let at = rest.start - line.start;
            let frame = self.frame_behind(line, at);
            let (checks, body_lines) = self.split_checks(&line.children);
            // A rule without a body is of use: it takes the message and answers nothing.
            let body = self.block(&body_lines, Place::Body);
            let (arrow, options, content) = frame?;
            self.rule_content(line, &options, &content)?;
            return Some(On {
                trigger: Trigger::Message { arrow, content },
                checks,
                body,
            });
        }
        match word {
            "connect" | "GET" => {
                let (headers, others): (Vec<_>, Vec<_>) = line
                    .children
                    .iter()
                    .partition(|child| header_name(child.text).is_some());
                let headers = headers
                    .into_iter()
                    .filter_map(|child| self.header(child))
                    .collect();
                let others: Vec<Line<'_>> = others.into_iter().cloned().collect();
                let (checks, body_lines) = self.split_checks(&others);
                let body = self.block(&body_lines, Place::Body);
                let path = self.path(&rest.behind(word.len()));
                let trigger = match (word, path) {
                    ("connect", path) => Trigger::Connect { path, headers },
                    (_, Some(path)) => Trigger::Get { path, headers },
                    (_, None) => {
                        self.error(line.span(), "`on GET` needs a path", "write `on GET /path`");
                        return None;
                    }
                };
                Some(On {
                    trigger,
                    checks,
                    body,
                })
            }
            "open" | "close" if behind.is_empty() => {
                self.error(
                    line.span(),
                    format!("`on {word}` is not in this version yet"),
                    "leave it out",
                );
                None
            }
            _ => {
                self.error(
                    rest.span(),
                    format!("`on {word}` is no rule"),
                    "write `on > PATTERN`, `on < PATTERN`, `on connect [PATH]` or `on GET PATH`",
                );
                None
            }
        }
    }

    fn rule_content(
        &mut self,
        line: &Line<'_>,
        options: &super::FrameOptions,
        content: &Content,
    ) -> Option<()> {
        if options.within.is_some() || options.after.is_some() || options.skip {
            self.error(
                line.span(),
                "a rule takes no options",
                "it waits for as long as the talk runs, for each message anew",
            );
            return None;
        }
        if matches!(content, Content::Echo | Content::Close { .. }) {
            self.error(
                line.span(),
                "a rule cannot wait for this kind",
                "it can wait for a text or binary message, for `any`, and for a ping or pong",
            );
            return None;
        }
        Some(())
    }

    fn path(&mut self, rest: &Rest<'_>) -> Option<Pattern> {
        if rest.text.is_empty() {
            return None;
        }
        if !rest.text.starts_with(['/', '{']) {
            self.error(
                rest.span(),
                format!("`{}` is not a path", rest.text),
                "a path begins with `/`",
            );
        }
        Some(Pattern::parse(&rest.payload(), &mut self.diagnostics))
    }

    fn every(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<Every> {
        self.needed(line, rest, "a time: `every 5s` or `every 5s per client`")?;
        let body = self.body(line, "`every`");
        let (time, behind) = first_word(rest.text);
        let per_client = match behind.split_whitespace().collect::<Vec<_>>()[..] {
            [] => false,
            ["per", "client"] => true,
            _ => {
                self.error(
                    rest.behind(time.len()).span(),
                    format!("`{behind}` does not belong here"),
                    "write `every 5s` or `every 5s per client`",
                );
                return None;
            }
        };
        match duration(time) {
            Some(period) if period >= Duration::from_millis(1) => Some(Every {
                period,
                per_client,
                body,
            }),
            Some(_) => {
                self.error(
                    rest.span(),
                    "the time is too short",
                    "one millisecond is the least",
                );
                None
            }
            None => {
                self.error(
                    rest.span(),
                    format!("`{time}` is not a time"),
                    DURATION_MEND,
                );
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

impl Arrow {
    /// The sign.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::ToServer => '>',
            Self::ToClient => '<',
        }
    }
}
