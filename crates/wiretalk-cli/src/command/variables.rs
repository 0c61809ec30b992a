//! What talks are given from outside: variables, an environment, and which of both is secret.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use wiretalk_engine::Environment;
use wiretalk_engine::load::Loaded;
use wiretalk_engine::record::show;
use wiretalk_engine::redact::Redactor;
use wiretalk_talk::{Bindings, Source, Value};

use crate::terminal::{self, WARNING};

/// What variables of a talk begin with in the environment.
const PREFIX: &str = "WIRETALK_SET_";

/// The options that say what a talk is given.
#[derive(Clone, Debug, Args)]
pub(crate) struct Given {
    /// Set a variable; it wins over `set NAME = …` in the talk, and over `WIRETALK_SET_NAME` in the environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    set: Vec<(String, Value)>,
    /// Read environment variables from a file of lines NAME=VALUE; those of the system win over them
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Show the values of this variable nowhere: `***` stands for them. It may be given several times
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
}

/// What the options come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside {
    /// Variables: they win over `set` lines of the same name.
    pub(crate) variables: Bindings,
    /// Environment variables of `--env-file`.
    pub(crate) environment: Environment,
    /// The names of the variables that are secret.
    pub(crate) secrets: Vec<String>,
}

impl Given {
    /// Reads it all, and keeps the values of secrets out of everything that is written from now on.
    ///
    /// # Errors
    /// A sentence: what is wrong with `--env-file`, or with the form of `--secret`.
    pub(crate) fn read(&self) -> Result<Outside, String> {
        self.secret.iter().try_for_each(|name| secret(name))?;
        let environment = match &self.env_file {
            Some(file) => env_file(file)?,
            None => BTreeMap::new(),
        };
        let mut variables = bindings(
            environment
                .iter()
                .map(|(name, value)| (OsString::from(name), OsString::from(value))),
        );
        variables.append(&mut self::variables(&self.set));
        let outside = Outside {
            variables,
            environment: Arc::new(environment),
            secrets: self.secret.clone(),
        };
        terminal::hide(outside.secret_values());
        Ok(outside)
    }

    /// The file of `--env-file`.
    pub(crate) fn env_file(&self) -> Option<&Path> {
        self.env_file.as_deref()
    }
}

impl Outside {
    /// The names of the variables.
    pub(crate) fn names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    /// Keeps the values that a talk gives its secrets out of everything that is written from now on. To be called
    /// before anything is said about the talk.
    pub(crate) fn hide_secrets_of(&self, talk: &Source) {
        if !self.secrets.is_empty() {
            let values = wiretalk_engine::redact::set_in(talk, &self.secrets);
            terminal::hide(values);
        }
    }

    /// Looks for secrets that are neither given nor named in any of these talks, nor in a file that one of them names:
    /// a name that is mistyped would hide nothing. To be called before anything is said about the talks.
    ///
    /// # Errors
    /// A sentence: which name nothing has.
    pub(crate) fn know_secrets(&self, talks: &[&Loaded]) -> Result<(), String> {
        let unknown = |name: &&String| {
            let given = self.variables.contains_key(*name)
                || self.environment.contains_key(*name)
                || std::env::var_os(name).is_some();
            !given && !talks.iter().any(|talk| names(talk, name))
        };
        let Some(name) = self.secrets.iter().find(unknown) else {
            return Ok(());
        };
        let given = self.variables.keys().chain(self.environment.keys());
        let said = talks.iter().flat_map(|talk| words(talk.source().text()));
        let known = given.map(String::as_str).chain(said);
        let near = match closest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write it as the talk does".to_owned(),
        };
        Err(format!(
            "`--secret {name}` would hide nothing: no variable of this name is given, and no talk names one; {near}"
        ))
    }

    /// A redactor of what is known of the secrets before any talk.
    pub(crate) fn redactor(&self) -> Redactor {
        Redactor::new(self.secret_values())
    }

    /// What the secrets are worth, as far as it is known before any talk.
    fn secret_values(&self) -> Vec<String> {
        let values = self.secrets.iter().flat_map(|name| {
            let variable = self.variables.get(name).map(ToString::to_string);
            let of_file = self.environment.get(name).cloned();
            [variable, of_file, std::env::var(name).ok()]
        });
        values.flatten().collect()
    }
}

