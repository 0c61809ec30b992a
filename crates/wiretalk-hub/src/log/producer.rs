//! What a node appends, and what it keeps for the case that it must append it again.

use std::collections::VecDeque;

use crate::record::{Record, Stamp};

/// What a record costs beside its bytes, roughly.
const RECORD_COST: usize = 64;
/// No record is larger than this, whatever the broker takes: its lengths are numbers of four bytes.
const LARGEST: usize = 1 << 30;

#[derive(Debug)]
pub(super) struct Producer {
    /// The node, with the numbers given last.
    last: Stamp,
    limit: usize,
    again: usize,
    largest: usize,
    /// In the order of their numbers: first those that were read back, then those that were not.
    entries: VecDeque<Entry>,
    /// The cost of those that were never read back, and of those that were.
    pending: usize,
    remembered: usize,
    /// The highest number that was ever read back, and that is in the log as it is now.
    ever_read: u64,
    read: u64,
    /// The highest number that was taken on this connection.
    taken: u64,
}

#[derive(Debug)]
struct Entry {
    seq: u64,
    /// How many publications came before.
    published_before: u64,
    bytes: Vec<u8>,
}

impl Entry {
    fn cost(&self) -> usize {
        self.bytes.len() + RECORD_COST
    }
}

impl Producer {
    pub(super) fn new(node: u64, limit: usize, again: usize) -> Self {
        Self {
            last: Stamp {
                node,
                ..Stamp::default()
            },
            limit,
            again,
            largest: LARGEST,
            entries: VecDeque::new(),
            pending: 0,
            remembered: 0,
            ever_read: 0,
            read: 0,
            taken: 0,
        }
    }

    pub(super) fn node(&self) -> u64 {
        self.last.node
    }

    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    pub(super) fn push(&mut self, record: &Record<'_>) -> bool {
        let published_before = self.last.published;
        self.last.seq += 1;
        self.last.published += u64::from(record.is_publication());
        let size = record.size();
        if size > self.largest || self.pending.saturating_add(size + RECORD_COST) > self.limit {
            return false;
        }
        let entry = Entry {
            seq: self.last.seq,
            published_before,
            bytes: record.encode(self.last),
        };
        self.pending += entry.cost();
        self.entries.push_back(entry);
        true
    }

    pub(super) fn connected(&mut self, largest: usize) {
        self.largest = largest.min(LARGEST);
    }

    /// Another log begins: nothing of ours is known to be in it.
    pub(super) fn begin(&mut self) {
        self.read = 0;
    }

    /// The log is read to its end: what of ours was not in it is to be appended.
    pub(super) fn resume(&mut self) {
        self.taken = self.read;
        // What a broker that takes less than the one before could never take would stop all behind it.
        let largest = self.largest;
        let (read, mut freed) = (self.ever_read, 0);
        self.entries.retain(|entry| {
            let fits = entry.seq <= read || entry.bytes.len() <= largest;
            freed += if fits { 0 } else { entry.cost() };
            fits
        });
        self.pending -= freed;
    }

    pub(super) fn read_back(&mut self, seq: u64) {
        if seq > self.last.seq {
            // Nobody here has written that.
            return;
        }
        self.read = self.read.max(seq);
        if seq <= self.ever_read {
            return;
        }
        let from = self.first_behind(self.ever_read);
        self.ever_read = seq;
        for entry in self.entries.iter().skip(from) {
            if entry.seq > seq {
                break;
            }
            self.pending -= entry.cost();
            self.remembered += entry.cost();
        }
        while self.remembered > self.again {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.remembered -= oldest.cost();
        }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Vec<Vec<u8>> {
        let mut batch = Vec::new();
        let mut total = 0;
        for entry in self.entries.iter().skip(self.first_behind(self.taken)) {
            if total >= bytes {
                break;
            }
            total += entry.cost();
            self.taken = entry.seq;
            batch.push(entry.bytes.clone());
        }
        batch
    }

    pub(super) fn is_drained(&self) -> bool {
        self.first_behind(self.taken) == self.entries.len()
    }

    /// A record without a number of its own: it says how far this node has come in what was taken, refused records
    /// included.
    pub(super) fn unnumbered(&self, record: &Record<'_>) -> Vec<u8> {
        let mut stamp = self.last;
        if let Some(next) = self.entries.get(self.first_behind(self.taken)) {
            (stamp.seq, stamp.published) = (next.seq - 1, next.published_before);
        }
        record.encode(stamp)
    }

    /// The place of the first entry with a higher number.
    fn first_behind(&self, seq: u64) -> usize {
        self.entries.partition_point(|entry| entry.seq <= seq)
    }
}
