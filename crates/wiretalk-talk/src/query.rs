//! Queries and predicates: what a check looks at, and what must hold of it.

use std::cmp::Ordering;
use std::time::Duration;

use regex::Regex;
use serde_json_path::JsonPath;

use crate::diagnostic::closest;
use crate::expression::Expression;
use crate::pattern::{Captures, Mismatch, hole_length};
use crate::scope::Context;
use crate::source::Span;
use crate::syntax::duration;
use crate::value::{Json, Value, json_equal, number};

/// A check or a capture under a message.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// As it stands in the talk.
    pub(crate) raw: String,
    pub(crate) span: Span,
    pub(crate) kind: CheckKind,
}

#[derive(Clone, Debug)]
pub(crate) enum CheckKind {
    Holds { query: Query, predicate: Predicate },
    Capture { name: String, query: Query },
}

/// What a check looks at.
#[derive(Clone, Debug)]
pub(crate) enum Query {
    JsonPath(JsonPath),
    Expression(Expression),
    Text,
    Size,
    Latency,
    Header(String),
}

/// What must hold of every value that the query gives.
#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    not: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Compare(Operator, Operand),
    StartsWith(Operand),
    EndsWith(Operand),
    Contains(Operand),
    Matches(Regex),
    Exists,
    IsEmpty,
    IsString,
    IsNumber,
    IsInteger,
    IsBoolean,
    IsUuid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Different,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Debug)]
enum Operand {
    Value(Value),
    Time(Duration),
    Expression(Expression),
}

impl Check {
    /// The names that it looks at.
    pub(crate) fn names(&self) -> Vec<String> {
        let (query, predicate) = match &self.kind {
            CheckKind::Holds { query, predicate } => (query, Some(predicate)),
            CheckKind::Capture { query, .. } => (query, None),
        };
        let mut names = Vec::new();
        if let Query::Expression(expression) = query {
            names.extend_from_slice(expression.names());
        }
        if let Some(
            Test::Compare(_, Operand::Expression(expression))
            | Test::StartsWith(Operand::Expression(expression))
            | Test::EndsWith(Operand::Expression(expression))
            | Test::Contains(Operand::Expression(expression)),
        ) = predicate.map(|predicate| &predicate.test)
        {
            names.extend_from_slice(expression.names());
        }
        names
    }
}

/// What a check can see of a message or handshake.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    /// The payload as text, if it is UTF-8.
    pub(crate) text: Option<&'a str>,
    /// Bytes in the payload.
    pub(crate) size: usize,
    /// Since the last frame that we sent, if any.
    pub(crate) latency: Option<Duration>,
    pub(crate) headers: &'a [(String, String)],
}

/// What is wrong in a check: its place in the text, how long it is, what, and how to mend it.
type Fault = (usize, usize, String, String);

impl Query {
    /// The query that a text begins with, and how long it is.
    pub(crate) fn parse(text: &str) -> Result<(Self, usize), Fault> {
        if text.starts_with('$') {
            let length = path_length(text);
            if brackets(&text[..length]) > DEEPEST_PATH {
                return Err((
                    0,
                    length,
                    "this JSONPath has too many brackets within each other".into(),
                    format!("{DEEPEST_PATH} are the most"),
                ));
            }
            return JsonPath::parse(&text[..length])
                .map(|path| (Self::JsonPath(path), length))
                .map_err(|error| {
                    (
                        0,
                        length,
                        format!("this is not a JSONPath: {}", error.message()),
                        "the syntax is that of RFC 9535: `$.items[0].name`".to_owned(),
                    )
                });
        }
        if let Some(inner) = text.strip_prefix("{{") {
            let Some(end) = hole_length(inner) else {
                return Err((
                    0,
                    text.len(),
                    "this hole has no end".into(),
                    "close it with `}}`".into(),
                ));
            };
            return compile(&inner[..end], end + 4).map(|expression| (expression, end + 4));
        }
        let word_end = text.find([' ', '\t']).unwrap_or(text.len());
        let word = &text[..word_end];
        match word {
            "text" => Ok((Self::Text, word_end)),
            "size" => Ok((Self::Size, word_end)),
            "latency" => Ok((Self::Latency, word_end)),
            "header" => {
                let rest = text[word_end..].trim_start();
                let at = text.len() - rest.len();
                let length = rest.find([' ', '\t']).unwrap_or(rest.len());
                let name = rest[..length].trim_matches('"');
                if name.is_empty() {
                    return Err((
                        0,
                        text.len(),
                        "`header` needs a name".into(),
                        "write `header Content-Type == \"text/plain\"`".into(),
                    ));
                }
                Ok((Self::Header(name.to_owned()), at + length))
            }
            _ if word.starts_with("client.") || word.starts_with("server.") => {
                compile(word, word_end).map(|expression| (expression, word_end))
            }
            "" => Err((
                0,
                1,
                "this check is empty".into(),
                "write `? QUERY PREDICATE`: `? $.price > 0`".into(),
            )),
            "schema" => Err((
                0,
                word_end,
                "`schema` is not in this version yet".into(),
                "leave it out, or check the members one by one".into(),
            )),
            _ => Err((
                0,
                word_end.max(1),
                format!("`{word}` is not a query"),
                "a check begins with a JSONPath (`$.a`), a hole (`{{x}}`), `text`, `size`, `latency`, `header NAME` or `client.NAME`".into(),
            )),
        }
    }

