//! How a test opens connections, and what it expects of the answers.

use super::connection::{Connection, State};
use super::handshake::headers_match;
use super::matching::fails_so;
use super::run::{Played, Run, RunId, Wait};
use super::{Action, ConnectionId, ErrorKind, Failure, Fault, HandshakeResponse, Player, Time};
use crate::pattern::{Captures, Difference, Mismatch};
use crate::query::{self, Subject};
use crate::source::Span;
use crate::syntax::{Connect, Content, Http, StatementKind};
use crate::value::document::{Document, Parsed};

/// How much of a body a failure shows.
const MOST_BODY: usize = 2048;

/// What a `connect` asks with.
struct Asked {
    url: String,
    headers: Vec<(String, String)>,
}

impl Player {
    pub(super) fn play_connect(&mut self, id: RunId, span: Span, connect: &Connect) -> Played {
        let count = u64::try_from(connect.count.max(1)).unwrap_or(u64::MAX);
        let first = ConnectionId(self.last_connection + 1);
        let last = ConnectionId(self.last_connection.saturating_add(count));
        self.forget_gone(connect.name.as_deref());
        let (subprotocols, compression) = (self.subprotocols(), self.compression());
        for number in first.0..=last.0 {
            self.last_connection = number;
            let connection = ConnectionId(number);
            let client = crate::Client::default();
            let mut new = Connection::new(connect.name.clone(), client);
            if first != last {
                new.batch = Some((first, last));
            }
            self.connections.insert(connection, Box::new(new));
            let Asked { url, headers } = match self.request_of(id, connection, span, connect) {
                Ok(asked) => asked,
                Err((span, why)) => {
                    self.connections.remove(&connection);
                    return self.impossible(id, span, why);
                }
            };
            self.actions.push_back(Action::Connect {
                connection,
                name: connect.name.clone(),
                url,
                headers,
                subprotocols: subprotocols.clone(),
                compression,
            });
        }
        let deadline = self.now.saturating_add(self.timeout());
        let since = self.now;
        self.wait(
            id,
            Wait::Handshake {
                first,
                last,
                open: count,
                since,
                deadline,
            },
        );
        Played::Waits
    }

    /// The address and the headers that a `connect` asks with.
    fn request_of(
        &mut self,
        id: RunId,
        connection: ConnectionId,
        span: Span,
        connect: &Connect,
    ) -> Result<Asked, (Span, String)> {
        let url = self.render(id, Some(connection), &connect.url);
        let url = url.map_err(|why| (span, why))?;
        let mut headers = Vec::with_capacity(connect.headers.len());
        for header in &connect.headers {
            let value = self.render(id, Some(connection), &header.value);
            let value = value.map_err(|why| (header.span, why))?;
            headers.push((header.name.clone(), value));
        }
        Ok(Asked { url, headers })
    }

