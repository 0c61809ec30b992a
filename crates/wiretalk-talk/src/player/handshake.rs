//! Handshakes: what a mock answers, and whose lines a client plays.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::connection::Connection;
use super::plan::HandshakeRule;
use super::run::Run;
use super::{ConnectionId, HandshakeAnswer, HttpAnswer, Player, Request, Side};
use crate::pattern::{Captures, Difference, Mismatch, Pattern};
use crate::query::{self, Subject};
use crate::scope::{Bindings, Client};
use crate::source::Span;
use crate::syntax::{Header, Http, RefuseBy, SetScope, Statement, StatementKind};

/// What is added to a status to make a close code of it: 401 is told as 4401.
const REFUSED: u16 = 4000;
/// Bytes of a close reason, RFC 6455 section 5.5.
const MOST_REASON: usize = 123;

/// Headers of a 101 that come from the handshake itself (RFC 6455 section 4.2.2).
const OF_HANDSHAKE: [&str; 5] = [
    "upgrade",
    "connection",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];

const NO_SUCH_PATH: &str = "nothing is served at this path\n";

impl Player {
    /// A client asks a mock for an upgrade.
    pub fn handshake(&mut self, request: &Request) -> HandshakeAnswer {
        self.advance();
        let id = ConnectionId(self.last_connection + 1);
        let mut client = request.client.clone();
        client.id = id.0;
        let offered = &request.subprotocols;
        let mut chosen = self
            .subprotocols()
            .into_iter()
            .find(|name| offered.contains(name));
        let mut bindings = Bindings::new();
        let mut headers = Vec::new();
        if self.plan.connects.is_empty() {
            if !self.is_our_path(&client.path) {
                return self.refuse(plain(404, NO_SUCH_PATH));
            }
        } else {
            let plan = Arc::clone(&self.plan);
            let ours = self.is_our_path(&client.path);
            let rule = plan.connects.iter().find_map(|rule| {
                // A rule that names no path is for the one of `listen`.
                if rule.path.is_none() && !ours {
                    return None;
                }
                let captures = self.rule_matches(rule, &client)?;
                Some((rule, captures))
            });
            let Some((rule, captures)) = rule else {
                if !ours {
                    return self.refuse(plain(404, NO_SUCH_PATH));
                }
                return self.refuse(plain(403, "no rule accepts this handshake\n"));
            };
            bindings.extend(captures);
            let answer = self.rule_answer(rule, &mut client, &mut bindings);
            match answer {
                Some(answer) if answer.status != 101 => return self.refuse(answer),
                Some(answer) => headers = answer.headers,
                None => {}
            }
        }
        let matching = self.matching_connects(&client);
        let plays = self.free_connect(&matching);
        let row = self.next_row(plays);
        bindings.extend(row.clone().unwrap_or_default());
        if let Some(index) = plays
            && let Some(http) = self.http_of(index)
        {
            let answer = self.http_answer(&http, &client, &mut bindings);
            match answer {
                Ok(answer) if answer.status != 101 => {
                    return self.refuse(answer);
                }
                Ok(answer) => headers.extend(answer.headers),
                Err((span, why)) => {
                    self.problem(span, None, why);
                    return self.refuse(plain(500, "the mock could not answer\n"));
                }
            }
        }
        // A header that the handshake makes up by itself reads the same from both sides; only one of them is a choice.
        headers.retain(|(name, value)| {
            let name = name.to_ascii_lowercase();
            if name == "sec-websocket-protocol" && offered.contains(value) {
                chosen = Some(value.clone());
            }
            !OF_HANDSHAKE.contains(&name.as_str())
        });
        self.last_connection = id.0;
        if !self.plan.names_headers {
            client.headers = Vec::new();
        }
        // Most clients ask for the same: that is there once.
        if self.latest_path != client.path {
            self.latest_path = Arc::clone(&client.path);
        }
        client.path = Arc::clone(&self.latest_path);
        let mut connection = Connection::new(None, client);
        for (name, value) in &bindings {
            self.remember(name, value);
        }
        if !bindings.is_empty() {
            connection.bindings = bindings;
        }
        if row.is_some() {
            connection.row = row;
        }
        if let Some(plays) = plays {
            *self.played.entry(plays).or_default() += 1;
            connection.plays = Some(plays);
            connection.group = self.join_group(plays, id);
        }
        *self.taken.entry(plays).or_default() += 1;
        self.connections.insert(id, Box::new(connection));
        HandshakeAnswer::Accept {
            connection: id,
            subprotocol: chosen,
            headers,
            compression: self.compression(),
        }
    }

