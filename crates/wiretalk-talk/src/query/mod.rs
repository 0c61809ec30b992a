//! Checks and captures under a message: `? QUERY [FILTER…] PREDICATE` and `NAME = QUERY [FILTER…]`.

pub(crate) mod filter;
pub(crate) mod predicate;
mod schema;

use std::borrow::Cow;
use std::time::Duration;

use serde_json_path::JsonPath;

use crate::expression::Expression;
use crate::pattern::{Captures, Mismatch, hole_length};
use crate::scope::Context;
use crate::source::Span;
use crate::value::document::Document;
use crate::value::{Json, Value};
use filter::Filter;
pub(crate) use predicate::Predicate;
pub(crate) use schema::{ReadySchema, Schema};

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
    Holds {
        what: Selection,
        predicate: Predicate,
    },
    Capture {
        name: String,
        what: Selection,
    },
}

/// A query, and the filters behind it.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    query: Query,
    filters: Vec<Filter>,
}

/// What a check looks at.
#[derive(Clone, Debug)]
enum Query {
    /// A JSONPath; whether it names a single place (RFC 9535 section 2.3.5.1).
    JsonPath(Box<JsonPath>, bool),
    Expression(Expression),
    /// The whole message as JSON.
    Json,
    Text,
    Size,
    Latency,
    Header(String),
}

/// What a check can see of a message or handshake.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    /// The payload as text, if it is UTF-8.
    pub(crate) document: Option<Document<'a>>,
    /// Bytes in the payload.
    pub(crate) size: usize,
    /// Since the last frame that we sent, if any.
    pub(crate) latency: Option<Duration>,
    pub(crate) headers: &'a [(String, String)],
}

/// A value that a query gives. Text is a JSON string.
type Node<'a> = Cow<'a, Json>;

/// The values that a query gives.
struct Nodes<'a> {
    list: Vec<Node<'a>>,
    /// Whether there can be no more than one, whatever comes.
    single: bool,
}

impl<'a> Nodes<'a> {
    fn none() -> Self {
        Self {
            list: Vec::new(),
            single: true,
        }
    }

    fn one(node: Json) -> Self {
        Self {
            list: vec![Cow::Owned(node)],
            single: true,
        }
    }

    fn texts(texts: impl Iterator<Item = &'a str>, single: bool) -> Self {
        let nodes = texts.map(|text| Cow::Owned(Json::String(text.to_owned())));
        Self {
            list: nodes.collect(),
            single,
        }
    }
}

/// What is wrong in a check: its place in the text, how long it is, what, and how to mend it.
pub(crate) type Fault = (usize, usize, String, String);

impl CheckKind {
    /// What stands behind `?`: a query, filters, a predicate. `at` is where the text stands in the talk.
    ///
    /// # Errors
    /// What is wrong, where, and how to mend it.
    pub(crate) fn parse_check(text: &str, at: usize) -> Result<Self, Fault> {
        let within = |offset: usize| {
            move |(what, mend): (String, String)| (offset, text.len() - offset, what, mend)
        };
        if let ("schema", path) = split_word(text) {
            let offset = text.len() - path.len();
            let predicate = Predicate::schema(path, at + offset)
                .map_err(within(if path.is_empty() { 0 } else { offset }))?;
            let what = Selection {
                query: Query::Json,
                filters: Vec::new(),
            };
            return Ok(Self::Holds { what, predicate });
        }
        let (what, length) = Selection::parse(text)?;
        let predicate =
            Predicate::parse(&text[length..], &what.query, at + length).map_err(within(length))?;
        Ok(Self::Holds { what, predicate })
    }

    /// What stands behind `NAME =`: a query and filters, and nothing more.
    ///
    /// # Errors
    /// What is wrong, where, and how to mend it.
    pub(crate) fn parse_capture(name: &str, text: &str) -> Result<Self, Fault> {
        let (what, length) = Selection::parse(text)?;
        if length < text.len() {
            let (word, _) = split_word(&text[length..]);
            let mend = match crate::diagnostic::closest(word, filter::NAMES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a capture is `NAME = QUERY [FILTER…]` and nothing more".to_owned(),
            };
            let what = "something stands behind the query".to_owned();
            return Err((length, text.len() - length, what, mend));
        }
        Ok(Self::Capture {
            name: name.to_owned(),
            what,
        })
    }
}

impl Check {
    /// Whether it looks at the time since we sent something.
    pub(crate) fn asks_latency(&self) -> bool {
        matches!(self.what().query, Query::Latency)
    }

