//! Kinds that are no plain message: a regular expression, a file, and what breaks the rules or tells that they were broken.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::options::Options;
use super::words::{DURATION_MEND, duration, first_word};
use super::{Content, ErrorKind, FilePart, Parser, RawFrame};
use crate::diagnostic::closest;
use crate::pattern::{Pattern, Payload, bind_name};
use crate::source::Span;

/// The longest regular expression in a talk, in bytes: its tree takes a hundred times as much.
pub(crate) const MOST_REGEX: usize = 16 * 1024;
/// What a compiled regular expression may take, in bytes.
const REGEX_SIZE: usize = 2 * 1024 * 1024;

/// Regular expressions that are looked for among those that come again.
const MOST_REGEXES: usize = 1000;

/// The words behind `error`, but for `protocol`, which may have a code.
const ERRORS: [(&str, ErrorKind); 6] = [
    ("refused", ErrorKind::Refused),
    ("dns", ErrorKind::Dns),
    ("tls", ErrorKind::Tls),
    ("handshake", ErrorKind::Handshake),
    ("timeout", ErrorKind::Timeout),
    ("reset", ErrorKind::Reset),
];

/// A regular expression that must match a whole text; what is wrong with it, and where it is.
///
/// # Errors
/// The range of bytes that is wrong, and why.
pub(crate) fn whole_regex(source: &str) -> Result<Regex, (usize, usize, String)> {
    if source.len() > MOST_REGEX {
        let why = format!("it is longer than {MOST_REGEX} bytes");
        return Err((0, source.len(), why));
    }
    // The source is looked at alone first: `a)|(b` is no expression, although it would be one between brackets. The
    // line end before the bracket ends a comment under `(?x)`.
    if let Err(error) = regex_syntax::parse(source) {
        let (span, why) = match &error {
            regex_syntax::Error::Parse(error) => (*error.span(), error.kind().to_string()),
            regex_syntax::Error::Translate(error) => (*error.span(), error.kind().to_string()),
            _ => return Err((0, source.len(), error.to_string())),
        };
        return Err((span.start.offset, span.end.offset, why));
    }
    let verbose = source.starts_with("(?") && source.contains('#');
    let end = if verbose { "\n" } else { "" };
    let build = |text: &str| RegexBuilder::new(text).size_limit(REGEX_SIZE).build();
    build(&format!("^(?:{source}{end})$")).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim().to_owned();
        (0, source.len(), why)
    })
}

impl Parser {
    /// `re`: a regular expression over the whole text.
    pub(super) fn regex(&mut self, payload: &Payload) -> Option<Content> {
        let source = payload.text.as_str();
        let known = self.regexes.get(source).cloned();
        let regex = match known.map_or_else(|| whole_regex(source).map(Arc::new), Ok) {
            Ok(regex) => regex,
            Err((from, to, why)) => {
                self.error(
                    payload.span(from, to.max(from + 1).min(source.len().max(1))),
                    format!("this is not a regular expression: {why}"),
                    "the syntax is that of the Rust crate `regex`; a literal `.`, `(` or `[` needs a backslash",
                );
                return None;
            }
        };
        for name in regex.capture_names().flatten() {
            if let Err((what, mend)) = bind_name(name) {
                self.error(payload.whole(), what, mend);
                return None;
            }
        }
        if self.regexes.len() < MOST_REGEXES {
            self.regexes.insert(source.to_owned(), Arc::clone(&regex));
        }
        Some(Content::Re(regex))
    }

    /// `file PATH`, with `(bytes 0..65535)` a part of it.
    pub(super) fn file(&mut self, payload: &Payload, options: &Options) -> Option<Content> {
        let name = self.file_name(payload.text.trim(), payload.whole())?;
        Some(Content::File(FilePart {
            name,
            bytes: options.bytes.clone(),
        }))
    }

