//! Predicates: what must hold of every value that a query gives.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::Duration;

use regex::{Regex, RegexBuilder};

use super::schema::Schema;
use super::{Nodes, Query, plain, split_word};
use crate::diagnostic::closest;
use crate::expression::Expression;
use crate::pattern::Captures;
use crate::scope::Context;
use crate::source::Span;
use crate::syntax::{FileName, duration};
use crate::value::{Json, Value, json_equal, number};

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
    Schema(Schema),
    Exists,
    IsEmpty,
    IsString,
    IsNumber,
    IsInteger,
    IsFloat,
    IsBoolean,
    IsObject,
    IsList,
    IsUuid,
    IsIsoDate,
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
    Value(Json),
    Time(Duration),
    Expression(Expression),
}

/// What is wrong, and how to mend it.
type Fault = (String, String);

/// The words of predicates that stand alone.
const ALONE: [(&str, Test); 11] = [
    ("exists", Test::Exists),
    ("isEmpty", Test::IsEmpty),
    ("isString", Test::IsString),
    ("isNumber", Test::IsNumber),
    ("isInteger", Test::IsInteger),
    ("isFloat", Test::IsFloat),
    ("isBoolean", Test::IsBoolean),
    ("isObject", Test::IsObject),
    ("isList", Test::IsList),
    ("isUuid", Test::IsUuid),
    ("isIsoDate", Test::IsIsoDate),
];

/// The words that take a value.
pub(crate) const WITH_VALUE: [&str; 5] =
    ["startsWith", "endsWith", "contains", "matches", "schema"];

/// The words of all predicates that are no signs.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let alone = ALONE.iter().map(|(name, _)| *name);
    WITH_VALUE.into_iter().chain(alone).chain(["not"])
}

impl Predicate {
    /// A predicate on the values of a query. `at` is where `text` stands in the talk.
    pub(super) fn parse(text: &str, query: &Query, at: usize) -> Result<Self, Fault> {
        let (mut word, mut rest) = split_word(text);
        let mut not = false;
        while word == "not" {
            not = !not;
            (word, rest) = split_word(rest);
        }
        let rest_at = at + text.len() - rest.len();
        let test = Self::test(word, rest, query, rest_at)?;
        Ok(Self { not, test })
    }

    /// That a whole message satisfies a schema.
    pub(super) fn schema(path: &str, at: usize) -> Result<Self, Fault> {
        Ok(Self {
            not: false,
            test: schema(path, at)?,
        })
    }

    fn test(word: &str, rest: &str, query: &Query, at: usize) -> Result<Test, Fault> {
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
        if operator.is_none() && !WITH_VALUE.contains(&word) {
            return Err(unknown(word));
        }
        if rest.is_empty() {
            let example = match word {
                "schema" => "`schema item.schema.json`".to_owned(),
                "matches" => "`matches /^a+$/`".to_owned(),
                _ => format!("`{word} \"text\"` or `{word} 10`"),
            };
            return Err((
                format!("`{word}` needs a value"),
                format!("write it behind: {example}"),
            ));
        }
        match word {
            "matches" => {
                let source = rest
                    .strip_prefix('/')
                    .and_then(|rest| rest.strip_suffix('/'))
                    .map_or_else(
                        || serde_json::from_str(rest).unwrap_or_else(|_| rest.to_owned()),
                        str::to_owned,
                    );
                return compile_regex(&source).map(Test::Matches);
            }
            "schema" => return schema(rest, at),
            _ => {}
        }
        let operand = Operand::parse(rest, query)?;
        Ok(match (operator, word) {
            (Some(operator), _) => Test::Compare(operator, operand),
            (None, "startsWith") => Test::StartsWith(operand),
            (None, "endsWith") => Test::EndsWith(operand),
            (None, _) => Test::Contains(operand),
        })
    }

    /// The expression in its value, if there is one.
    pub(super) fn expression(&self) -> Option<&Expression> {
        match &self.test {
            Test::Compare(_, Operand::Expression(expression))
            | Test::StartsWith(Operand::Expression(expression))
            | Test::EndsWith(Operand::Expression(expression))
            | Test::Contains(Operand::Expression(expression)) => Some(expression),
            _ => None,
        }
    }

    /// The schema that it looks at, if it does.
    pub(crate) fn its_schema(&self) -> Option<&Schema> {
        match &self.test {
            Test::Schema(schema) => Some(schema),
            _ => None,
        }
    }