    /// The same name again is another connection: those that are gone and left nothing are forgotten.
    fn forget_gone(&mut self, name: Option<&str>) {
        let gone: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                connection.name.as_deref() == name
                    && connection.state == State::Gone
                    && connection.inbox.is_empty()
                    && connection.waiting.is_empty()
                    && connection.runs.is_empty()
            })
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.connections.remove(&id);
            self.leave_all_rooms(id);
        }
    }

    /// A test's handshake was refused with an HTTP answer.
    pub fn refused(&mut self, now: Time, id: ConnectionId, response: &HandshakeResponse) {
        self.begin(now);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.state = State::Gone;
        }
        let expected = self.expected_error(id);
        match expected {
            Some((run, expected, span)) => {
                let why = format!("the server answered HTTP {}", response.status);
                self.compare_error(run, id, span, (expected, ErrorKind::Handshake), why);
            }
            None => self.handshake_result(id, response),
        }
        self.advance();
    }

    /// A test's connection could not be opened, for a reason given as a sentence.
    pub fn failed(&mut self, now: Time, id: ConnectionId, kind: ErrorKind, why: String) {
        self.begin(now);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.state = State::Gone;
        }
        if let Some((run, expected, span)) = self.expected_error(id) {
            self.compare_error(run, id, span, (expected, kind), why);
        } else if let Some((run, span)) = self.waiting_for_handshake(id) {
            self.rest(run);
            let expected = self.plan.source.slice(span).to_owned();
            let fault = Fault::NotConnected { kind, why };
            self.fail(Failure::new(span, Some(id), expected, fault));
            self.give_up(run);
        }
        self.advance();
    }

    /// The line behind `connect`, if it says that the connection cannot be opened.
    fn expected_error(&self, id: ConnectionId) -> Option<(RunId, ErrorKind, Span)> {
        let (run_id, _) = self.waiting_for_handshake(id)?;
        let run = self.runs.get(&run_id)?;
        let next = run.block().get(run.place() + 1)?;
        match &next.kind {
            StatementKind::Frame(frame) => match &frame.content {
                Content::Error(kind) if !self.is_ours(frame.arrow) => {
                    Some((run_id, *kind, next.span))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A connection could not be opened, and the line behind `connect` says how.
    fn compare_error(
        &mut self,
        run: RunId,
        id: ConnectionId,
        span: Span,
        (expected, came): (ErrorKind, ErrorKind),
        why: String,
    ) {
        if fails_so(expected, came).is_err() {
            self.rest(run);
            let expected = self.plan.source.slice(span).to_owned();
            let fault = Fault::NotConnected { kind: came, why };
            self.fail(Failure::new(span, Some(id), expected, fault));
            self.give_up(run);
            return;
        }
        if self.one_answer_less(run) {
            // Past `connect`, and past the line that says how it fails.
            self.step_on(run);
            if let Some(run) = self.runs.get_mut(&run) {
                run.go_on();
            }
        }
    }

    fn waiting_for_handshake(&self, id: ConnectionId) -> Option<(RunId, Span)> {
        self.runs.iter().find_map(|(run_id, run)| match run.wait {
            Wait::Handshake { first, last, .. } if (first..=last).contains(&id) => {
                Some((*run_id, run.step()?.span))
            }
            _ => None,
        })
    }

    /// One of the handshakes that a run waits for is done. Whether all are.
    fn one_answer_less(&mut self, run: RunId) -> bool {
        match self.runs.get_mut(&run).map(|run| &mut run.wait) {
            Some(Wait::Handshake { open, .. }) => {
                *open = open.saturating_sub(1);
                *open == 0
            }
            _ => false,
        }
    }

    pub(super) fn handshake_result(&mut self, id: ConnectionId, response: &HandshakeResponse) {
        let Some((run_id, span)) = self.waiting_for_handshake(id) else {
            return;
        };
        let Some(run) = self.runs.get(&run_id) else {
            return;
        };
        let next = run.block().get(run.place() + 1);
        let http = next.and_then(|step| match &step.kind {
            StatementKind::Http(http) => Some((http, step.span)),
            _ => None,
        });
        let (http_span, checks, result) = match http {
            Some((http, span)) => {
                let result = self.compare_http(run, id, http, response);
                (span, &http.checks[..], result)
            }
            None if response.status == 101 => (span, &[][..], Ok(Captures::new())),
            None => {
                let mismatch = status_mismatch(101, response.status);
                (span, &[][..], Err(mismatch))
            }
        };
        match result {
            Ok(captures) => {
                self.bind(run_id, Some(id), captures);
                if self.one_answer_less(run_id) {
                    self.step_on(run_id);
                }
            }
            Err(mismatch) => {
                let check = match &mismatch {
                    Mismatch::Check { check, .. } => {
                        let known = checks.iter().find(|known| known.raw == *check);
                        known.map(|check| check.span)
                    }
                    _ => None,
                };
                let expected = self.plan.source.slice(http_span).to_owned();
                let fault = Fault::Handshake {
                    mismatch,
                    status: response.status,
                    body: response.body.chars().take(MOST_BODY).collect(),
                };
                self.fail(Failure {
                    check,
                    ..Failure::new(http_span, Some(id), expected, fault)
                });
                self.give_up(run_id);
            }
        }
    }

    fn compare_http(
        &self,
        run: &Run,
        id: ConnectionId,
        http: &Http,
        response: &HandshakeResponse,
    ) -> Result<Captures, Mismatch> {
        if http.status != response.status {
            return Err(status_mismatch(http.status, response.status));
        }
        let context = self.context_on(run, Some(id));
        let mut captures = headers_match(&http.headers, &response.headers, &context)?;
        if let Some(body) = &http.body {
            captures.extend(body.matches(&response.body, &context)?);
        }
        let parsed = Parsed::default();
        let subject = Subject {
            document: Some(Document::new(&response.body, &parsed)),
            size: response.body.len(),
            latency: None,
            headers: &response.headers,
        };
        query::apply(&http.checks, &subject, &context, &mut captures)?;
        Ok(captures)
    }
}

fn status_mismatch(expected: u16, came: u16) -> Mismatch {
    Mismatch::Text(Difference {
        path: String::new(),
        expected: format!("HTTP {expected}"),
        came: format!("HTTP {came}"),
    })
}