    /// The values that the query gives; none if there is nothing there.
    fn values(
        &self,
        subject: &Subject<'_>,
        context: &Context<'_>,
        captured: &Captures,
    ) -> Result<Vec<Value>, String> {
        Ok(match self {
            Self::JsonPath(path) => {
                let text = subject.text.ok_or("the message is not text")?;
                let json: Json =
                    serde_json::from_str(text).map_err(|_| "the message is not JSON")?;
                path.query(&json)
                    .all()
                    .into_iter()
                    .map(|node| Value::from_json(node.clone()))
                    .collect()
            }
            Self::Expression(expression) => {
                expression.find(context, captured)?.into_iter().collect()
            }
            Self::Text => subject
                .text
                .map(|text| Value::Text(text.to_owned()))
                .into_iter()
                .collect(),
            Self::Size => vec![Value::Json(Json::from(subject.size))],
            Self::Latency => subject
                .latency
                .map(|time| Value::Text(show_time(time)))
                .into_iter()
                .collect(),
            Self::Header(name) => subject
                .headers
                .iter()
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| Value::Text(value.clone()))
                .collect(),
        })
    }
}

fn compile(text: &str, length: usize) -> Result<Query, Fault> {
    Expression::compile(text.trim())
        .map(Query::Expression)
        .map_err(|reason| {
            (
                0,
                length,
                format!("`{}` is not an expression: {reason}", text.trim()),
                "write a name or a MiniJinja expression".to_owned(),
            )
        })
}

/// Brackets within each other in a JSONPath.
const DEEPEST_PATH: usize = 32;

/// How deep the brackets of a text go; those in quotes count as well.
fn brackets(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'[' | b'(' => depth += 1,
            b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// A JSONPath ends at the first blank outside its brackets and quotes.
fn path_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, ' ' | '\t') if depth == 0 => return at,
            (None, _) => {}
        }
    }
    text.len()
}

/// The words of predicates that stand alone.
const ALONE: [(&str, Test); 7] = [
    ("exists", Test::Exists),
    ("isEmpty", Test::IsEmpty),
    ("isString", Test::IsString),
    ("isNumber", Test::IsNumber),
    ("isInteger", Test::IsInteger),
    ("isBoolean", Test::IsBoolean),
    ("isUuid", Test::IsUuid),
];

impl Predicate {
    /// A predicate on the values of a query.
    pub(crate) fn parse(text: &str, query: &Query) -> Result<Self, (String, String)> {
        let (mut word, mut rest) = split_word(text);
        let mut not = false;
        while word == "not" {
            not = !not;
            (word, rest) = split_word(rest);
        }
        let test = Self::test(word, rest, query)?;
        Ok(Self { not, test })
    }

