//! What a talk is given from a test, and where it is found.

use std::{
    env,
    ffi::OsString,
    fmt::Write,
    path::{Path, PathBuf},
};

use wiretalk_engine::load::Loaded;
use wiretalk_talk::{Bindings, Value};

use crate::{Blame, Error, ErrorKind};

/// Variables from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    variables: Bindings,
    /// The first name that no variable can have, and why.
    wrong: Option<String>,
}

impl Given {
    pub(crate) fn variable(&mut self, name: &str, value: &str) {
        match wiretalk_talk::may_be_bound(name) {
            Ok(()) => {
                self.variables.insert(name.to_owned(), Value::read(value));
            }
            Err(why) => {
                self.wrong.get_or_insert(why);
            }
        }
    }

    /// The variables.
    ///
    /// # Errors
    /// `InvalidInput` for a name that no variable can have.
    pub(crate) fn variables(self) -> Result<Bindings, Error> {
        match self.wrong {
            Some(why) => Err(Error::new(ErrorKind::InvalidInput, Blame::Us, why)),
            None => Ok(self.variables),
        }
    }
}

/// A path from the folder of a package, shown from the current folder if it is below that.
pub(crate) fn shown_path(package: Option<OsString>, path: &Path) -> PathBuf {
    let path = match package {
        Some(package) => Path::new(&package).join(path),
        None => path.to_owned(),
    };
    let current = env::current_dir().ok();
    let below = current.and_then(|current| path.strip_prefix(current).ok().map(Path::to_owned));
    below.unwrap_or(path)
}

/// Why a talk cannot be played: each of its mistakes with its place; `None` if it can.
pub(crate) fn unusable(loaded: &Loaded) -> Option<String> {
    if !loaded.has_errors() {
        return None;
    }
    let source = loaded.source();
    let mut text = "the talk has mistakes, so it is not played".to_owned();
    for found in loaded.diagnostics.iter().filter(|found| found.is_error()) {
        let (line, column) = source.position(found.span.start);
        let name = source.name();
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {name}:{line}:{column}: {}", found.what);
        if !found.mend.is_empty() {
            let _ = write!(text, ": {}", found.mend);
        }
        let _ = write!(text, "\n    {}", source.line(line));
    }
    Some(text)
}
