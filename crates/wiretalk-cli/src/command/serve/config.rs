//! Options from a file, as if they stood on the command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How near a key must be to an option for which it may have been meant.
const NEAR: f64 = 0.8;

/// The arguments with those of the file that `serve --config FILE` names; an option that is given on the command line is
/// taken from there alone.
///
/// # Errors
/// What is wrong with the file, as sentences with their places.
pub(crate) fn with_file(
    mut arguments: Vec<OsString>,
    serve: &Command,
) -> Result<Vec<OsString>, String> {
    let Some(file) = file_of(&arguments) else {
        return Ok(arguments);
    };
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("--config: cannot read `{}`: {error}", file.display()))?;
    let taken = |arg: &Arg| arguments.iter().any(|argument| names(argument, arg));
    let added = options(&file, &text, serve, taken)?;
    // Behind `--` there are files only.
    let end = arguments.iter().position(|argument| argument == "--");
    let end = end.unwrap_or(arguments.len());
    arguments.splice(end..end, added);
    Ok(arguments)
}

/// The file that `--config` names.
fn file_of(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments
        .iter()
        .skip_while(|argument| *argument != "serve")
        .take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        let joined = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--config="));
        if let Some(file) = joined {
            return Some(PathBuf::from(file));
        }
    }
    None
}

/// Whether an argument gives this option.
fn names(argument: &OsStr, arg: &Arg) -> bool {
    let Some(text) = argument.to_str() else {
        return false;
    };
    if let Some(long) = text.strip_prefix("--") {
        let long = long.split('=').next();
        let aliases = arg.get_all_aliases().unwrap_or_default();
        return long == arg.get_long() || long.is_some_and(|long| aliases.contains(&long));
    }
    let short = text
        .strip_prefix('-')
        .and_then(|short| short.chars().next());
    short.is_some() && short == arg.get_short()
}

fn options(
    file: &Path,
    text: &str,
    serve: &Command,
    taken: impl Fn(&Arg) -> bool,
) -> Result<Vec<OsString>, String> {
    let place = |at: usize| {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        format!("{}:{line}:{column}", file.display())
    };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        format!("{}: {}", place(at), error.message())
    })?;
    let mut wrong = Vec::new();
    let mut added = Vec::new();
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        let known = |arg: &&Arg| arg.get_long() == Some(name) && !is_beside(name);
        let Some(arg) = serve.get_arguments().find(known) else {
            let at = place(key.span().start);
            wrong.push(format!("{at}: {}", unknown(name, value.get_ref(), serve)));
            continue;
        };
        if taken(arg) {
            continue;
        }
        match arguments(name, arg, value) {
            Ok(arguments) => added.extend(arguments),
            Err(why) => wrong.push(format!("{}: {why}", place(value.span().start))),
        }
    }
    match wrong.is_empty() {
        true => Ok(added),
        false => Err(wrong.join("\n")),
    }
}

/// What makes no sense in a file.
fn is_beside(name: &str) -> bool {
    matches!(name, "config" | "help" | "version" | "color")
}

fn unknown(name: &str, value: &DeValue<'_>, serve: &Command) -> String {
    if matches!(value, DeValue::Table(_)) {
        return format!("`[{name}]` is no option: keys stand at the top, without sections");
    }
    let options = serve.get_arguments().filter_map(Arg::get_long);
    let nearest = options
        .filter(|option| !is_beside(option))
        .map(|option| (strsim::jaro_winkler(name, option), option))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((near, option)) if near >= NEAR => {
            format!("there is no option `{name}`: `{option}`, perhaps?")
        }
        _ => format!(
            "there is no option `{name}`: keys are the options of `wiretalk serve --help`, without `--`"
        ),
    }
}

/// A key and its value as arguments.
fn arguments(name: &str, arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<OsString>, String> {
    let takes_value = arg.get_action().takes_values();
    let joined = |text: &str| vec![OsString::from(format!("--{name}={text}"))];
    match value.get_ref() {
        DeValue::Boolean(false) if !takes_value || is_optional(arg) => Ok(Vec::new()),
        DeValue::Boolean(true) if !takes_value || is_optional(arg) => {
            Ok(vec![OsString::from(format!("--{name}"))])
        }
        _ if !takes_value => Err(format!("`{name}` is `true` or `false`")),
        DeValue::String(text) => Ok(joined(text)),
        DeValue::Integer(number) if number.radix() == 10 => Ok(joined(number.as_str())),
        DeValue::Float(number) => Ok(joined(number.as_str())),
        DeValue::Array(values) if is_repeatable(arg) => {
            let each = values.iter().map(|value| arguments(name, arg, value));
            Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
        }
        DeValue::Array(_) => Err(format!("`{name}` has one value, not a list")),
        _ => Err(format!("`{name}` is a text in quotes, or a number")),
    }
}

fn is_optional(arg: &Arg) -> bool {
    arg.get_num_args()
        .is_some_and(|range| range.min_values() == 0)
}

fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), clap::ArgAction::Append)
}