/// Whether a talk has this word, or a file that it names.
fn names(talk: &Loaded, name: &str) -> bool {
    let has = |text: &str| words(text).any(|word| word == name);
    let in_file = |file: &PathBuf| {
        // One that cannot be read is told of where the talk is looked over.
        std::fs::read(file).is_ok_and(|bytes| has(&String::from_utf8_lossy(&bytes)))
    };
    has(talk.source().text()) || talk.linked.iter().any(in_file)
}

/// The words of a text, as names have them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| c != '_' && !c.is_alphanumeric());
    parts.filter(|word| !word.is_empty())
}

/// The word that one was most likely meant to be: a third of its characters may differ.
fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let most = (length / 3).max(1);
    let near = known.filter_map(|word| {
        // Words of another length cannot be near, and a long one is not worth a comparison.
        if word.len().abs_diff(name.len()) > 4 * most {
            return None;
        }
        let distance = strsim::osa_distance(name, word);
        (distance <= most && distance < length).then_some((distance, word))
    });
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Looks at the form of a `--secret`. What is no name may be the secret itself, so it is not shown.
fn secret(name: &str) -> Result<(), String> {
    let is_name = |name: &str| {
        let begins = |c: char| c == '_' || c.is_alphabetic();
        name.starts_with(begins) && words(name).next() == Some(name)
    };
    if is_name(name) {
        return Ok(());
    }
    let why = "`--secret` takes a name, not a value";
    Err(match name.split_once('=') {
        Some((name, _)) if is_name(name) => format!(
            "{why}: write `--secret {name}`, and give the value by `WIRETALK_SET_{name}` or `--set`"
        ),
        _ => format!("{why}: write the name of the variable, as in `--secret token`"),
    })
}

/// `NAME=VALUE` of `--set`.
pub(super) fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write NAME=VALUE: `--set url=ws://127.0.0.1:4000`")?;
    wiretalk_talk::may_be_bound(name)?;
    Ok((name.to_owned(), Value::read(value)))
}

/// The variables of `WIRETALK_SET_NAME` and of `--set`, which wins.
pub(super) fn variables(set: &[(String, Value)]) -> Bindings {
    let mut variables = bindings(std::env::vars_os());
    variables.extend(set.iter().cloned());
    variables
}

/// The variables of `WIRETALK_SET_NAME` in an environment.
fn bindings(environment: impl Iterator<Item = (OsString, OsString)>) -> Bindings {
    environment
        .filter_map(|(name, value)| {
            let name = name.to_string_lossy();
            let bare = name.strip_prefix(PREFIX)?;
            match from_environment(bare, value) {
                Ok(value) => Some((bare.to_owned(), value)),
                Err(why) => {
                    let name = show(name.as_bytes(), false, 100);
                    let why = show(why.as_bytes(), false, 300);
                    terminal::err(&format!(
                        "{WARNING}warning{WARNING:#}: the environment variable `{name}` is ignored: {why}"
                    ));
                    None
                }
            }
        })
        .collect()
}

fn from_environment(name: &str, value: OsString) -> Result<Value, String> {
    wiretalk_talk::may_be_bound(name)?;
    match value.into_string() {
        Ok(value) => Ok(Value::read(&value)),
        Err(_) => Err("its value is not UTF-8".to_owned()),
    }
}

/// The variables of a file. Nothing of it is put into the environment of this program.
fn env_file(file: &Path) -> Result<BTreeMap<String, String>, String> {
    let shown = file.display();
    let text = wiretalk_engine::load::read(file).map_err(|error| error.to_string())?;
    let lines = dotenvy::from_read_iter(text.as_bytes());
    lines
        .collect::<Result<_, _>>()
        .map_err(|error| match error {
            // The line may hold a secret: where it is says enough.
            dotenvy::Error::LineParse(line, at) => {
                let number = text.lines().position(|own| own.trim() == line.trim());
                let number = number.map_or(String::new(), |index| format!(", line {}", index + 1));
                format!(
                    "`{shown}`{number} cannot be read from character {} on: write NAME=VALUE, in quotes if the value has blanks",
                    at + 1
                )
            }
            other => format!("cannot read `{shown}`: {other}"),
        })
}
