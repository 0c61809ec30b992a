//! Expressions inside holes, evaluated by MiniJinja with undefined names being errors.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use minijinja::value::Object;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value as Dynamic};
use regex::Regex;

use crate::diagnostic::closest;
use crate::scope::Context;
use crate::value::Value;
use crate::world::World;

/// The names that every expression can use, beside those that the talk binds.
pub(crate) const BUILT_IN: [&str; 10] = [
    "message", "client", "server", "global", "env", "uuid", "now", "n", "members", "load",
];

/// Names that an expression can use unless the talk binds them itself: what a server knows of what rooms have heard.
pub(crate) const OF_ROOMS: [&str; 3] = ["history", "offset", "epoch"];

/// The filters of MiniJinja, and ours.
pub(crate) const FILTERS: [&str; 48] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "regex_replace",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
    "zip",
    "capitalize",
];

/// The tests of MiniJinja that are words.
pub(crate) const TESTS: [&str; 33] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "upper",
];

/// What an expression asks for that there is not: a filter or a test, with the one that looks like it.
fn unknown_word(source: &str) -> Option<String> {
    let words = Words { source, at: 0 };
    let mut before = "";
    let mut before_that = "";
    for word in words {
        let filter = before == "|";
        let test = before == "is" || (before == "not" && before_that == "is");
        let named = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let (known, what): (&[&str], _) = if filter {
            (&FILTERS, "filter")
        } else {
            (&TESTS, "test")
        };
        // `true` and `undefined` are values as well as tests.
        let missing = !known.contains(&word) && !matches!(word, "not" | "true" | "undefined");
        if named && (filter || test) && missing {
            let near = closest(word, known.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?"));
            return Some(format!(
                "there is no {what} `{word}`{}",
                near.unwrap_or_default()
            ));
        }
        before_that = before;
        before = word;
    }
    None
}

/// The words and signs of an expression outside its quotes.
struct Words<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = &self.source[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let rest = &self.source[start..];
        let first = rest.chars().next()?;
        let length = if matches!(first, '"' | '\'') {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == first && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |(end, _)| end + 1)
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        self.at = start + length;
        Some(&rest[..length])
    }
}

/// The longest expression, without what stands in quotes: MiniJinja goes deeper with each operator.
const MOST_CODE: usize = 512;

/// Bytes of an expression outside its quotes.
fn code_length(source: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut length = 0;
    for byte in source.bytes() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None => {
                length += 1;
                if matches!(byte, b'"' | b'\'') {
                    quote = Some(byte);
                }
            }
        }
    }
    length
}

/// The functions of MiniJinja itself.
pub(crate) const FUNCTIONS: [&str; 4] = ["range", "dict", "debug", "namespace"];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter(
        "regex_replace",
        |text: String, pattern: String, replacement: String| {
            regex_replace(&text, &pattern, &replacement)
        },
    );
    environment
});

type Compiled = minijinja::Expression<'static, 'static>;

/// An expression that is known to compile.
#[derive(Clone)]
pub(crate) struct Expression {
    source: Arc<str>,
    /// Made anew when it is first evaluated: of a text of a few letters MiniJinja makes kilobytes, and a talk that is
    /// only looked through needs none of them.
    compiled: Arc<OnceLock<Compiled>>,
    /// The names it takes from outside.
    names: Arc<[String]>,
    /// The fields that it takes of them: `client.id`.
    fields: Arc<[String]>,
    /// Whether it looks for a field in `message`.
    message_fields: bool,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.source)
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn compile(source: &str) -> Result<Self, String> {
        if code_length(source) > MOST_CODE {
            return Err(format!(
                "it is longer than {MOST_CODE} characters, texts in quotes aside"
            ));
        }
        let compiled = compiled(source)?;
        if let Some(what) = unknown_word(source) {
            return Err(what);
        }
        let mut names: Vec<String> = compiled.undeclared_variables(false).into_iter().collect();
        names.sort();
        let mut fields: Vec<String> = compiled
            .undeclared_variables(true)
            .into_iter()
            .filter(|name| name.contains('.'))
            .collect();
        fields.sort();
        let message_fields =
            fields.iter().any(|name| name.starts_with("message.")) || source.contains("message[");
        Ok(Self {
            source: source.into(),
            compiled: Arc::default(),
            names: names.into(),
            fields: fields.into(),
            message_fields,
        })
    }

    /// The names it takes from outside, sorted.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The fields that it takes of those names, sorted: `client.id`, `message.items`.
    pub(crate) fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Whether it says what holds in place of what is not there.
    pub(crate) fn has_default(&self) -> bool {
        Words {
            source: &self.source,
            at: 0,
        }
        .any(|word| matches!(word, "default" | "d" | "defined" | "undefined"))
    }

    /// The value of the expression here; `captured` wins over what the context knows.
    ///
    /// # Errors
    /// A sentence: a name that is not bound, a field that is not there, a filter that failed.
    pub(crate) fn evaluate(
        &self,
        context: &Context<'_>,
        captured: &[(String, Value)],
    ) -> Result<Value, String> {
        self.find(context, captured)?
            .ok_or_else(|| format!("`{}` is not there", self.source))
    }

    /// The value of the expression, or `None` if it names a field that is not there.
    ///
    /// # Errors
    /// A sentence: a name that is not bound, a filter that failed.
    pub(crate) fn find(
        &self,
        context: &Context<'_>,
        captured: &[(String, Value)],
    ) -> Result<Option<Value>, String> {
        if let [name] = &self.names[..]
            && *name == *self.source
        {
            // A plain name keeps its value as it is: an expression would round a number to a double.
            let own = captured.iter().rev().find(|(known, _)| known == name);
            if let Some(value) = own
                .map(|(_, value)| value.clone())
                .or_else(|| context.looked_at(name))
            {
                return Ok(Some(value));
            }
            if !BUILT_IN.contains(&name.as_str()) && !OF_ROOMS.contains(&name.as_str()) {
                return Err(format!("`{name}` is not bound here"));
            }
        }
        let mut names: BTreeMap<String, Dynamic> = BTreeMap::new();
        let mut unbound = None;
        for name in self.names.iter() {
            let own = captured.iter().rev().find(|(known, _)| known == name);
            let value = match own {
                Some((_, value)) => Some(value.to_expression()),
                None => context.expression_value(name, self.message_fields),
            };
            if let Some(value) = value {
                names.insert(name.clone(), value);
            } else if name == "message" && self.message_fields && context.message.is_some() {
                return Err(format!(
                    "`{}` reads the message as JSON, but it is not JSON",
                    self.source
                ));
            } else if !FUNCTIONS.contains(&name.as_str()) {
                unbound = unbound.or(Some(name));
            }
        }
        let compiled = match self.compiled.get() {
            Some(compiled) => compiled,
            None => {
                let compiled = compiled(&self.source)?;
                self.compiled.get_or_init(|| compiled)
            }
        };
        compiled
            .eval(Dynamic::from_pairs(names))
            .map(|value| (!value.is_undefined()).then(|| Value::from_expression(&value)))
            .map_err(|error| match unbound {
                Some(name) => format!("`{}`: `{name}` is not bound here", self.source),
                None => format!("`{}`: {}", self.source, sentence(&error)),
            })
    }
}

