//! `--watch`: the tests again whenever one of their files changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Test;
use crate::exit::Exit;
use crate::signals::Interrupts;
use crate::terminal::{self, QUIET};

/// Files that change together, as when an editor saves some of them, are one change.
const TOGETHER: Duration = Duration::from_millis(50);

/// Runs the tests until Ctrl-C. The exit code is that of the last run.
pub(super) async fn run(test: Test) -> Exit {
    let mut interrupts = Interrupts::listen();
    let mut files = match Files::new() {
        Ok(files) => files,
        Err(error) => return super::usage(format!("files cannot be watched here: {error}")),
    };
    let mut exit = Exit::SUCCESS;
    loop {
        let mut depends = Vec::new();
        // They are watched before they are read, so that no change is missed. Which other files they name is known
        // only when they have been read.
        if let Err(why) = files.watch(&test.files) {
            return super::usage(why);
        }
        let run = async {
            let done = test.once(&mut depends).await;
            exit = done;
        };
        // A run that a change or a signal makes useless is given up.
        let changed = tokio::select! {
            () = run => false,
            () = files.changed() => true,
            () = interrupts.next() => return exit,
        };
        if let Err(why) = files.watch(&depends) {
            return super::usage(why);
        }
        if !changed {
            terminal::err(&format!(
                "{QUIET}waiting for a change in {}; Ctrl-C ends{QUIET:#}",
                terminal::count(files.count(), "place", "places")
            ));
            tokio::select! {
                () = files.changed() => {}
                () = interrupts.next() => return exit,
            }
        }
        while timeout(TOGETHER, files.changed()).await.is_ok() {}
        terminal::err("");
    }
}

/// The files whose changes are of interest.
struct Files {
    watcher: RecommendedWatcher,
    /// Files and folders, made absolute.
    places: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Folders that the system watches for us.
    folders: BTreeSet<(PathBuf, bool)>,
    changed: Arc<Notify>,
}

impl Files {
    fn new() -> notify::Result<Self> {
        let places: Arc<Mutex<BTreeSet<PathBuf>>> = Arc::default();
        let changed = Arc::new(Notify::new());
        let (known, tell) = (Arc::clone(&places), Arc::clone(&changed));
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else {
                return;
            };
            // Reading a file is no change of it.
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if event.paths.iter().any(|path| concerns(&known, path)) {
                tell.notify_one();
            }
        })?;
        Ok(Self {
            watcher,
            places,
            folders: BTreeSet::new(),
            changed,
        })
    }

    /// Watches these, too. Of a file its folder is watched: many editors save by putting a new file in its place.
    fn watch(&mut self, paths: &[PathBuf]) -> Result<(), String> {
        for path in paths {
            let Ok(whole) = std::path::absolute(path) else {
                continue;
            };
            let whole = std::fs::canonicalize(&whole).unwrap_or(whole);
            let (folder, mode) = if whole.is_dir() {
                (Some(whole.as_path()), RecursiveMode::Recursive)
            } else {
                (whole.parent(), RecursiveMode::NonRecursive)
            };
            if let Some(folder) = folder.filter(|folder| folder.is_dir())
                && self
                    .folders
                    .insert((folder.to_owned(), mode == RecursiveMode::Recursive))
            {
                self.watcher.watch(folder, mode).map_err(|error| {
                    format!("`{}` cannot be watched: {error}", folder.display())
                })?;
            }
            self.places
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(whole);
        }
        Ok(())
    }

    fn count(&self) -> usize {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.len()
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Whether a path is one of these, or a talk in one of the folders.
fn concerns(known: &BTreeSet<PathBuf>, path: &Path) -> bool {
    known.contains(path)
        || (path.extension().is_some_and(|ending| ending == "talk")
            && path
                .ancestors()
                .skip(1)
                .any(|folder| known.contains(folder)))
}
