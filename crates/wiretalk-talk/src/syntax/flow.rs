//! How a test goes: `tag`, `each`, `retry`, `repeat`, `unordered`, `ignore`.

use std::time::Duration;

use super::directive::Rest;
use super::lines::Line;
use super::words::{DURATION_MEND, duration};
use super::{FileName, Parser, Place, Repeat, Retry, StatementKind};
use crate::pattern::Pattern;
use crate::source::Span;

impl Parser {
    /// `tag WORD…`
    pub(super) fn tag(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<StatementKind> {
        self.no_children(line, "`tag`");
        self.needed(line, rest, "one word or several: `tag slow chat`")?;
        let words = rest.text.split_whitespace().map(str::to_owned).collect();
        Some(StatementKind::Tag(words))
    }

    /// `unordered` with its body.
    pub(super) fn unordered(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> StatementKind {
        self.nothing_behind(rest, "unordered");
        let body = self.body_in(line, "`unordered`", Place::Unordered);
        let mut first = None;
        for statement in &body {
            let StatementKind::Frame(frame) = &statement.kind else {
                continue;
            };
            if *first.get_or_insert(frame.arrow) != frame.arrow {
                self.error(
                    statement.span,
                    "the messages under `unordered` come from one side",
                    "put those of the other side before or behind the block",
                );
                break;
            }
        }
        StatementKind::Unordered(body)
    }

    /// `ignore < PATTERN`
    pub(super) fn ignore(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<StatementKind> {
        self.needed(
            line,
            rest,
            "what to pass over: `ignore < {\"type\":\"tick\", ...}`",
        )?;
        let at = rest.start - line.start;
        let Some(frame) = self.frame_at(line, at) else {
            if !super::frame::is_frame(&line.text[at..]) {
                self.error(
                    rest.span(),
                    "`ignore` needs an arrow and a pattern",
                    "write `ignore < PATTERN`",
                );
            }
            return None;
        };
        self.rule_content(line, "`ignore`", &frame.options, &frame.content)?;
        Some(StatementKind::Ignore(Box::new(frame)))
    }

    /// `repeat 10` with its body.
    pub(super) fn repeat(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<StatementKind> {
        let body = self.body(line, "`repeat`");
        self.needed(line, rest, "how often: `repeat 10`")?;
        let times = Pattern::parse(&rest.payload(), &mut self.diagnostics);
        if times.holes.is_empty() && rest.text.parse::<u32>().is_err() {
            self.error(
                rest.span(),
                format!("`{}` is not a number of times", rest.text),
                "write a whole number, or a hole that gives one: `repeat 10`, `repeat {{times}}`",
            );
            return None;
        }
        Some(StatementKind::Repeat(Box::new(Repeat { times, body })))
    }

    /// `each FILE`
    pub(super) fn each(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<StatementKind> {
        self.no_children(
            line,
            "`each`: what follows it runs for each row, not indented",
        );
        self.needed(line, rest, "a file of rows: `each users.csv`")?;
        let path = rest.text.to_lowercase();
        if ![".csv", ".jsonl", ".ndjson"]
            .iter()
            .any(|end| path.ends_with(end))
        {
            self.error(
                rest.span(),
                format!("`{}` is no file of rows", rest.text),
                "its name ends in `.csv` (with a first line of names), or in `.jsonl` or `.ndjson` (one JSON object on each line)",
            );
            return None;
        }
        self.file_name(rest.text, rest.span())
            .map(StatementKind::Each)
    }

    /// The name of a file: to the letter.
    pub(super) fn file_name(&mut self, path: &str, span: Span) -> Option<FileName> {
        let wrong = if path.is_empty() {
            Some("the name of a file is missing here")
        } else if path.contains("{{") {
            Some("a file's name has no holes: files are read before anything is played")
        } else if path.contains(['\n', '\0']) {
            Some("a file's name stands on one line")
        } else {
            None
        };
        if let Some(what) = wrong {
            self.error(
                span,
                what,
                "write a path relative to the talk: `>file data/photo.jpg`",
            );
            return None;
        }
        Some(FileName {
            span,
            path: path.to_owned(),
        })
    }

    /// `retry 3 every 1s`; without a pause, at once.
    pub(super) fn retry(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<StatementKind> {
        self.no_children(line, "`retry`");
        let mend = "write `retry 3 every 1s`";
        self.needed(
            line,
            rest,
            "how often, and the pause between: `retry 3 every 1s`",
        )?;
        let words: Vec<&str> = rest.text.split_whitespace().take(4).collect();
        let times = words.first().and_then(|word| word.parse::<u32>().ok());
        let Some(times) = times.filter(|times| *times > 0) else {
            let word = words.first().copied().unwrap_or_default();
            self.error(
                Span::new(rest.start, rest.start + word.len()),
                format!("`{word}` is not a number of times"),
                mend,
            );
            return None;
        };
        let every = match words[1..] {
            [] => Duration::ZERO,
            ["every", time] => match duration(time) {
                Some(pause) => pause,
                None => {
                    let at = rest.start + rest.text.len() - time.len();
                    self.error(
                        Span::new(at, at + time.len()),
                        format!("`{time}` is not a time"),
                        DURATION_MEND,
                    );
                    return None;
                }
            },
            _ => {
                let behind = rest.behind(words[0].len());
                self.error(
                    behind.span(),
                    format!("`{}` does not belong here", behind.text),
                    mend,
                );
                return None;
            }
        };
        Some(StatementKind::Retry(Retry { times, every }))
    }

    /// The frame that begins at `at` in a line, with its checks.
    fn frame_at(&mut self, line: &Line<'_>, at: usize) -> Option<super::Frame> {
        let text = &line.text[at..];
        let arrow = at + super::frame::arrow_offset(text)?;
        let who = self.who(&line.text[at..arrow], line.start + at);
        let frame = self.frame_behind(line, arrow);
        let checks = self.checks(&line.children);
        let (arrow, options, content) = frame?;
        Some(super::Frame {
            who: who?,
            arrow,
            options,
            content,
            checks,
        })
    }
}