fn compiled(source: &str) -> Result<Compiled, String> {
    ENVIRONMENT
        .compile_expression_owned(source.to_owned())
        .map_err(|error| sentence(&error))
}

/// `env`: a name is looked up when it is asked for.
pub(crate) struct Variables(pub(crate) Arc<dyn World>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the environment")
    }
}

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Dynamic) -> Option<Dynamic> {
        self.0.variable(key.as_str()?).map(Dynamic::from)
    }
}

/// `now()` gives seconds, `now(FORMAT)` the local time.
pub(crate) fn now(world: Arc<dyn World>) -> Dynamic {
    Dynamic::from_function(move |format: Option<String>| match format {
        None => Ok(Dynamic::from(world.unix_time())),
        Some(format) => world
            .local_time(&format)
            .map(Dynamic::from)
            .map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason)),
    })
}

/// Regexes are compiled once. A talk has a few; one that makes them up as it goes is held at this many.
const CACHED_REGEXES: usize = 64;
static REGEXES: LazyLock<Mutex<BTreeMap<String, Regex>>> = LazyLock::new(Mutex::default);

/// `text|regex_replace(PATTERN, REPLACEMENT)`: every match is replaced; `$1` stands for a group.
fn regex_replace(text: &str, pattern: &str, replacement: &str) -> Result<String, Error> {
    let mut cache = REGEXES
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let regex = if let Some(regex) = cache.get(pattern) {
        regex.clone()
    } else {
        let regex = Regex::new(pattern).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim().to_owned();
            Error::new(
                ErrorKind::InvalidOperation,
                format!("`{pattern}` is not a regular expression: {reason}"),
            )
        })?;
        if cache.len() >= CACHED_REGEXES {
            cache.clear();
        }
        cache.insert(pattern.to_owned(), regex.clone());
        regex
    };
    drop(cache);
    Ok(regex.replace_all(text, replacement).into_owned())
}

/// MiniJinja's error without its place, which is one inside the hole.
fn sentence(error: &Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether MiniJinja, as it is built here, knows the word as a filter or test.
    fn known(word: &str, what: &str) -> bool {
        let asked = format!("'{word}' is {what}");
        let expression = ENVIRONMENT
            .compile_expression(&asked)
            .expect("an expression");
        expression.eval(()).expect("a value").is_true()
    }

    #[test]
    fn the_words_that_are_listed_are_those_there_are() {
        let missing: Vec<&str> = FILTERS
            .into_iter()
            .filter(|word| !known(word, "filter"))
            .collect();
        assert_eq!(missing, [""; 0], "filters");
        let missing: Vec<&str> = TESTS
            .into_iter()
            .filter(|word| !known(word, "test"))
            .collect();
        assert_eq!(missing, [""; 0], "tests");
    }

    #[test]
    fn a_word_that_is_not_there_is_told_when_it_is_read() {
        for (source, expected) in [
            ("a|uper", "there is no filter `uper`; did you mean `upper`?"),
            ("a | first|frobnicate", "there is no filter `frobnicate`"),
            (
                "a is definde",
                "there is no test `definde`; did you mean `defined`?",
            ),
            (
                "a is not evn",
                "there is no test `evn`; did you mean `even`?",
            ),
        ] {
            assert_eq!(
                Expression::compile(source).map(|_| ()),
                Err(expected.to_owned()),
                "{source}"
            );
        }
        for source in [
            "'|uper'",
            "a|upper|d('is x')",
            "a is not none",
            "a is undefined",
            "is_x",
            "a is true",
        ] {
            assert!(
                Expression::compile(source).is_ok(),
                "{source}: {:?}",
                Expression::compile(source)
            );
        }
    }
    #[test]
    fn an_expression_takes_no_room_before_it_is_evaluated() {
        let expression = Expression::compile("1 + 1").expect("an expression");
        assert!(expression.compiled.get().is_none());
        let twin = expression.clone();
        let world = crate::testing::Scene::with("");
        for _ in 0..2 {
            let two = expression.evaluate(&world.context(), &[]);
            assert_eq!(two.map(|two| two.to_string()), Ok("2".to_owned()));
        }
        assert!(twin.compiled.get().is_some(), "clones share it");
    }
}
