//! What stands in a statement and in all that hangs under it.

use crate::expression::Expression;
use crate::pattern::{HoleKind, Pattern};
use crate::query::Check;
use crate::syntax::{Statement, StatementKind, Trigger, Who};

/// Calls `each` for every statement, and those under it.
pub(crate) fn each_statement<'a>(statements: &'a [Statement], each: &mut dyn FnMut(&'a Statement)) {
    for statement in statements {
        each(statement);
        each_statement(statement.kind.body(), each);
    }
}

/// Calls `each` for every payload of a statement and what hangs under it; the flag tells a payload that can capture
/// without having an example, which a sender needs a name for.
pub(super) fn each_pattern<'a>(statement: &'a Statement, each: &mut dyn FnMut(&'a Pattern, bool)) {
    let who = match &statement.kind {
        StatementKind::Frame(frame) | StatementKind::Ignore(frame) => frame.who.as_ref(),
        StatementKind::Join(rooms) | StatementKind::Leave(rooms) => rooms.who.as_ref(),
        StatementKind::Identify { who, .. } => who.as_ref(),
        _ => None,
    };
    if let Some(Who::Room(name) | Who::User(name)) = who {
        each(name, false);
    }
    match &statement.kind {
        StatementKind::Frame(frame) | StatementKind::Ignore(frame) => {
            for pattern in frame.content.patterns() {
                each(pattern, !has_examples(pattern));
            }
        }
        StatementKind::Connect(connect) => {
            each(&connect.url, false);
            for header in &connect.headers {
                each(&header.value, false);
            }
        }
        StatementKind::Http(http) => {
            let values = http.headers.iter().map(|header| &header.value);
            for pattern in values.chain(&http.body) {
                each(pattern, !has_examples(pattern));
            }
        }
        StatementKind::Set(set) => each(&set.value, false),
        StatementKind::Listen(url) => each(url, false),
        StatementKind::Repeat(repeat) => each(&repeat.times, false),
        StatementKind::Join(rooms) | StatementKind::Leave(rooms) => {
            rooms.rooms.iter().for_each(|room| each(room, false));
        }
        StatementKind::Identify { user, .. } => each(user, false),
        StatementKind::Keep { room, value } => {
            each(room, false);
            each(value, false);
        }
        StatementKind::On(on) => {
            let (path, headers) = match &on.trigger {
                Trigger::Message { content, .. } => {
                    for pattern in content.patterns() {
                        each(pattern, !has_examples(pattern));
                    }
                    (None, &[][..])
                }
                Trigger::Connect { path, headers } => (path.as_ref(), &headers[..]),
                Trigger::Get { path, headers } => (Some(path), &headers[..]),
                Trigger::Open | Trigger::Close | Trigger::Lost => (None, &[][..]),
            };
            let values = headers.iter().map(|header| &header.value);
            for pattern in path.into_iter().chain(values) {
                each(pattern, !has_examples(pattern));
            }
        }
        _ => {}
    }
    for line in statement.kind.body() {
        each_pattern(line, each);
    }
}

/// A hole with an example is there for who sends it: nobody need look at what it captures.
fn has_examples(pattern: &Pattern) -> bool {
    pattern.holes.iter().any(|hole| {
        matches!(
            hole.kind,
            HoleKind::Declare {
                example: Some(_),
                ..
            }
        )
    })
}

pub(super) fn each_check<'a>(statement: &'a Statement, each: &mut dyn FnMut(&'a Check)) {
    statement.kind.checks().iter().for_each(&mut *each);
    for line in statement.kind.body() {
        each_check(line, each);
    }
}

/// Calls `each` for every name that a statement, or what hangs under it, looks at.
pub(crate) fn each_name<'a>(statement: &'a Statement, each: &mut dyn FnMut(&'a str)) {
    let mut declared: Vec<&str> = Vec::new();
    each_pattern(statement, &mut |pattern, _| {
        for hole in &pattern.holes {
            match &hole.kind {
                HoleKind::Name(name) => each(name),
                HoleKind::Expression(expression) => {
                    expression.names().iter().for_each(|name| each(name));
                }
                // The same capture again compares: that is a use.
                HoleKind::Declare { name, .. } => declared.push(name),
                HoleKind::Wildcard(_) => {}
            }
        }
    });
    each_check(statement, &mut |check| {
        let names = check.expressions().flat_map(Expression::names);
        names.for_each(|name| each(name));
    });
    declared.sort_unstable();
    for pair in declared.windows(2) {
        if pair[0] == pair[1] {
            each(pair[0]);
        }
    }
}

/// Calls `each` for every field of a name that a statement, or what hangs under it, looks at: `client.id`.
pub(super) fn each_field<'a>(statement: &'a Statement, each: &mut dyn FnMut(&'a str)) {
    each_pattern(statement, &mut |pattern, _| {
        for hole in &pattern.holes {
            if let HoleKind::Expression(expression) = &hole.kind {
                expression.fields().iter().for_each(|field| each(field));
            }
        }
    });
    each_check(statement, &mut |check| {
        let fields = check.expressions().flat_map(Expression::fields);
        fields.for_each(|field| each(field));
    });
}
