//! Talks from files.

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
    /// Its text and name.
    #[must_use]
    pub fn source(&self) -> &Source {
        self.talk.source()
    }

    /// Looks it over for a role; `given` are the names that come from outside.
    #[must_use]
    pub fn check(mut self, role: Role, given: &[String]) -> Self {
        let found = wiretalk_talk::check(&self.talk, role, given);
        let new: Vec<Diagnostic> = found
            .into_iter()
            .filter(|diagnostic| !self.diagnostics.contains(diagnostic))
            .collect();
        self.diagnostics.extend(new);
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.span);
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
    #[error("`{path}` has {bytes} bytes; a talk has {MOST_BYTES} at the most")]
    TooLarge {
        /// The path, as it was given.
        path: String,
        /// Its size.
        bytes: u64,
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

/// Reads the text of a talk.
///
/// # Errors
/// See [`LoadError`].
pub fn read(path: &Path) -> Result<String, LoadError> {
    let shown = path.display().to_string();
    let unreadable = |error: &std::io::Error| LoadError::Unreadable {
        path: shown.clone(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        },
    };
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if size.len() > MOST_BYTES {
        return Err(LoadError::TooLarge {
            path: shown,
            bytes: size.len(),
        });
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    match wiretalk_talk::decode(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(place) => Err(LoadError::NotUtf8 { path: shown, place }),
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
