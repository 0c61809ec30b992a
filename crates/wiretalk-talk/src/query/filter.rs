//! Filters between a query and its predicate: `count`, `first`, `split "," …`. They go by the names that Hurl has.
//!
//! To add one: a variant, a line in [`Filter::parse`] and in [`NAMES`], and what it does in [`Filter::apply`].

use std::borrow::Cow;

use regex::Regex;
use serde_json_path::JsonPath;

use super::{Node, Nodes, compile_path, path_length, plain};
use crate::value::{Json, number};

/// What a filter makes of what a query gave.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    /// How many nodes, or how many items, members or characters in a single one.
    Count,
    First,
    Last,
    Nth(usize),
    Split(String),
    Replace(String, String),
    ReplaceRegex(Regex, String),
    /// The first group of the match, or all of it if there is none.
    Regex(Regex),
    /// Into JSON in a text.
    JsonPath(Box<JsonPath>),
    ToInt,
    ToFloat,
    ToString,
}

/// Every name that [`Filter::parse`] knows.
pub(crate) const NAMES: [&str; 12] = [
    "count",
    "first",
    "last",
    "nth",
    "split",
    "replace",
    "replaceRegex",
    "regex",
    "jsonpath",
    "toInt",
    "toFloat",
    "toString",
];

/// What is wrong with a filter: its place in the text, how long it is, what, and how to mend it.
type Fault = super::Fault;

impl Filter {
    /// The filter that a text begins with and how long it is, or `None` if it begins with none.
    pub(super) fn parse(text: &str) -> Result<Option<(Self, usize)>, Fault> {
        let word_end = text.find([' ', '\t']).unwrap_or(text.len());
        let word = &text[..word_end];
        let mut rest = Arguments {
            text,
            at: word_end,
            word,
        };
        let filter = match word {
            "count" => Self::Count,
            "first" => Self::First,
            "last" => Self::Last,
            "toInt" => Self::ToInt,
            "toFloat" => Self::ToFloat,
            "toString" => Self::ToString,
            "nth" => {
                let number = rest.next("a number, counted from 0: `nth 2`")?;
                Self::Nth(number.parse().map_err(|_| {
                    rest.wrong(
                        format!("`{number}` is not a number"),
                        "count from 0: `nth 2`",
                    )
                })?)
            }
            "split" => Self::Split(rest.next("what separates: `split \",\"`")?),
            "replace" => {
                let mend = "what to replace, and by what: `replace \"a\" \"b\"`";
                Self::Replace(rest.next(mend)?, rest.next(mend)?)
            }
            "replaceRegex" => {
                let mend =
                    "an expression, and by what to replace it: `replaceRegex /[0-9]+/ \"N\"`";
                Self::ReplaceRegex(rest.regex(mend)?, rest.next(mend)?)
            }
            "regex" => Self::Regex(rest.regex("an expression: `regex /id=([0-9]+)/`")?),
            "jsonpath" => {
                let mend = "a JSONPath into the text: `jsonpath \"$.name\"`";
                let start = rest.at + (text.len() - rest.at - text[rest.at..].trim_start().len());
                let path = if text[start..].starts_with('$') {
                    let length = path_length(&text[start..]);
                    rest.at = start + length;
                    text[start..start + length].to_owned()
                } else {
                    rest.next(mend)?
                };
                Self::JsonPath(Box::new(
                    compile_path(&path).map_err(|(_, what, mend)| rest.wrong(what, mend))?,
                ))
            }
            _ => return Ok(None),
        };
        Ok(Some((filter, rest.at)))
    }

