//! Talks from files.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use wiretalk_talk::player::Plan;
use wiretalk_talk::{Diagnostic, NotUtf8, Parsed, Role, Source, Talk};

/// The largest talk that is read: 256 MiB, which is a long recording.
pub const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// A talk that was read, with all that was found about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The talk.
    pub talk: Talk,
    /// What is wrong with it, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// A talk from its text; `name` is what it is called in messages.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let Parsed { talk, diagnostics } = wiretalk_talk::parse(name, text);
        Self { talk, diagnostics }
    }

    /// Looks it over for each role that it has lines for; `given` are the names that come from outside.
    #[must_use]
    pub fn check_all(self, given: &[String]) -> Self {
        let plan = self.plan();
        let tests = plan.tests().next().is_some();
        let roles: &[Role] = match (plan.serves(), tests) {
            (true, true) => &[Role::Test, Role::Mock],
            (true, false) => &[Role::Mock],
            (false, _) => &[Role::Test],
        };
        roles
            .iter()
            .fold(self, |loaded, role| loaded.check(*role, given))
    }

    /// Its text and name.
    #[must_use]
    pub fn source(&self) -> &Source {
        self.talk.source()
    }

    /// Looks it over for a role; `given` are the names that come from outside.
    #[must_use]
    pub fn check(mut self, role: Role, given: &[String]) -> Self {
        self.diagnostics
            .extend(wiretalk_talk::check(&self.talk, role, given));
        // What is said of both roles, or by the parser already, stands side by side then.
        self.diagnostics.sort_by(|a, b| {
            (a.span, b.severity, &a.what, &a.mend).cmp(&(b.span, a.severity, &b.what, &b.mend))
        });
        self.diagnostics.dedup();
        self
    }

    /// Whether it cannot be played.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The talk taken apart, to be played.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        Arc::new(Plan::new(&self.talk))
    }
}

/// Why a file is no talk.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Unreadable {
        /// The path, as it was given.
        path: String,
        /// Why.
        reason: String,
    },
    /// It is larger than [`MOST_BYTES`].
    #[error("`{path}` is too large: a talk has {MOST_BYTES} bytes at the most")]
    TooLarge {
        /// The path, as it was given.
        path: String,
    },
    /// It is not UTF-8.
    #[error("`{path}` is not UTF-8: {place}")]
    NotUtf8 {
        /// The path, as it was given.
        path: String,
        /// The first byte that is wrong.
        place: NotUtf8,
    },
}

/// Reads the text of a talk from a file.
///
/// # Errors
/// See [`LoadError`].
pub fn read(path: &Path) -> Result<String, LoadError> {
    let shown = path.display().to_string();
    match std::fs::File::open(path) {
        Ok(file) => read_from(&shown, file),
        Err(error) => Err(unreadable(&shown, &error)),
    }
}

/// Reads the text of a talk; `name` is what it is called in errors. No more than [`MOST_BYTES`] are taken, whatever
/// the system says of its size: a device or a pipe has none.
///
/// # Errors
/// See [`LoadError`].
pub fn read_from(name: &str, from: impl Read) -> Result<String, LoadError> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(LoadError::TooLarge { path: name.into() });
    }
    match wiretalk_talk::decode(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(place) => Err(LoadError::NotUtf8 {
            path: name.into(),
            place,
        }),
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> LoadError {
    LoadError::Unreadable {
        path: name.into(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        },
    }
}

/// Reads a talk from a file. Mistakes in it are in the result, not an error.
///
/// # Errors
/// See [`LoadError`].
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let text = read(path)?;
    let Parsed { talk, diagnostics } = wiretalk_talk::parse(&path.display().to_string(), &text);
    Ok(Loaded { talk, diagnostics })
}
