//! Blocks that work beside the dialogue: `on` and `every`.

use std::time::Duration;

use super::directive::Rest;
use super::lines::Line;
use super::words::{DURATION_MEND, duration, first_word, header_name};
use super::{Content, Every, FrameOptions, On, Parser, Place, Trigger};
use crate::pattern::Pattern;

impl Parser {
    pub(super) fn on(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<On> {
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
            self.rule_content(line, "a rule", &options, &content)?;
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
            "open" | "close" | "lost" if behind.is_empty() => {
                let (checks, body_lines) = self.split_checks(&line.children);
                let body = self.block(&body_lines, Place::Body);
                let trigger = match word {
                    "open" => Trigger::Open,
                    "lost" => Trigger::Lost,
                    _ => Trigger::Close,
                };
                Some(On {
                    trigger,
                    checks,
                    body,
                })
            }
            _ => {
                self.error(
                    rest.span(),
                    format!("`on {word}` is no rule"),
                    "write `on > PATTERN`, `on < PATTERN`, `on connect [PATH]`, `on GET PATH`, `on open`, `on close` or `on lost`",
                );
                None
            }
        }
    }

    /// What a rule, or `ignore`, can wait for.
    pub(super) fn rule_content(
        &mut self,
        line: &Line<'_>,
        what: &str,
        options: &FrameOptions,
        content: &Content,
    ) -> Option<()> {
        if *options != FrameOptions::default() {
            self.error(
                line.span(),
                format!("{what} takes no options"),
                "it waits for as long as the talk runs, for each message anew",
            );
            return None;
        }
        let mend = match content {
            Content::Text(_)
            | Content::Binary(_)
            | Content::Ping(_)
            | Content::Pong(_)
            | Content::Any
            | Content::Re(_)
            | Content::File(_) => return Some(()),
            Content::Close { .. } => {
                "a client that goes is `on close`; a close frame is expected in the dialogue"
            }
            _ => "it can wait for a text or binary message, for `any`, and for a ping or pong",
        };
        self.error(
            line.span(),
            format!("{what} cannot wait for this kind"),
            mend,
        );
        None
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

    pub(super) fn every(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<Every> {
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
}
