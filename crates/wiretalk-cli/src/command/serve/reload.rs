//! Talks that are saved anew are played anew, and their clients stay.
//!
//! Files are asked for their state again and again instead of being watched: that holds on every file system, also where
//! nobody tells of changes (a folder of a container, of a network), and whichever way an editor saves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};
use wiretalk_engine::serve::Mock;

use super::super::Outside;
use super::Serve;
use super::log::Log;
use super::talks::Ready;
use crate::signals::Hangups;
use crate::supervisor;
use crate::terminal::{self, BAD, GOOD, WARNING};

/// How often files are looked at. A change is taken up once two looks agree, so that no half-written file is read.
const LOOKS: Duration = Duration::from_millis(150);

/// A talk that is served, and the files that it is read from.
pub(super) struct Watched {
    pub(super) mock: Arc<Mock>,
    pub(super) file: PathBuf,
    /// Where it listens: what no reload changes.
    pub(super) listens: (Vec<String>, String),
    files: Vec<Seen>,
}

/// A file as it was played, and as it was seen last.
pub(super) struct Seen {
    path: PathBuf,
    played: Option<Stamp>,
    last: Option<Stamp>,
}

/// What tells one version of a file from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// A file that was put in the place of another.
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode,
        })
    }
}

impl Seen {
    pub(super) fn new(path: &Path) -> Self {
        let stamp = Stamp::of(path);
        Self {
            path: path.to_owned(),
            played: stamp,
            last: stamp,
        }
    }

    /// Looks again. Whether it has changed since it was played, and is still.
    pub(super) fn look(&mut self) -> bool {
        let now = Stamp::of(&self.path);
        let still = now == self.last;
        self.last = now;
        // A file that is gone is most likely about to be replaced.
        still && now.is_some() && now != self.played
    }

    /// What is there now is in use, or cannot be: either way it is not looked at again until it changes.
    pub(super) fn settle(&mut self) {
        self.played = self.last;
    }
}

impl Watched {
    pub(super) fn new(mock: Arc<Mock>, talk: &Ready) -> Self {
        Self {
            mock,
            file: talk.file.clone(),
            listens: talk.listens(),
            files: talk.files().iter().map(|path| Seen::new(path)).collect(),
        }
    }

    fn look(&mut self) -> bool {
        let mut changed = false;
        for file in &mut self.files {
            changed |= file.look();
        }
        changed
    }

    fn settle(&mut self) {
        self.files.iter_mut().for_each(Seen::settle);
    }

    fn watch_files_of(&mut self, talk: &Ready) {
        for path in talk.files() {
            if !self.files.iter().any(|file| file.path == path) {
                self.files.push(Seen::new(&path));
            }
        }
    }
}

/// Plays talks anew whenever they are saved, if that is wanted, and whenever the system asks for it (SIGHUP); never ends.
///
/// `on_read` is told of each version before it is played.
pub(super) async fn watch(
    serve: &Serve,
    outside: &Outside,
    mut talks: Vec<Watched>,
    tls: bool,
    log: &Log,
    mut on_read: impl FnMut(&Ready),
) {
    let mut looks = interval(LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangups = Hangups::listen();
    loop {
        let all = tokio::select! {
            _ = looks.tick(), if !serve.no_watch => false,
            () = hangups.next() => true,
        };
        if all {
            supervisor::reloading();
        }
        for talk in &mut talks {
            if talk.look() || all {
                talk.settle();
                let ready = serve.prepare(outside, &talk.file, tls).ok();
                ready.iter().for_each(&mut on_read);
                reload(talk, ready, log);
            }
        }
        if all {
            supervisor::ready();
        }
    }
}

/// Plays a new version, or says why not; `None` is one with mistakes, which have been shown.
fn reload(talk: &mut Watched, ready: Option<Ready>, log: &Log) {
    let name = talk.file.display().to_string();
    let Some(ready) = ready else {
        log.timed(&format!(
            "{BAD}not reloaded{BAD:#} {name}: the version before is played on"
        ));
        return;
    };
    talk.watch_files_of(&ready);
    if let Err(error) = talk.mock.reload(ready.loaded.plan()) {
        log.timed(&format!(
            "{BAD}not reloaded{BAD:#} {name}: {error}; the version before is played on"
        ));
        return;
    }
    let clients = terminal::count(talk.mock.client_count(), "client stays", "clients stay");
    log.timed(&format!("{GOOD}reloaded{GOOD:#} {name} ({clients})"));
    if ready.listens() != talk.listens {
        log.timed(&format!(
            "{WARNING}its `listen` has changed{WARNING:#}: that needs a new start"
        ));
    }
}
