//! Talks from files: of their own, in Markdown documents, in folders.

mod markdown;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wiretalk_talk::player::Plan;
use wiretalk_talk::{Diagnostic, NotUtf8, Parsed, Role, Source, Span, Talk};

/// The largest talk that is read: 256 MiB, which is a long recording.
pub const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// A talk that was read, with all that was found about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The talk.
    pub talk: Talk,
    /// What is wrong with it, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The file that it stands in.
    pub path: PathBuf,
    /// The files that it names, as far as they were looked for.
    pub linked: Vec<PathBuf>,
    /// Where it stands, if it is a block of a Markdown document.
    pub block: Option<Block>,
}

/// A talk's place in a Markdown document. The lines of its text are those of the document, without their margins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The heading above, with a number if there are several talks below it. The title of a talk without `test`.
    pub title: String,
    /// Whether its tests are run: not if `no-run` stands behind the fence.
    pub runs: bool,
    /// The number of the first line, from 1.
    pub first: usize,
    /// What stands before each line in the document, from the first on: the indentation of a list, say.
    pub margins: Vec<String>,
}

impl Loaded {
    /// A talk from its text; `name` is what it is called in messages.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let Parsed { talk, diagnostics } = wiretalk_talk::parse(name, text);
        Self {
            talk,
            diagnostics,
            path: name.into(),
            linked: Vec::new(),
            block: None,
        }
    }

    /// Looks it over for each role that it has lines for; `given` are the names that come from outside.
    #[must_use]
    pub fn check_all(self, given: &[String]) -> Self {
        let roles = self.roles();
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
        let plan = Plan::new(&self.talk);
        Arc::new(match &self.block {
            Some(block) if !block.title.is_empty() => plan.with_title(&block.title),
            _ => plan,
        })
    }

    /// Whether it has tests that are to be run.
    #[must_use]
    pub fn runs(&self, plan: &Plan) -> bool {
        match &self.block {
            None => true,
            Some(block) => block.runs && plan.tests().next().is_some(),
        }
    }

    /// The roles that it has lines for.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        let plan = self.plan();
        match (plan.serves(), plan.tests().next().is_some()) {
            (true, true) => vec![Role::Test, Role::Mock],
            (true, false) => vec![Role::Mock],
            (false, _) => vec![Role::Test],
        }
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
    /// It is a folder in which no talk is.
    #[error("there is no talk in the folder `{path}`: a talk is a file that ends in `.talk`")]
    NoTalk {
        /// The path, as it was given.
        path: String,
    },
    /// It is a Markdown document in which no talk is.
    #[error(
        "there is no talk in `{path}`: a block is one if `talk` stands behind its fence, as in ```talk"
    )]
    NoBlock {
        /// The path, as it was given.
        path: String,
    },
    /// It is a Markdown document, where one talk is asked for.
    #[error(
        "`{path}` is a Markdown document: `wiretalk test` and `wiretalk check` take the talks in it; for anything else put the talk into a file of its own that ends in `.talk`"
    )]
    Document {
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
        reason: reason(error),
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Reads a talk from a file. Mistakes in it are in the result, not an error.
///
/// # Errors
/// See [`LoadError`]. A Markdown document is an error too: it has any number of talks.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    no_document(path)?;
    Ok(parsed(path, &read(path)?, None))
}

/// Reads the talks of a file: the one that it is, or those in it if it is a Markdown document (`.md`, `.markdown`).
///
/// # Errors
/// See [`LoadError`]. A document without a talk is an error too.
pub fn load_all(path: &Path) -> Result<Vec<Loaded>, LoadError> {
    if !is_document(path) {
        return load(path).map(|talk| vec![talk]);
    }
    let talks = parse_all(path, &read(path)?);
    if talks.is_empty() {
        return Err(LoadError::NoBlock {
            path: path.display().to_string(),
        });
    }
    Ok(talks)
}

/// The talks of a file of this name, if it had this text.
#[must_use]
pub fn parse_all(path: &Path, text: &str) -> Vec<Loaded> {
    if !is_document(path) {
        return vec![parsed(path, text, None)];
    }
    let talks = markdown::blocks(text).into_iter().map(|found| {
        let block = Block {
            title: found.title,
            runs: found.runs,
            first: found.first,
            margins: found.margins,
        };
        // The line of the fence is the one before the first.
        let fence = block.first.saturating_sub(2);
        let mut loaded = parsed(path, &found.text, Some(block));
        if let Some(word) = found.mistaken {
            let at = Span {
                start: fence,
                end: fence,
            };
            let what = format!("`{word}` behind a fence means nothing");
            let mend = "write `no-run` for a talk that is looked over and not run, or `ignore`";
            loaded.diagnostics.push(Diagnostic::error(at, what, mend));
        }
        loaded
    });
    talks.collect()
}

/// The files of these paths: of a folder every talk in it and in its folders, in order of their names, but for those
/// whose name begins with a dot.
///
/// # Errors
/// A folder that cannot be read, or has no talk.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        add_folder(path, &mut files)?;
        if files.len() == before {
            return Err(LoadError::NoTalk {
                path: path.display().to_string(),
            });
        }
    }
    Ok(files)
}

fn add_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let failed = |error: std::io::Error| unreadable(&folder.display().to_string(), &error);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A link to a folder is not followed: it may lead around in a ring.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        entries.push((entry.file_name(), is_folder, entry.path()));
    }
    entries.sort();
    for (name, is_folder, path) in entries {
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if is_folder {
            add_folder(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "talk") {
            files.push(path);
        }
    }
    Ok(())
}

/// Refuses a file that is a Markdown document, by its name.
///
/// # Errors
/// [`LoadError::Document`]
pub fn no_document(path: &Path) -> Result<(), LoadError> {
    if is_document(path) {
        return Err(LoadError::Document {
            path: path.display().to_string(),
        });
    }
    Ok(())
}

/// Whether a file is a Markdown document, by its name.
#[must_use]
pub fn is_document(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ending.eq_ignore_ascii_case("md") || ending.eq_ignore_ascii_case("markdown")
    })
}

fn parsed(path: &Path, text: &str, block: Option<Block>) -> Loaded {
    let mut loaded = Loaded {
        path: path.to_owned(),
        block,
        ..Loaded::new(&path.display().to_string(), text)
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut linked = Vec::new();
    let found = loaded.talk.link(&mut |name| {
        let file = folder.join(name);
        linked.push(file.clone());
        read_bytes(&file)
    });
    loaded.linked = linked;
    loaded.diagnostics.extend(found);
    loaded
}

/// What stands in a file that a talk names; why not, as a sentence.
fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| reason(&error);
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it is larger than {MOST_BYTES} bytes"));
    }
    Ok(bytes)
}
