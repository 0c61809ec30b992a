//! What was delivered to rooms lately.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use wiretalk_proto::Prepared;

use crate::HistoryLimits;

/// What a message costs beside its bytes, roughly.
const MESSAGE_COST: usize = 128;

/// What is remembered of the messages of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Names the log that offsets count in. An offset of another epoch says nothing in this one.
    pub epoch: Arc<str>,
    /// The offset of the room's newest message, also of one that is let go already; 0: there was none.
    pub offset: u64,
    /// Whether no message is missing between the offset that was asked for (or else the log's beginning) and the first one
    /// here. Where there are no offsets, that cannot be known.
    pub complete: bool,
    /// The messages, oldest first, each with its offset. Offsets grow; the next one is not always one more. Where a broker has
    /// lost its log, a message from before has 0; where none is kept (`?history=no`), all have.
    pub messages: Vec<(u64, Prepared)>,
}

/// The number of a message's record among those of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) node: u64,
    pub(crate) seq: u64,
}

/// A message to remember.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) origin: Origin,
    pub(crate) time: u64,
    pub(crate) message: Prepared,
}

impl Entry {
    fn cost(&self) -> usize {
        self.message.wire().len() + MESSAGE_COST
    }
}

/// The histories of all rooms.
#[derive(Debug)]
pub(crate) struct Histories {
    limits: HistoryLimits,
    age: u64,
    epoch: Arc<str>,
    /// Whether messages have offsets: not where the log is not kept.
    has_offsets: bool,
    rooms: HashMap<Arc<str>, Room>,
    /// The rooms by their `used`: the first is the one in which nothing was published for longest.
    by_use: BTreeMap<u64, Arc<str>>,
    uses: u64,
    bytes: usize,
    /// Up to this offset, messages of rooms may be gone that are not remembered at all.
    gone: u64,
}

#[derive(Debug, Default)]
struct Room {
    messages: VecDeque<Entry>,
    used: u64,
    newest: u64,
    /// The offset of the newest message that is gone.
    gone: u64,
}

impl Histories {
    pub(crate) fn new(limits: HistoryLimits, epoch: Arc<str>, has_offsets: bool) -> Self {
        Self {
            limits,
            age: u64::try_from(limits.age.as_millis()).unwrap_or(u64::MAX),
            epoch,
            has_offsets,
            rooms: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            gone: 0,
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.limits.messages > 0
    }

    /// Another log begins, at offset `first`. What is remembered stays, without an offset.
    pub(crate) fn begin(&mut self, epoch: Arc<str>) {
        self.epoch = epoch;
        self.gone = 0;
        for room in self.rooms.values_mut() {
            (room.newest, room.gone) = (0, 0);
            for entry in &mut room.messages {
                entry.offset = 0;
            }
        }
    }

    /// What lies up to this offset was never read.
    pub(crate) fn missed(&mut self, up_to: u64) {
        self.gone = self.gone.max(up_to);
        for room in self.rooms.values_mut() {
            room.gone = room.gone.max(up_to);
        }
    }

    pub(crate) fn push(&mut self, room: &str, entry: Entry, now: u64) {
        if !self.is_kept() {
            return;
        }
        let name = match self.rooms.get_key_value(room) {
            Some((name, _)) => Arc::clone(name),
            None => {
                self.bytes += room.len();
                Arc::from(room)
            }
        };
        let room = self.rooms.entry(Arc::clone(&name)).or_insert_with(|| Room {
            gone: self.gone,
            ..Room::default()
        });
        if room.used == 0 || room.used != self.uses {
            self.uses += 1;
            self.by_use.remove(&room.used);
            room.used = self.uses;
            self.by_use.insert(self.uses, name);
        }
        self.bytes += entry.cost();
        room.newest = room.newest.max(entry.offset);
        room.messages.push_back(entry);
        if room.messages.len() > self.limits.messages {
            self.bytes -= room.pop();
        }
        self.bytes -= room.expire(now, self.age);
        self.make_place(now);
    }

    /// A message that may be remembered has come once more, in a log that began after it came first.
    pub(crate) fn push_again(&mut self, room: &str, entry: Entry, now: u64) {
        if let Some(known) = self.rooms.get_mut(room) {
            let before = known
                .messages
                .iter()
                .position(|before| before.origin == entry.origin);
            if let Some(before) = before.and_then(|at| known.messages.remove(at)) {
                self.bytes -= before.cost();
            }
        }
        self.push(room, entry, now);
    }

    pub(crate) fn get(
        &mut self,
        name: &str,
        limit: usize,
        after: Option<u64>,
        now: u64,
    ) -> History {
        // Without offsets, nobody can tell what is missing.
        let can_tell = self.has_offsets || after.is_none();
        let after = after.filter(|_| self.has_offsets);
        let mut history = History {
            epoch: Arc::clone(&self.epoch),
            offset: 0,
            complete: can_tell && after.unwrap_or(0) >= self.gone,
            messages: Vec::new(),
        };
        let Some(room) = self.rooms.get_mut(name) else {
            return history;
        };
        self.bytes -= room.expire(now, self.age);
        history.offset = room.newest;
        let first = match after {
            // What has no offset came before all that has.
            Some(after) => room.messages.partition_point(|entry| entry.offset <= after),
            None => 0,
        };
        let all = room.messages.len() - first;
        // Whoever comes back goes on from where it was, and asks again behind the last of these.
        let left_out = match after {
            Some(_) => 0,
            None => all.saturating_sub(limit),
        };
        history.complete = can_tell && after.unwrap_or(0) >= room.gone && left_out == 0;
        let messages = room.messages.iter().skip(first + left_out).take(limit);
        history.messages = messages
            .map(|entry| (entry.offset, entry.message.clone()))
            .collect();
        history
    }

    /// Lets go of what is beyond the limits on all rooms, and of a room in which everything is too old.
    fn make_place(&mut self, now: u64) {
        while let Some((&used, name)) = self.by_use.first_key_value() {
            let too_many = self.rooms.len() > self.limits.rooms;
            let Some(room) = self.rooms.get_mut(name) else {
                self.by_use.remove(&used);
                continue;
            };
            let newest = room.messages.back();
            let is_old = newest.is_none_or(|newest| newest.time.saturating_add(self.age) < now);
            if is_old || too_many {
                let name = Arc::clone(name);
                self.remove(&name, used);
            } else if self.bytes > self.limits.bytes {
                self.bytes -= room.pop();
            } else {
                return;
            }
        }
    }

    fn remove(&mut self, name: &str, used: u64) {
        self.by_use.remove(&used);
        if let Some(room) = self.rooms.remove(name) {
            self.bytes -= name.len() + room.messages.iter().map(Entry::cost).sum::<usize>();
            self.gone = self.gone.max(room.newest);
        }
    }
}

impl Room {
    /// Lets go of the oldest message; gives its cost.
    fn pop(&mut self) -> usize {
        let Some(entry) = self.messages.pop_front() else {
            return 0;
        };
        self.gone = self.gone.max(entry.offset);
        entry.cost()
    }

    /// Lets go of what is too old; gives its cost.
    fn expire(&mut self, now: u64, age: u64) -> usize {
        let mut cost = 0;
        while let Some(oldest) = self.messages.front() {
            if oldest.time.saturating_add(age) >= now {
                break;
            }
            cost += self.pop();
        }
        cost
    }
}