    fn test(word: &str, rest: &str, query: &Query) -> Result<Test, (String, String)> {
        if let Some((_, test)) = ALONE.into_iter().find(|(name, _)| *name == word) {
            if !rest.is_empty() {
                return Err((
                    format!("`{word}` takes no value"),
                    "remove what stands behind it".into(),
                ));
            }
            return Ok(test);
        }
        let operator = match word {
            "==" => Some(Operator::Equal),
            "!=" => Some(Operator::Different),
            "<" => Some(Operator::Less),
            "<=" => Some(Operator::AtMost),
            ">" => Some(Operator::More),
            ">=" => Some(Operator::AtLeast),
            _ => None,
        };
        let known = operator.is_some()
            || matches!(word, "startsWith" | "endsWith" | "contains" | "matches");
        if !known {
            let names = ["startsWith", "endsWith", "contains", "matches", "not"];
            let names = names.into_iter().chain(ALONE.iter().map(|(name, _)| *name));
            let mend = match closest(word, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "the predicates are == != < <= > >= startsWith endsWith contains matches exists isEmpty isString isNumber isInteger isBoolean isUuid, and `not` before any of them".into(),
            };
            return Err(match word {
                "count" => (
                    "the filter `count` is not in this version yet".into(),
                    "leave it out, or ask for the last item: `$.items[2] exists`".into(),
                ),
                "" => ("the check says nothing of what must hold".into(), mend),
                _ => (format!("`{word}` is not a predicate"), mend),
            });
        }
        if rest.is_empty() {
            return Err((
                format!("`{word}` needs a value"),
                format!("write it behind: `{word} \"text\"` or `{word} 10`"),
            ));
        }
        if word == "matches" {
            let source = rest
                .strip_prefix('/')
                .and_then(|rest| rest.strip_suffix('/'))
                .map_or_else(
                    || serde_json::from_str(rest).unwrap_or_else(|_| rest.to_owned()),
                    str::to_owned,
                );
            return Regex::new(&source).map(Test::Matches).map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim().to_owned();
                (
                    format!("`{source}` is not a regular expression: {reason}"),
                    "the syntax is that of the Rust crate `regex`".to_owned(),
                )
            });
        }
        let operand = Operand::parse(rest, query)?;
        Ok(match (operator, word) {
            (Some(operator), _) => Test::Compare(operator, operand),
            (None, "startsWith") => Test::StartsWith(operand),
            (None, "endsWith") => Test::EndsWith(operand),
            (None, _) => Test::Contains(operand),
        })
    }

    fn holds(
        &self,
        values: &[Value],
        typed: bool,
        context: &Context<'_>,
        captured: &Captures,
    ) -> Result<bool, String> {
        if matches!(self.test, Test::Exists) {
            return Ok(values.is_empty() == self.not);
        }
        if values.is_empty() {
            return Ok(false);
        }
        for value in values {
            if self.test.holds(value, typed, context, captured)? == self.not {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Test {
    fn holds(
        &self,
        value: &Value,
        typed: bool,
        context: &Context<'_>,
        captured: &Captures,
    ) -> Result<bool, String> {
        let text = || value.to_string();
        Ok(match self {
            Self::Compare(operator, Operand::Time(limit)) => {
                let time = duration(&text()).unwrap_or_default();
                operator.accepts(Some(time.cmp(limit)))
            }
            Self::Compare(operator, operand) => {
                // What stands in JSON has a type, and so has what is written in the check.
                let typed = typed && matches!(operand, Operand::Value(_));
                let operand = operand.value(context, captured)?;
                operator.accepts(match typed {
                    true if value.is_text() != operand.is_text() => None,
                    _ => compare(value, &operand),
                })
            }
            Self::StartsWith(operand) => {
                text().starts_with(&operand.value(context, captured)?.to_string())
            }
            Self::EndsWith(operand) => {
                text().ends_with(&operand.value(context, captured)?.to_string())
            }
            Self::Contains(operand) => {
                let operand = operand.value(context, captured)?;
                match value {
                    Value::Json(Json::Array(items)) => {
                        items.iter().any(|item| operand.equals_json(item))
                    }
                    _ => text().contains(&operand.to_string()),
                }
            }
            Self::Matches(regex) => regex.is_match(&text()),
            Self::Exists => true,
            Self::IsEmpty => match value {
                Value::Text(text) => text.is_empty(),
                Value::Json(Json::Array(items)) => items.is_empty(),
                Value::Json(Json::Object(members)) => members.is_empty(),
                Value::Json(_) => false,
            },
            Self::IsString => matches!(value, Value::Text(_)),
            Self::IsNumber => matches!(value, Value::Json(Json::Number(_))),
            Self::IsInteger => {
                matches!(value, Value::Json(Json::Number(n)) if number::is_number(n.as_str(), true))
            }
            Self::IsBoolean => matches!(value, Value::Json(Json::Bool(_))),
            Self::IsUuid => crate::types::lookup("uuid").is_ok_and(|ty| ty.accepts_text(&text())),
        })
    }
}

impl Operator {
    fn accepts(self, order: Option<Ordering>) -> bool {
        match (self, order) {
            (Self::Different, None) => true,
            (_, None) => false,
            (Self::Equal, Some(order)) => order.is_eq(),
            (Self::Different, Some(order)) => order.is_ne(),
            (Self::Less, Some(order)) => order.is_lt(),
            (Self::AtMost, Some(order)) => order.is_le(),
            (Self::More, Some(order)) => order.is_gt(),
            (Self::AtLeast, Some(order)) => order.is_ge(),
        }
    }
}

impl Operand {
    fn parse(text: &str, query: &Query) -> Result<Self, (String, String)> {
        if let Some(inner) = text
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"))
        {
            return Expression::compile(inner.trim())
                .map(Self::Expression)
                .map_err(|reason| {
                    (
                        format!("`{}` is not an expression: {reason}", inner.trim()),
                        "write a name or a MiniJinja expression".to_owned(),
                    )
                });
        }
        if matches!(query, Query::Latency) {
            return duration(text).map(Self::Time).ok_or_else(|| {
                (
                    format!("`{text}` is not a time"),
                    crate::syntax::DURATION_MEND.to_owned(),
                )
            });
        }
        Ok(Self::Value(Value::read(text)))
    }

    fn value(&self, context: &Context<'_>, captured: &Captures) -> Result<Value, String> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Time(time) => Ok(Value::Text(show_time(*time))),
            Self::Expression(expression) => expression.evaluate(context, captured),
        }
    }
}

/// How two values compare: numbers by value, texts by their characters, anything else only for equality.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Json(Json::Number(a)), Value::Json(Json::Number(b))) => {
            number::compare(a.as_str(), b.as_str())
        }
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        // A number that was captured from a text, or set as one.
        (Value::Text(a), Value::Json(Json::Number(b))) => number::compare(a, b.as_str()),
        (Value::Json(Json::Number(a)), Value::Text(b)) => number::compare(a.as_str(), b),
        (Value::Json(a), Value::Json(b)) if json_equal(a, b) => Some(Ordering::Equal),
        _ => None,
    }
}