    /// Refuses a handshake, in the way that the talk says.
    fn refuse(&self, answer: HttpAnswer) -> HandshakeAnswer {
        match self.refuses_by() {
            RefuseBy::Status => HandshakeAnswer::Refuse(answer),
            RefuseBy::Close => {
                let line = answer.body.lines().next().unwrap_or_default();
                let mut end = line.len().min(MOST_REASON);
                while !line.is_char_boundary(end) {
                    end -= 1;
                }
                HandshakeAnswer::RefuseByClose {
                    code: REFUSED.saturating_add(answer.status.min(999)),
                    reason: line[..end].to_owned(),
                }
            }
        }
    }

    /// The row of `each` that the next client plays that takes this `connect`: without those columns that are given
    /// from outside.
    fn next_row(&self, plays: Option<usize>) -> Option<Bindings> {
        let part = self.part.and_then(|part| self.plan.parts.get(part))?;
        let rows = part.rows.as_ref().filter(|rows| !rows.is_empty())?;
        let taken = self.taken.get(&plays).copied().unwrap_or_default();
        let row = &rows[taken % rows.len()];
        let own = row
            .iter()
            .filter(|(name, _)| !self.variables.contains_key(*name));
        Some(
            own.map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// A client asks a mock by plain HTTP. `None` if the talk has no answer to it.
    pub fn plain_request(&mut self, method: &str, request: &Request) -> Option<HttpAnswer> {
        self.advance();
        if !matches!(method, "GET" | "HEAD") {
            return None;
        }
        let mut client = request.client.clone();
        let plan = Arc::clone(&self.plan);
        let (rule, captures) = plan.gets.iter().find_map(|rule| {
            let captures = self.rule_matches(rule, &client)?;
            Some((rule, captures))
        })?;
        let mut bindings: Bindings = captures.into_iter().collect();
        let answer = self.rule_answer(rule, &mut client, &mut bindings);
        answer.or_else(|| Some(plain(200, "")))
    }

    /// The URL of `listen`, or why its holes cannot be filled.
    pub(super) fn listens_at(mut self) -> Result<Option<String>, String> {
        self.advance();
        let url = self.listen_url().transpose();
        url.map_err(|why| format!("the address of `listen` cannot be filled: {why}"))
    }

    fn listen_url(&self) -> Option<Result<String, String>> {
        let listen = self.plan.listen.as_ref()?;
        let none = Bindings::new();
        let url = listen.render(&self.context_of(&none, None, None));
        Some(url.map(|url| url.text))
    }

    /// Whether a path is the one of `listen`: any, if `listen` names none.
    fn is_our_path(&self, path: &str) -> bool {
        // An address that cannot be filled names no path that could be compared.
        let Some(Ok(url)) = self.listen_url() else {
            return true;
        };
        let rest = url.split_once("://").map_or(&*url, |(_, r)| r);
        match rest.find('/') {
            Some(at) => {
                let own = rest[at..].split(['?', '#']).next();
                own.is_some_and(|own| is_same_path(own, path))
            }
            None => true,
        }
    }

    fn rule_matches(&self, rule: &HandshakeRule, client: &Client) -> Option<Captures> {
        let none = Bindings::new();
        let mut context = self.context_of(&none, None, None);
        context.client = Some(client);
        let mut captures = Captures::new();
        if let Some(path) = &rule.path {
            captures.extend(path.matches(&client.path, &context).ok()?);
        }
        captures.extend(headers_match(&rule.headers, &client.headers, &context).ok()?);
        let subject = Subject {
            headers: &client.headers,
            ..Subject::default()
        };
        query::apply(&rule.checks, &subject, &context, &mut captures).ok()?;
        Some(captures)
    }

    /// Plays the body of `on connect` or `on GET`: its `set` lines, and its answer.
    fn rule_answer(
        &mut self,
        rule: &HandshakeRule,
        client: &mut Client,
        bindings: &mut Bindings,
    ) -> Option<HttpAnswer> {
        let mut answer = None;
        for statement in rule.body.iter() {
            let result = match &statement.kind {
                StatementKind::Http(http) => self
                    .http_answer(http, client, bindings)
                    .map(|http| answer = Some(http)),
                StatementKind::Set(set) => {
                    let mut context = self.context_of(bindings, None, None);
                    context.client = Some(client);
                    let value = set.value.value(&context).map(|(value, _)| value);
                    value
                        .map(|value| match set.scope {
                            // What was given from outside wins.
                            SetScope::Run if self.variables.contains_key(&set.name) => None,
                            SetScope::Run => bindings.insert(set.name.clone(), value),
                            SetScope::Client => client.values.insert(set.name.clone(), value),
                            SetScope::Global => self.global.insert(set.name.clone(), value),
                        })
                        .map(|_| ())
                        .map_err(|why| (statement.span, why))
                }
                _ => Ok(()),
            };
            if let Err((span, why)) = result {
                self.problem(span, None, why);
                return Some(plain(500, "the mock could not answer\n"));
            }
        }
        answer
    }

    /// The answer that an `HTTP` line gives. What is made up for it is bound, as a test captures it.
    fn http_answer(
        &self,
        http: &Http,
        client: &Client,
        bindings: &mut Bindings,
    ) -> Result<HttpAnswer, (Span, String)> {
        let mut render = |pattern: &Pattern, span: Span| {
            let mut context = self.context_of(bindings, None, None);
            context.client = Some(client);
            let rendered = pattern.render(&context).map_err(|why| (span, why))?;
            bindings.extend(rendered.bound);
            Ok(rendered.text)
        };
        let mut headers = Vec::with_capacity(http.headers.len());
        for header in &http.headers {
            headers.push((header.name.clone(), render(&header.value, header.span)?));
        }
        let body = match &http.body {
            Some(body) => render(body, body.span)?,
            None => String::new(),
        };
        Ok(HttpAnswer {
            status: http.status,
            headers,
            body,
        })
    }

    /// The lines of the dialogue that a mock plays.
    pub(super) fn steps(&self) -> Arc<[Statement]> {
        let part = self.part.and_then(|part| self.plan.parts.get(part));
        part.map(|part| Arc::clone(&part.served))
            .unwrap_or_default()
    }

    /// The `connect`s of the dialogue that a client matches.
    fn matching_connects(&self, client: &Client) -> Vec<usize> {
        let steps = self.steps();
        let connects = steps.iter().enumerate().filter_map(|(index, step)| {
            let StatementKind::Connect(connect) = &step.kind else {
                return None;
            };
            let row = self.next_row(Some(index)).unwrap_or_default();
            let context = self.context_of(&row, None, None);
            let fits = headers_match(&connect.headers, &client.headers, &context).is_ok()
                && path_matches(&connect.url, client, &context);
            fits.then_some(index)
        });
        connects.collect()
    }

    /// Which of these `connect`s a newcomer takes: the next of the first name that nobody plays, as the same name again is
    /// the same client connecting anew; if each name is played, the next of all of them. Behind the last comes the first.
    fn free_connect(&mut self, matching: &[usize]) -> Option<usize> {
        let steps = self.steps();
        let name = |index: &usize| steps.get(*index).and_then(connect_name);
        let busy: Vec<_> = self
            .played
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(index, _)| name(index))
            .collect();
        let free = matching.iter().map(name).find(|name| !busy.contains(name));
        let mut candidates = matching.to_vec();
        if let Some(free) = free {
            candidates.retain(|index| name(index) == free);
        }
        let next = candidates
            .iter()
            .find(|index| !self.had_turn.contains(index));
        let next = match next {
            Some(next) => *next,
            None => {
                for index in &candidates {
                    self.had_turn.remove(index);
                }
                *candidates.first()?
            }
        };
        self.had_turn.insert(next);
        Some(next)
    }

    /// The `HTTP` line that belongs to a `connect`.
    fn http_of(&self, connect: usize) -> Option<Http> {
        match &self.steps().get(connect + 1)?.kind {
            StatementKind::Http(http) => Some((**http).clone()),
            _ => None,
        }
    }

    /// A mock begins its dialogue with a client that has just connected.
    pub(super) fn begin_dialogue(&mut self, id: ConnectionId) {
        let steps = self.steps();
        let plays = self.connections.get(&id).and_then(|c| c.plays);
        let connects = steps
            .iter()
            .any(|step| matches!(step.kind, StatementKind::Connect(_)));
        let (from, name) = match plays {
            Some(index) => (index + 1, connect_name(&steps[index])),
            None if connects => return,
            None => (self.plan.settings.len().min(steps.len()), None),
        };
        // The same name again is another connection: what follows is not for this one.
        let to = end_of_dialogue(&steps, from, name.as_ref());
        let lines = steps[from..to].iter().any(|step| {
            !matches!(
                step.kind,
                StatementKind::Set(_) | StatementKind::Http(_) | StatementKind::Connect(_)
            )
        });
        if !lines {
            return;
        }
        self.set_before(id, &steps[self.plan.settings.len().min(from)..from]);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.name.clone_from(&name);
        }
        let run = self.start(Run {
            end: to,
            ..Run::dialogue(steps, from, Some(id), name)
        });
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.dialogue = Some(run);
        }
    }

    /// The `set` lines before a client's `connect`, those aside that the mock has run at its start.
    fn set_before(&mut self, id: ConnectionId, steps: &[Statement]) {
        for step in steps {
            let StatementKind::Set(set) = &step.kind else {
                continue;
            };
            if set.scope != SetScope::Run || self.is_given(&set.name, Some(id)) {
                continue;
            }
            let none = Bindings::new();
            match set.value.value(&self.context_of(&none, Some(id), None)) {
                Ok((value, _)) => {
                    self.remember(&set.name, &value);
                    if let Some(connection) = self.connections.get_mut(&id) {
                        connection.bindings.insert(set.name.clone(), value);
                    }
                }
                Err(why) => self.problem(step.span, Some(id), why),
            }
        }
    }

    /// Whether this player plays the server.
    #[must_use]
    pub fn is_mock(&self) -> bool {
        self.side == Side::Server
    }
}