    /// `error KIND`
    pub(super) fn error_kind(&mut self, payload: &Payload) -> Option<Content> {
        let text = payload.text.trim();
        let (word, behind) = first_word(text);
        if let Some((_, kind)) = ERRORS.iter().find(|(name, _)| *name == word) {
            if behind.is_empty() {
                return Some(Content::Error(*kind));
            }
            self.error(
                payload.whole(),
                format!("`error {word}` takes nothing more"),
                "only `error protocol CODE` has a code",
            );
            return None;
        }
        if word == "protocol" {
            let code = match behind {
                "" => None,
                code => Some(self.code(payload, code)?),
            };
            return Some(Content::Error(ErrorKind::Protocol(code)));
        }
        let names = || ERRORS.iter().map(|(name, _)| *name).chain(["protocol"]);
        let mend = match closest(word, names()) {
            Some(near) => format!("did you mean `error {near}`?"),
            None => "write one of refused, dns, tls, handshake, timeout, reset, or `protocol CODE`"
                .into(),
        };
        let what = match word {
            "" => "`error` needs a word: how the connection fails".into(),
            _ => format!("there is no error `{word}`"),
        };
        self.error(payload.whole(), what, mend);
        None
    }

    /// `fail CODE`; without one, however the peer fails the connection.
    pub(super) fn fail(&mut self, payload: &Payload) -> Option<Content> {
        let code = match payload.text.trim() {
            "" => None,
            code => Some(self.code(payload, code)?),
        };
        Some(Content::Fail(code))
    }

    /// A close code at the end of a payload.
    fn code(&mut self, payload: &Payload, text: &str) -> Option<u16> {
        let end = payload.text.trim_end().len();
        let span = payload.span(end - text.len(), end);
        let code = self.close_code(text, span)?;
        if code == 1005 {
            self.error(
                span,
                "1005 stands for a close frame without a code, and no failure has it",
                "give the code that the peer fails with: 1002 for a broken rule, 1007 for text that is not UTF-8",
            );
            return None;
        }
        Some(code)
    }

    /// `frame(…) PAYLOAD`
    pub(super) fn raw_frame(&mut self, payload: &Payload, options: &Options) -> Option<Content> {
        let (pattern, bytes) = if options.hex {
            let none = Payload::line("", payload.whole().start);
            (
                Pattern::literal(String::new(), &none),
                Some(self.hex(payload)?),
            )
        } else {
            (Pattern::parse(payload, &mut self.diagnostics), None)
        };
        Some(Content::RawFrame(Box::new(RawFrame {
            header: options.header,
            payload: pattern,
            bytes,
        })))
    }

    /// `raw`: bytes outside any frame.
    pub(super) fn raw(&mut self, payload: &Payload) -> Option<Content> {
        let bytes = self.hex(payload)?;
        if bytes.is_empty() {
            self.error(
                payload.whole(),
                "`raw` needs bytes",
                "write them as pairs of hexadecimal digits: `>raw 81 05 68 65`",
            );
            return None;
        }
        Some(Content::Raw(bytes))
    }

    /// `stall 5s`
    pub(super) fn stall(&mut self, payload: &Payload) -> Option<Content> {
        let text = payload.text.trim();
        let time = duration(text);
        if time.is_none() {
            let what = match text {
                "" => "`stall` needs a time".to_owned(),
                _ => format!("`{text}` is not a time"),
            };
            self.error(payload.whole(), what, DURATION_MEND);
        }
        time.map(Content::Stall)
    }

    /// A code that a close frame can carry, or 1005 for none at all.
    pub(super) fn close_code(&mut self, code: &str, span: Span) -> Option<u16> {
        let number = match code.parse::<u16>() {
            Ok(number) if (1000..5000).contains(&number) => number,
            _ => {
                self.error(
                    span,
                    format!("`{code}` is not a close code"),
                    "write a number from 1000 to 4999, then the reason (RFC 6455 section 7.4)",
                );
                return None;
            }
        };
        if !matches!(number, 1000..=1003 | 1005 | 1007..=1014 | 3000..=4999) {
            self.error(
                span,
                format!("no close frame may carry the code {code}"),
                "1000 to 1003, 1007 to 1014 and 3000 to 4999 may be sent (RFC 6455 section 7.4)",
            );
            return None;
        }
        Some(number)
    }
}
