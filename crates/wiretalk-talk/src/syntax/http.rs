//! `HTTP STATUS`: the handshake's answer.

use super::lines::Line;
use super::words::header_name;
use super::{Http, Parser};
use crate::source::Span;

impl Parser {
    pub(super) fn http(&mut self, line: &Line<'_>, status: &str, start: usize) -> Option<Http> {
        let (headers, checks): (Vec<_>, Vec<_>) = line
            .children
            .iter()
            .partition(|child| header_name(child.text).is_some());
        let headers = headers
            .into_iter()
            .filter_map(|child| self.header(child))
            .collect();
        let checks: Vec<Line<'_>> = checks.into_iter().cloned().collect();
        let checks = self.checks(&checks);
        let body = self.bars(line);
        match status.parse::<u16>() {
            Ok(status) if (100..600).contains(&status) => Some(Http {
                status,
                headers,
                checks,
                body,
            }),
            _ => {
                self.error(
                    Span::new(start, start + status.len().max(1)),
                    format!("`{status}` is not an HTTP status"),
                    "write a number from 100 to 599: `HTTP 101` for an upgrade, `HTTP 403` for a refusal",
                );
                None
            }
        }
    }
}