    /// Whether it holds of every node, and there is one.
    ///
    /// # Errors
    /// A sentence: an expression in it failed.
    pub(super) fn holds(
        &self,
        nodes: &Nodes<'_>,
        typed: bool,
        context: &Context<'_>,
        captured: &Captures,
    ) -> Result<bool, String> {
        if matches!(self.test, Test::Exists) {
            return Ok(nodes.list.is_empty() == self.not);
        }
        if nodes.list.is_empty() {
            return Ok(false);
        }
        for node in &nodes.list {
            if self.test.holds(node, typed, context, captured)? == self.not {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is to be said of nodes of which it does not hold, beside the nodes themselves.
    pub(super) fn remark(&self, nodes: &Nodes<'_>) -> Option<String> {
        match &self.test {
            Test::Schema(schema) if !self.not => {
                let failing = |node: &&super::Node<'_>| !schema.holds(node).unwrap_or(true);
                let failing = nodes.list.iter().find(failing)?;
                Some(schema.why_not(failing))
            }
            _ => None,
        }
    }
}

fn unknown(word: &str) -> Fault {
    if word.is_empty() {
        let what = "the check says nothing of what must hold";
        return (what.into(), all_predicates());
    }
    let what = format!("`{word}` is neither a filter nor a predicate");
    let mend = match closest(word, names().chain(super::filter::NAMES)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "{}; the filters are {}",
            all_predicates(),
            super::filter::NAMES.join(" ")
        ),
    };
    (what, mend)
}

fn all_predicates() -> String {
    let words: Vec<&str> = names().filter(|name| *name != "not").collect();
    format!(
        "the predicates are == != < <= > >= {}, and `not` before any of them",
        words.join(" ")
    )
}

fn schema(path: &str, at: usize) -> Result<Test, Fault> {
    let mend = "write a path relative to the talk: `? schema item.schema.json`";
    if path.is_empty() {
        return Err(("`schema` needs the name of a file".into(), mend.into()));
    }
    if path.contains("{{") {
        let what = "a file's name has no holes: files are read before anything is played";
        return Err((what.into(), mend.into()));
    }
    Ok(Test::Schema(Schema::new(FileName {
        span: Span::new(at, at + path.len()),
        path: path.to_owned(),
    })))
}

/// What a compiled regular expression may take, in bytes.
const REGEX_SIZE: usize = 2 * 1024 * 1024;

/// A regular expression that may match anywhere in a text.
pub(super) fn compile_regex(source: &str) -> Result<Regex, Fault> {
    let mend = "the syntax is that of the Rust crate `regex`";
    if source.len() > crate::syntax::MOST_REGEX {
        let what = format!(
            "the regular expression is longer than {} bytes",
            crate::syntax::MOST_REGEX
        );
        return Err((what, "shorten it".into()));
    }
    RegexBuilder::new(source)
        .size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            let what = format!("`{source}` is not a regular expression: {reason}");
            (what, mend.to_owned())
        })
}

impl Test {
    fn holds(
        &self,
        node: &Json,
        typed: bool,
        context: &Context<'_>,
        captured: &Captures,
    ) -> Result<bool, String> {
        let text = || plain(node);
        let with = |operand: &Operand, test: fn(&str, &str) -> bool| {
            let operand = operand.value(context, captured)?;
            Ok::<_, String>(test(&text(), &plain(&operand)))
        };
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
                    true if node.is_string() != operand.is_string() => None,
                    _ => compare(node, &operand),
                })
            }
            Self::StartsWith(operand) => with(operand, |text, part| text.starts_with(part))?,
            Self::EndsWith(operand) => with(operand, |text, part| text.ends_with(part))?,
            Self::Contains(operand) => match node {
                Json::Array(items) => {
                    let operand = operand.value(context, captured)?;
                    items.iter().any(|item| json_equal(item, &operand))
                }
                _ => with(operand, |text, part| text.contains(part))?,
            },
            Self::Matches(regex) => regex.is_match(&text()),
            Self::Schema(schema) => schema.holds(node)?,
            Self::Exists => true,
            Self::IsEmpty => match node {
                Json::String(text) => text.is_empty(),
                Json::Array(items) => items.is_empty(),
                Json::Object(members) => members.is_empty(),
                _ => false,
            },
            Self::IsString => node.is_string(),
            Self::IsNumber => node.is_number(),
            Self::IsInteger => {
                matches!(node, Json::Number(n) if number::is_number(n.as_str(), true))
            }
            Self::IsFloat => {
                matches!(node, Json::Number(n) if !number::is_number(n.as_str(), true))
            }
            Self::IsBoolean => node.is_boolean(),
            Self::IsObject => node.is_object(),
            Self::IsList => node.is_array(),
            Self::IsUuid => is_of_type("uuid", &text()),
            Self::IsIsoDate => is_of_type("datetime", &text()),
        })
    }
}

fn is_of_type(name: &str, text: &str) -> bool {
    crate::types::lookup(name).is_ok_and(|ty| ty.accepts_text(text))
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
    fn parse(text: &str, query: &Query) -> Result<Self, Fault> {
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
        Ok(Self::Value(Value::read(text).to_json()))
    }

    fn value<'a>(
        &'a self,
        context: &Context<'_>,
        captured: &Captures,
    ) -> Result<Cow<'a, Json>, String> {
        match self {
            Self::Value(value) => Ok(Cow::Borrowed(value)),
            Self::Time(time) => Ok(Cow::Owned(Json::String(super::show_time(*time)))),
            Self::Expression(expression) => {
                let value = expression.evaluate(context, captured)?;
                Ok(Cow::Owned(value.to_json()))
            }
        }
    }
}

/// How two values compare: numbers by value, texts by their characters, anything else only for equality.
fn compare(a: &Json, b: &Json) -> Option<Ordering> {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => number::compare(a.as_str(), b.as_str()),
        (Json::String(a), Json::String(b)) => Some(a.cmp(b)),
        // A number that was captured from a text, or set as one.
        (Json::String(a), Json::Number(b)) => number::compare(a, b.as_str()),
        (Json::Number(a), Json::String(b)) => number::compare(a.as_str(), b),
        (a, b) if json_equal(a, b) => Some(Ordering::Equal),
        _ => None,
    }
}
