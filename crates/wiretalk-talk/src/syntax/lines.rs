//! A talk as a tree of lines: indentation makes children, bars make payloads of several lines.

use crate::diagnostic::{Diagnostic, Findings};
use crate::source::Span;

/// One line that says something, with the lines indented under it.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    /// The text from its first non-blank character to the line's end, without CR or LF.
    pub(crate) text: &'a str,
    /// Offset of `text` in the source.
    pub(crate) start: usize,
    /// Columns of white space before it; one alone counts as none.
    pub(crate) indent: usize,
    /// Whether bars may go on with it.
    takes_bars: bool,
    /// The bars that go on with this line's payload.
    pub(crate) bars: Vec<Bar<'a>>,
    /// The lines indented under it.
    pub(crate) children: Vec<Line<'a>>,
}

impl Line<'_> {
    /// The span of the line itself, without what hangs under it.
    pub(crate) fn span(&self) -> Span {
        Span::new(self.start, self.start + self.text.trim_end().len().max(1))
    }
}

/// A line `| text` behind a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar<'a> {
    /// What stands behind the bar, one space eaten.
    pub(crate) text: &'a str,
    /// Offset of `text` in the source.
    pub(crate) start: usize,
    /// Offset of the bar itself.
    pub(crate) at: usize,
}

/// A physical line, before the tree is made. `fmt` works on these.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Physical<'a> {
    Blank,
    Comment {
        text: &'a str,
        indent: usize,
    },
    Bar {
        bar: Bar<'a>,
        indent: usize,
    },
    Statement {
        text: &'a str,
        start: usize,
        indent: usize,
    },
}

/// The physical lines of a text: every one of them, in order.
pub(crate) fn physical(text: &str) -> impl Iterator<Item = Physical<'_>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |whole| {
        let line_start = start;
        start += whole.len();
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        // A payload never ends with CR: what must is written with the kind `esc`.
        let line = line.trim_end_matches('\r');
        let body = line.trim_start_matches([' ', '\t']);
        let blank = &line[..line.len() - body.len()];
        let indent = blank.chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
        let body_start = line_start + blank.len();
        if body.trim_end().is_empty() {
            Physical::Blank
        } else if body.starts_with('#') {
            Physical::Comment {
                text: body.trim_end(),
                indent,
            }
        } else if let Some(rest) = body.strip_prefix('|') {
            let text = rest.strip_prefix(' ').unwrap_or(rest);
            let start = body_start + (body.len() - text.len());
            Physical::Bar {
                bar: Bar {
                    text,
                    start,
                    at: body_start,
                },
                indent,
            }
        } else {
            Physical::Statement {
                text: body,
                start: body_start,
                indent,
            }
        }
    })
}

/// Whether bars may follow such a line directly: a frame, a rule's pattern, an HTTP answer.
pub(crate) fn takes_bars(text: &str) -> bool {
    let (word, rest) = super::first_word(text);
    super::frame::is_frame(text)
        || word == "HTTP"
        || (word == "on" && rest.starts_with(['>', '<']))
        || (word == "ignore" && super::frame::is_frame(rest))
}

/// Statements within each other.
const DEEPEST: usize = 64;
/// Lines that say something, beside bars: each takes far more room than it has letters.
const MOST_LINES: usize = 1_000_000;
/// Bars.
const MOST_BARS: usize = 4_000_000;

/// Makes the tree. What is wrong with indentation or bars is added to `errors`.
pub(crate) fn tree<'a>(text: &'a str, errors: &mut Findings) -> Vec<Line<'a>> {
    let mut builder = Builder::default();
    let (mut lines, mut bars) = (0, 0);
    for line in physical(text) {
        let at = match line {
            Physical::Blank | Physical::Comment { .. } => None,
            Physical::Bar { bar, .. } => {
                bars += 1;
                Some(bar.at)
            }
            Physical::Statement { start, .. } => {
                lines += 1;
                Some(start)
            }
        };
        if let Some(at) = at
            && (lines > MOST_LINES || bars > MOST_BARS)
        {
            errors.push(Diagnostic::error(
                Span::new(at, at + 1),
                format!("a talk has {MOST_LINES} lines at the most, and {MOST_BARS} bars; what follows is not read"),
                "take it apart into several talks",
            ));
            break;
        }
        match line {
            Physical::Blank | Physical::Comment { .. } => {}
            Physical::Bar { bar, indent } => builder.bar(bar, indent, errors),
            Physical::Statement {
                text,
                start,
                indent,
            } => {
                if indent == 1 {
                    errors.push(Diagnostic::error(
                        Span::new(start, start + 1),
                        "one space is not an indentation",
                        "indent by two spaces or more to attach the line to the statement above, or by none",
                    ));
                }
                builder.statement(
                    Line {
                        text,
                        start,
                        indent: if indent == 1 { 0 } else { indent },
                        takes_bars: takes_bars(text),
                        bars: Vec::new(),
                        children: Vec::new(),
                    },
                    errors,
                );
            }
        }
    }
    builder.finish()
}

#[derive(Default)]
struct Builder<'a> {
    roots: Vec<Line<'a>>,
    /// The lines that are still open, outermost first.
    open: Vec<Line<'a>>,
}

impl<'a> Builder<'a> {
    fn statement(&mut self, mut line: Line<'a>, errors: &mut Findings) {
        while self
            .open
            .last()
            .is_some_and(|open| open.indent >= line.indent)
        {
            self.close();
        }
        if self.open.len() >= DEEPEST {
            errors.push(Diagnostic::error(
                line.span(),
                format!("this line is indented under {DEEPEST} others, and that is the most"),
                "take blocks apart: rules and tests stand side by side",
            ));
            // It is read as one more line beside the last.
            line.indent = self.open.last().map_or(0, |last| last.indent);
            self.close();
        }
        match self.open.last() {
            None if line.indent > 0 => errors.push(Diagnostic::error(
                line.span(),
                "this line is indented, but there is no statement above to attach it to",
                "remove the indentation",
            )),
            Some(parent)
                if parent
                    .children
                    .last()
                    .is_some_and(|sibling| sibling.indent != line.indent) =>
            {
                errors.push(Diagnostic::error(
                    line.span(),
                    "this indentation matches no line above",
                    "line it up with the other lines of the block",
                ));
            }
            _ => {}
        }
        self.open.push(line);
    }

    fn bar(&mut self, bar: Bar<'a>, indent: usize, errors: &mut Findings) {
        let owner = match self.open.last() {
            Some(last) if last.takes_bars => Some(self.open.len() - 1),
            _ => self
                .open
                .iter()
                .rposition(|open| open.takes_bars && open.indent < indent),
        };
        let Some(owner) = owner else {
            errors.push(Diagnostic::error(
                Span::new(bar.at, bar.start + bar.text.len()),
                "a bar goes on with a payload, but no line that has one stands right above it",
                "put it under a `>` or `<` line, or under `HTTP`",
            ));
            return;
        };
        while self.open.len() > owner + 1 {
            self.close();
        }
        self.open[owner].bars.push(bar);
    }

    fn close(&mut self) {
        let Some(line) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(line),
            None => self.roots.push(line),
        }
    }

    fn finish(mut self) -> Vec<Line<'a>> {
        while !self.open.is_empty() {
            self.close();
        }
        self.roots
    }
}
