//! Checks and captures under a message: `? QUERY [FILTER…] PREDICATE` and `NAME = QUERY [FILTER…]`.

use super::Parser;
use super::lines::Line;
use crate::pattern::{bind_name, is_name};
use crate::query::{Check, CheckKind, Fault};
use crate::source::Span;

impl Parser {
    /// Lines that are all checks or captures; anything else among them is refused.
    pub(super) fn checks(&mut self, lines: &[Line<'_>]) -> Vec<Check> {
        let (checks, others) = self.split_checks(lines);
        if let Some(other) = others.first() {
            self.error(
                other.span(),
                "this is neither a check nor a capture",
                "under a message stand `? QUERY PREDICATE` and `NAME = QUERY`",
            );
        }
        checks
    }

    /// The checks and captures among lines, and the other lines.
    pub(super) fn split_checks<'a>(&mut self, lines: &[Line<'a>]) -> (Vec<Check>, Vec<Line<'a>>) {
        let mut checks = Vec::new();
        let mut others = Vec::new();
        for line in lines {
            if let Some(rest) = line.text.strip_prefix('?') {
                self.no_children(line, "a check");
                checks.extend(self.check(line, rest));
            } else if let Some((name, query)) = capture(line.text) {
                self.no_children(line, "a capture");
                checks.extend(self.capture(line, name, query));
            } else {
                others.push(line.clone());
            }
        }
        (checks, others)
    }

    fn check(&mut self, line: &Line<'_>, rest: &str) -> Option<Check> {
        let text = rest.trim();
        let start = line.start + 1 + (rest.len() - rest.trim_start().len());
        let parsed = CheckKind::parse_check(text, start);
        self.finish(line, text, start, parsed)
    }

    fn capture(&mut self, line: &Line<'_>, name: &str, rest: &str) -> Option<Check> {
        if let Err((what, mend)) = bind_name(name) {
            self.error(line.span(), what, mend);
            return None;
        }
        let text = rest.trim();
        let start = line.start + line.text.trim_end().len() - text.len();
        let parsed = CheckKind::parse_capture(name, text);
        self.finish(line, line.text.trim_end(), start, parsed)
    }

    fn finish(
        &mut self,
        line: &Line<'_>,
        raw: &str,
        start: usize,
        parsed: Result<CheckKind, Fault>,
    ) -> Option<Check> {
        match parsed {
            Ok(kind) => Some(Check {
                raw: raw.to_owned(),
                span: line.span(),
                kind,
            }),
            Err((at, length, what, mend)) => {
                self.error(
                    Span::new(start + at, start + at + length.max(1)),
                    what,
                    mend,
                );
                None
            }
        }
    }
}

/// The name and the query of a line `NAME = QUERY`.
fn capture(text: &str) -> Option<(&str, &str)> {
    let (name, query) = text.split_once('=')?;
    let name = name.trim();
    (is_name(name) && !query.starts_with('=')).then_some((name, query))
}