    fn what(&self) -> &Selection {
        match &self.kind {
            CheckKind::Holds { what, .. } | CheckKind::Capture { what, .. } => what,
        }
    }

    fn predicate(&self) -> Option<&Predicate> {
        match &self.kind {
            CheckKind::Holds { predicate, .. } => Some(predicate),
            CheckKind::Capture { .. } => None,
        }
    }

    /// The expressions in it.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let own = match &self.what().query {
            Query::Expression(expression) => Some(expression),
            _ => None,
        };
        own.into_iter()
            .chain(self.predicate().and_then(Predicate::expression))
    }

    /// Whether it captures rather than checks.
    pub(crate) fn captures(&self) -> bool {
        matches!(self.kind, CheckKind::Capture { .. })
    }

    /// The schema that it looks at, if it does.
    pub(crate) fn schema(&self) -> Option<&Schema> {
        self.predicate()?.its_schema()
    }
}

impl Selection {
    /// The query and the filters that a text begins with, and where the rest begins.
    fn parse(text: &str) -> Result<(Self, usize), Fault> {
        let (query, mut length) = Query::parse(text)?;
        let mut filters = Vec::new();
        loop {
            length += text[length..].len() - text[length..].trim_start().len();
            let filter = Filter::parse(&text[length..])
                .map_err(|(at, size, what, mend)| (length + at, size, what, mend))?;
            let Some((filter, more)) = filter else {
                return Ok((Self { query, filters }, length));
            };
            if filters.len() >= MOST_FILTERS {
                return Err((
                    length,
                    more,
                    format!("there are more than {MOST_FILTERS} filters in one check"),
                    "leave some of them out".into(),
                ));
            }
            filters.push(filter);
            length += more;
        }
    }

    fn values<'a>(
        &self,
        subject: &Subject<'a>,
        context: &Context<'_>,
        captured: &Captures,
    ) -> Result<Nodes<'a>, String> {
        let mut nodes = self.query.values(subject, context, captured)?;
        for filter in &self.filters {
            nodes = filter.apply(nodes)?;
        }
        Ok(nodes)
    }
}

/// Filters behind one query.
const MOST_FILTERS: usize = 32;
/// Brackets within each other in a JSONPath.
const DEEPEST_PATH: usize = 32;
/// The longest JSONPath, in bytes.
const MOST_PATH: usize = 4096;

/// Compiles a JSONPath.
fn compile_path(path: &str) -> Result<JsonPath, (usize, String, String)> {
    if brackets(path) > DEEPEST_PATH {
        return Err((
            0,
            "this JSONPath has too many brackets within each other".into(),
            format!("{DEEPEST_PATH} are the most"),
        ));
    }
    if path.len() > MOST_PATH {
        return Err((
            0,
            format!("this JSONPath is longer than {MOST_PATH} bytes"),
            "shorten it".into(),
        ));
    }
    JsonPath::parse(path).map_err(|error| {
        let what = match error.message() {
            "parser error" => "this is not a JSONPath".to_owned(),
            message => format!("this is not a JSONPath: {message}"),
        };
        (
            error.position().min(path.len().saturating_sub(1)),
            what,
            "the syntax is that of RFC 9535: `$.items[0].name`".to_owned(),
        )
    })
}

impl Query {
    /// The query that a text begins with, and how long it is.
    fn parse(text: &str) -> Result<(Self, usize), Fault> {
        if text.starts_with('$') {
            let length = path_length(text);
            let path = &text[..length];
            return compile_path(path)
                .map(|compiled| {
                    let single = names_one_place(path);
                    (Self::JsonPath(Box::new(compiled), single), length)
                })
                .map_err(|(at, what, mend)| (at, length - at, what, mend));
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
            _ => {
                let known = ["text", "size", "latency", "header", "schema"];
                let mend = match crate::diagnostic::closest(word, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "a check begins with a JSONPath (`$.a`), a hole (`{{x}}`), `text`, `size`, `latency`, `header NAME`, `client.NAME` or `schema FILE`".into(),
                };
                Err((0, word_end.max(1), format!("`{word}` is not a query"), mend))
            }
        }
    }