    /// What the filter makes of `nodes`; none if there is nothing of the kind in them.
    ///
    /// # Errors
    /// A sentence: a value that it cannot work on.
    pub(super) fn apply<'a>(&self, nodes: Nodes<'a>) -> Result<Nodes<'a>, String> {
        let Nodes { list, single } = nodes;
        match self {
            Self::Count => {
                let count = match &list[..] {
                    [] if single => return Ok(Nodes::none()),
                    [only] if single => count_of(only)?,
                    _ => list.len(),
                };
                Ok(Nodes::one(Json::from(count)))
            }
            Self::First => pick(list, single, |length| length.min(1).checked_sub(1)),
            Self::Last => pick(list, single, |length| length.checked_sub(1)),
            Self::Nth(index) => pick(list, single, |length| (*index < length).then_some(*index)),
            _ => {
                let made: Result<Vec<_>, _> =
                    list.into_iter().map(|node| self.made(&node)).collect();
                Ok(Nodes {
                    list: made?.into_iter().flatten().map(Cow::Owned).collect(),
                    single,
                })
            }
        }
    }

    /// What the filter makes of each node.
    fn made(&self, node: &Json) -> Result<Option<Json>, String> {
        let text = || match node {
            Json::String(text) => Ok(text.as_str()),
            other => Err(format!("{other} is not a text")),
        };
        Ok(Some(match self {
            Self::Split(separator) => {
                let parts = text()?.split(separator.as_str());
                Json::Array(parts.map(|part| Json::String(part.to_owned())).collect())
            }
            Self::Replace(from, to) => Json::String(text()?.replace(from.as_str(), to)),
            Self::ReplaceRegex(regex, to) => {
                Json::String(regex.replace_all(text()?, to.as_str()).into_owned())
            }
            Self::Regex(regex) => {
                let found = regex.captures(text()?);
                let part = found.and_then(|found| found.get(1).or_else(|| found.get(0)));
                return Ok(part.map(|part| Json::String(part.as_str().to_owned())));
            }
            Self::JsonPath(path) => {
                let inner: Json = serde_json::from_str(text()?)
                    .map_err(|error| format!("the text is not JSON: {error}"))?;
                return Ok(path.query(&inner).first().cloned());
            }
            Self::ToInt => {
                let shown = plain(node);
                let whole = shown.trim();
                let whole = whole.split_once('.').map_or(whole, |(whole, _)| whole);
                read_number(whole).ok_or_else(|| format!("{node} is not a number"))?
            }
            Self::ToFloat => {
                read_number(plain(node).trim()).ok_or_else(|| format!("{node} is not a number"))?
            }
            Self::ToString => Json::String(plain(node).into_owned()),
            Self::Count | Self::First | Self::Last | Self::Nth(_) => node.clone(),
        }))
    }
}

/// A number as JSON has it, its digits kept.
fn read_number(text: &str) -> Option<Json> {
    let read = number::is_number(text, false).then(|| serde_json::from_str(text));
    read?.ok()
}

fn count_of(node: &Json) -> Result<usize, String> {
    Ok(match node {
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
        Json::String(text) => text.chars().count(),
        other => return Err(format!("{other} is nothing that could be counted")),
    })
}

/// One of the nodes, or of the items of a single one that is an array.
fn pick<'a>(
    mut list: Vec<Node<'a>>,
    single: bool,
    which: impl Fn(usize) -> Option<usize>,
) -> Result<Nodes<'a>, String> {
    if !single {
        let found = which(list.len()).map(|index| list.swap_remove(index));
        return Ok(Nodes {
            list: found.into_iter().collect(),
            single: true,
        });
    }
    let found = match list.pop() {
        None => None,
        Some(Cow::Borrowed(Json::Array(items))) => {
            which(items.len()).map(|index| Cow::Borrowed(&items[index]))
        }
        Some(Cow::Owned(Json::Array(mut items))) => {
            which(items.len()).map(|index| Cow::Owned(items.swap_remove(index)))
        }
        Some(other) => return Err(format!("{other} is not an array")),
    };
    Ok(Nodes {
        list: found.into_iter().collect(),
        single: true,
    })
}

/// What stands behind a filter's name.
struct Arguments<'a> {
    text: &'a str,
    at: usize,
    word: &'a str,
}

impl Arguments<'_> {
    fn wrong(&self, what: String, mend: impl Into<String>) -> Fault {
        (0, self.at, what, mend.into())
    }

    /// The next argument: a text in double quotes, or a word.
    fn next(&mut self, needed: &str) -> Result<String, Fault> {
        let rest = self.text[self.at..].trim_start();
        let start = self.text.len() - rest.len();
        if rest.is_empty() {
            let what = format!("`{}` needs more", self.word);
            return Err(self.wrong(what, format!("write {needed}")));
        }
        if rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            if let Some(Ok(text)) = values.next() {
                self.at = start + values.byte_offset();
                return Ok(text);
            }
            self.at = self.text.len();
            let what = format!("the text behind `{}` has no end", self.word);
            return Err(self.wrong(what, "close it with `\"`"));
        }
        let length = rest.find([' ', '\t']).unwrap_or(rest.len());
        self.at = start + length;
        Ok(rest[..length].to_owned())
    }

    /// The next argument as a regular expression: `/regex/`, or as a text.
    fn regex(&mut self, needed: &str) -> Result<Regex, Fault> {
        let rest = self.text[self.at..].trim_start();
        let start = self.text.len() - rest.len();
        let source = match rest.strip_prefix('/') {
            Some(inner) => {
                let mut escaped = false;
                let end = inner.char_indices().find(|(_, c)| {
                    let ends = *c == '/' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    ends
                });
                let Some((end, _)) = end else {
                    self.at = self.text.len();
                    let what = format!("the expression behind `{}` has no end", self.word);
                    return Err(self.wrong(what, "close it with `/`"));
                };
                self.at = start + end + 2;
                inner[..end].replace("\\/", "/")
            }
            None => self.next(needed)?,
        };
        super::predicate::compile_regex(&source).map_err(|(what, mend)| self.wrong(what, mend))
    }
}