pub(super) fn connect_name(step: &Statement) -> Option<String> {
    match &step.kind {
        StatementKind::Connect(connect) => connect.name.clone(),
        _ => None,
    }
}

/// Where the lines end that a client of a name plays from a place on: at the next `connect` of that name.
pub(super) fn end_of_dialogue(steps: &[Statement], from: usize, name: Option<&String>) -> usize {
    let left = steps.get(from..).unwrap_or_default();
    let again = left.iter().position(|step| {
        matches!(step.kind, StatementKind::Connect(_)) && connect_name(step).as_ref() == name
    });
    again.map_or(steps.len(), |length| from + length)
}

/// Every header pattern must match one of the headers of its name.
pub(super) fn headers_match(
    patterns: &[Header],
    headers: &[(String, String)],
    context: &crate::scope::Context<'_>,
) -> Result<Captures, Mismatch> {
    let mut captures = Captures::new();
    for pattern in patterns {
        let named = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(&pattern.name));
        let mut nearest = Mismatch::Text(Difference {
            path: pattern.name.clone(),
            expected: pattern.value.filled(context),
            came: "no such header".into(),
        });
        let mut found = None;
        for (_, value) in named {
            match pattern.value.matches(value, context) {
                Ok(own) => {
                    found = Some(own);
                    break;
                }
                Err(Mismatch::Text(difference)) => {
                    nearest = Mismatch::Text(Difference {
                        path: pattern.name.clone(),
                        ..difference
                    });
                }
                Err(other) => nearest = other,
            }
        }
        captures.extend(found.ok_or(nearest)?);
    }
    Ok(captures)
}

/// Whether a client asks for the path of a `connect`'s address. An address that cannot be filled matches.
fn path_matches(url: &Pattern, client: &Client, context: &crate::scope::Context<'_>) -> bool {
    let Ok(url) = url.render(context) else {
        return true;
    };
    let rest = url
        .text
        .split_once("://")
        .map_or(&*url.text, |(_, rest)| rest);
    let target = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = if path.is_empty() { "/" } else { path };
    let mut asked = form_urlencoded::parse(query.as_bytes());
    is_same_path(path, &client.path)
        && asked.all(|(name, value)| {
            let mut own = client.query.iter();
            own.any(|(k, v)| *k == name && *v == value)
        })
}

/// Whether two paths are the same once `%20` and the like are decoded: a client encodes what the talk may spell out.
fn is_same_path(path: &str, other: &str) -> bool {
    path == other || percent_decode_str(path).eq(percent_decode_str(other))
}

fn plain(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer {
        status,
        headers: vec![("Content-Type".into(), "text/plain; charset=utf-8".into())],
        body: body.into(),
    }
}