    /// The values that the query gives; none if there is nothing there.
    fn values<'a>(
        &self,
        subject: &Subject<'a>,
        context: &Context<'_>,
        captured: &Captures,
    ) -> Result<Nodes<'a>, String> {
        let json = || {
            let document = subject.document.ok_or("the message is not text")?;
            document.json().map_err(|_| "the message is not JSON")
        };
        Ok(match self {
            Self::JsonPath(path, single) => Nodes {
                list: path.query(json()?).into_iter().map(Cow::Borrowed).collect(),
                single: *single,
            },
            Self::Json => Nodes {
                list: vec![Cow::Borrowed(json()?)],
                single: true,
            },
            Self::Expression(expression) => match expression.find(context, captured)? {
                Some(value) => Nodes::one(value.to_json()),
                None => Nodes::none(),
            },
            Self::Text => Nodes::texts(subject.document.into_iter().map(Document::text), true),
            Self::Size => Nodes::one(Json::from(subject.size)),
            Self::Latency => match subject.latency {
                Some(time) => Nodes::one(Json::String(show_time(time))),
                None => Nodes::none(),
            },
            Self::Header(name) => {
                let named = subject.headers.iter();
                let named = named.filter(|(known, _)| known.eq_ignore_ascii_case(name));
                Nodes::texts(named.map(|(_, value)| value.as_str()), false)
            }
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
    for (at, c) in unquoted(text) {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            ' ' | '\t' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// Whether a JSONPath is made of names and indices alone.
fn names_one_place(path: &str) -> bool {
    let many = unquoted(path).any(|(_, c)| matches!(c, '*' | '?' | ':' | ','));
    let mut before = None;
    let descends = unquoted(path).any(|(at, c)| {
        let twice = c == '.' && before == Some(at.wrapping_sub(1));
        before = (c == '.').then_some(at);
        twice
    });
    !many && !descends
}

/// The characters of a JSONPath outside its quotes, with their places.
fn unquoted(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut escaped = false;
    text.char_indices().filter(move |(_, c)| {
        match (quote, *c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(*c),
            (None, _) => return true,
        }
        false
    })
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

/// A value as it stands in a text: a string without quotes, anything else as JSON.
fn plain(node: &Json) -> Cow<'_, str> {
    match node {
        Json::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
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
        if let Err(failed) = check.apply(subject, context, captures) {
            return Err(Mismatch::Check {
                check: check.raw.clone(),
                came: failed.shown(check),
            });
        }
    }
    Ok(())
}

/// As [`apply`], for whom it is enough to know whether all of them hold.
pub(crate) fn hold(
    checks: &[Check],
    subject: &Subject<'_>,
    context: &Context<'_>,
    captures: &mut Captures,
) -> bool {
    checks
        .iter()
        .all(|check| check.apply(subject, context, captures).is_ok())
}

/// Why a check does not hold.
enum Failed<'a> {
    /// Of these values.
    Of(Nodes<'a>),
    /// Something went wrong.
    Said(String),
}

impl Check {
    fn apply<'a>(
        &self,
        subject: &Subject<'a>,
        context: &Context<'_>,
        captures: &mut Captures,
    ) -> Result<(), Failed<'a>> {
        let what = self.what();
        let nodes = what
            .values(subject, context, captures)
            .map_err(Failed::Said)?;
        match &self.kind {
            CheckKind::Holds { predicate, .. } => {
                let typed = matches!(what.query, Query::JsonPath(..) | Query::Json);
                match predicate.holds(&nodes, typed, context, captures) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(Failed::Of(nodes)),
                    Err(why) => Err(Failed::Said(why)),
                }
            }
            CheckKind::Capture { name, .. } => match nodes.list.into_iter().next() {
                Some(node) => {
                    captures.push((name.clone(), Value::from_json(node.into_owned())));
                    Ok(())
                }
                None => Err(Failed::Of(Nodes::none())),
            },
        }
    }
}

/// Bytes of a value that a failure shows.
const MOST_SHOWN: usize = 1000;

impl Failed<'_> {
    /// What the check was applied to, or what went wrong.
    fn shown(self, check: &Check) -> String {
        let nodes = match self {
            Self::Said(why) => return why,
            Self::Of(nodes) => nodes,
        };
        if nodes.list.is_empty() {
            return "nothing is there".into();
        }
        if let Some(remark) = check.predicate().and_then(|own| own.remark(&nodes)) {
            return remark;
        }
        let latency = matches!(check.what().query, Query::Latency);
        let mut shown = String::new();
        for node in &nodes.list {
            if !shown.is_empty() {
                shown.push_str(", ");
            }
            if shown.len() > MOST_SHOWN {
                shown.push('…');
                break;
            }
            match latency {
                true => shown.push_str(&plain(node)),
                false => shown.push_str(&node.to_string()),
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests;