fn show_time(time: Duration) -> String {
    format!("{}ms", time.as_micros() as f64 / 1000.0)
}

fn split_word(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

/// Applies checks and captures in their order; what is captured is added to `captures`.
///
/// # Errors
/// The first check that does not hold.
pub(crate) fn apply(
    checks: &[Check],
    subject: &Subject<'_>,
    context: &Context<'_>,
    captures: &mut Captures,
) -> Result<(), Mismatch> {
    for check in checks {
        match &check.kind {
            CheckKind::Holds { query, predicate } => {
                let values = query.values(subject, context, captures);
                let failed = |came: String| Mismatch::Check {
                    check: check.raw.clone(),
                    came,
                };
                let values = values.map_err(failed)?;
                let typed = matches!(query, Query::JsonPath(_));
                if !predicate
                    .holds(&values, typed, context, captures)
                    .map_err(failed)?
                {
                    let shown: Vec<String> =
                        values.iter().map(|v| v.to_json().to_string()).collect();
                    return Err(failed(match (query, &shown[..]) {
                        (_, []) => "nothing is there".into(),
                        (Query::Latency, _) => values.iter().map(ToString::to_string).collect(),
                        _ => shown.join(", "),
                    }));
                }
            }
            CheckKind::Capture { name, query } => {
                let failed = |came: String| Mismatch::Check {
                    check: check.raw.clone(),
                    came,
                };
                let values = query.values(subject, context, captures).map_err(failed)?;
                let value = values
                    .into_iter()
                    .next()
                    .ok_or_else(|| failed("nothing is there".into()))?;
                captures.push((name.clone(), value));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
