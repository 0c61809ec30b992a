//! The journal: every connection and message that a server saw, bounded in bytes.
//!
//! It keeps the newest and counts what it let go. It is its own queue to a file ([`Journal::write_to`]): a disk that
//! is too slow costs entries, which the file says, and never memory or time.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::watch;

use super::ClientId;
use crate::redact::Redactor;

pub(crate) use entry::Shown;
pub use entry::{Direction, Entry, EntryKind, Frame, Nearest, To};

/// The bytes that a journal keeps if nothing else is said: 64 MiB.
pub const DEFAULT_BYTES: usize = 64 * 1024 * 1024;
/// A payload larger than this part of the journal is cut, so that one message does not push out all the others.
const LARGEST_PART: usize = 4;
/// Entries that are handed to the file in one go.
const BATCH: usize = 256;

/// The newest entries of a server.
#[derive(Debug)]
pub struct Journal {
    limit: usize,
    state: Mutex<State>,
    /// There is something for the file.
    more: Condvar,
    /// The number of the newest entry, for whoever waits for one.
    newest: watch::Sender<u64>,
    redactor: RwLock<Redactor>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// The number of the newest entry; they count from 1 without a gap.
    newest: u64,
    /// Entries up to this one are cleared for readers.
    cleared: u64,
    /// How many entries were let go since the journal was cleared.
    dropped: u64,
    /// The last entry that the file has, or had to do without.
    written: Option<u64>,
    ended: bool,
}

/// Which entries a reader wants. Those left `None` want all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this client: what it sent, what it was sent, also together with others, and its coming and going.
    pub client: Option<ClientId>,
    /// Of the talk at this path.
    pub talk: Option<String>,
    /// What came, or what was sent.
    pub direction: Option<Direction>,
    /// Of this kind, as the journal writes it.
    pub kind: Option<String>,
    /// Behind this entry.
    pub since: Option<Since>,
}

/// From where on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Behind the entry of this number.
    Number(u64),
    /// At or behind this time.
    Time(Timestamp),
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        let since = match self.since {
            None => true,
            Some(Since::Number(number)) => entry.number > number,
            Some(Since::Time(time)) => entry.at >= time,
        };
        since
            && self.client.is_none_or(|client| entry.is_about(client))
            && self.talk.as_ref().is_none_or(|talk| **talk == *entry.talk)
            && self
                .direction
                .is_none_or(|direction| entry.direction() == Some(direction))
            && self
                .kind
                .as_ref()
                .is_none_or(|kind| kind == entry.kind_name())
    }
}

/// What a reader found.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries, the oldest first.
    pub entries: Vec<Arc<Entry>>,
    /// How many entries were let go since the journal was cleared.
    pub dropped: u64,
    /// There are more: behind the entry of this number.
    pub next: Option<u64>,
}

impl Journal {
    /// A journal that keeps so many bytes: payloads, and what goes with each.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            state: Mutex::default(),
            more: Condvar::new(),
            newest: watch::Sender::new(0),
            redactor: RwLock::default(),
        })
    }

    /// Shows no secret from now on, to whoever reads or in the file. The entries keep what they are.
    pub fn hide(&self, secrets: Redactor) {
        *self
            .redactor
            .write()
            .unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// What is shown of no secret.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        let redactor = self.redactor.read();
        redactor.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The most bytes of a payload that is kept whole.
    #[must_use]
    pub fn largest_payload(&self) -> usize {
        self.limit / LARGEST_PART
    }

    /// Adds entries in their order. Each gets its number.
    pub fn push(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.lock();
        let before = state.newest;
        for mut entry in entries {
            state.newest += 1;
            entry.number = state.newest;
            entry.cut(self.largest_payload());
            state.bytes += entry.cost();
            state.entries.push_back(Arc::new(entry));
        }
        while state.bytes > self.limit && state.entries.len() > 1 {
            state.let_go();
        }
        let newest = state.newest;
        drop(state);
        if newest != before {
            self.more.notify_one();
            self.newest.send_replace(newest);
        }
    }

    /// The first `limit` entries that a filter takes, with about `bytes` of payload at the most.
    #[must_use]
    pub fn read(&self, filter: &Filter, limit: usize, bytes: usize) -> Page {
        let state = self.lock();
        let mut page = Page {
            dropped: state.dropped,
            ..Page::default()
        };
        let mut sum = 0;
        for entry in state.visible().filter(|entry| filter.takes(entry)) {
            if page.entries.len() >= limit || (sum > bytes && !page.entries.is_empty()) {
                page.next = page.entries.last().map(|last| last.number);
                break;
            }
            sum += entry.cost();
            page.entries.push(Arc::clone(entry));
        }
        page
    }

    /// Lets go of all entries. The file keeps what it has, and gets what it has not yet.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.cleared = state.newest;
        state.dropped = 0;
        let written = state.written.unwrap_or(u64::MAX);
        while let Some(first) = state.entries.front()
            && first.number <= state.cleared.min(written)
        {
            state.bytes -= first.cost();
            state.entries.pop_front();
        }
    }

    /// The number of the newest entry, and a way to wait for the next.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Writes the entries as lines of JSON from a thread of its own, from now on until [`end`](Self::end): each as
    /// soon as it is there. The thread ends with the error if one cannot be written.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn write_to(
        self: &Arc<Self>,
        mut file: impl Write + Send + 'static,
    ) -> io::Result<JoinHandle<io::Result<()>>> {
        let journal = Arc::clone(self);
        {
            let mut state = journal.lock();
            state.written = Some(state.newest);
        }
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                let written = journal.write(&mut file);
                // Nobody waits for the file any more.
                journal.lock().written = None;
                written
            })
    }

    /// Nothing comes any more: the file gets what it has not yet, and its thread ends.
    pub fn end(&self) {
        self.lock().ended = true;
        self.more.notify_one();
    }

    fn write(&self, file: &mut impl Write) -> io::Result<()> {
        let mut lines = Vec::new();
        loop {
            let (batch, missed) = {
                let mut state = self.lock();
                while !state.has_unwritten() {
                    if state.ended {
                        return Ok(());
                    }
                    state = self
                        .more
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                state.next_batch()
            };
            lines.clear();
            if missed > 0 {
                writeln!(lines, "{{\"kind\":\"dropped\",\"entries\":{missed}}}")?;
            }
            let redactor = self.redactor();
            for entry in &batch {
                serde_json::to_writer(&mut lines, &entry.shown(&redactor))?;
                lines.push(b'\n');
            }
            file.write_all(&lines)?;
            file.flush()?;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn visible(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let first = self.entries.front().map_or(0, |entry| entry.number);
        let skip = (self.cleared + 1).saturating_sub(first);
        self.entries
            .iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    /// Lets the oldest go.
    fn let_go(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= oldest.cost();
            if oldest.number > self.cleared {
                self.dropped += 1;
            }
        }
    }

    fn has_unwritten(&self) -> bool {
        self.written.is_some_and(|written| written < self.newest)
    }

    /// What the file gets next, and how many entries before that were let go unwritten.
    fn next_batch(&mut self) -> (Vec<Arc<Entry>>, u64) {
        let written = self.written.unwrap_or(self.newest);
        let first = self
            .entries
            .front()
            .map_or(self.newest + 1, |first| first.number);
        let missed = first.saturating_sub(written + 1);
        let skip = (written + 1).saturating_sub(first);
        let batch: Vec<_> = self
            .entries
            .iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .take(BATCH)
            .cloned()
            .collect();
        self.written = Some(batch.last().map_or(self.newest, |last| last.number));
        (batch, missed)
    }
}
