//! What is counted for all connections of an address, or of a user, together.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rate::Bucket;

/// How many entries there are before those of which nothing is left are looked for.
const FEW: usize = 1024;

/// Counts by key. What belongs to a key is let go when its last connection is gone and its buckets are full again, so that
/// to come back brings nobody a full one before its time.
#[derive(Debug)]
pub(super) struct Counts<K>(Mutex<Table<K>>);

#[derive(Debug)]
struct Table<K> {
    entries: HashMap<K, Entry>,
    /// How many there may be before they are looked through.
    most: usize,
}

#[derive(Debug, Default)]
struct Entry {
    connections: usize,
    buckets: Arc<Buckets>,
}

/// What may come still: messages and bytes.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    pub(super) messages: Bucket,
    pub(super) bytes: Bucket,
}

impl Buckets {
    fn are_full(&self, now: u64) -> bool {
        self.messages.is_full(now) && self.bytes.is_full(now)
    }
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::new(Table {
            entries: HashMap::new(),
            most: FEW,
        }))
    }
}

impl<K: Hash + Eq> Counts<K> {
    /// One more connection, unless there are so many already.
    pub(super) fn enter(&self, key: K, most: Option<usize>, now: u64) -> Option<Arc<Buckets>> {
        let mut table = self.lock();
        if table.entries.len() >= table.most {
            let entries = &mut table.entries;
            entries.retain(|_, entry| entry.connections > 0 || !entry.buckets.are_full(now));
            // Each look costs as much as there is: the next one is due when there is twice as much.
            table.most = (table.entries.len() * 2).max(FEW);
            if table.entries.len() <= table.entries.capacity() / 8 {
                table.entries.shrink_to_fit();
            }
        }
        let entry = table.entries.entry(key).or_default();
        if most.is_some_and(|most| entry.connections >= most) {
            return None;
        }
        entry.connections += 1;
        Some(Arc::clone(&entry.buckets))
    }

    /// One connection less.
    pub(super) fn leave(&self, key: &K, now: u64) {
        let mut table = self.lock();
        let Some(entry) = table.entries.get_mut(key) else {
            return;
        };
        entry.connections = entry.connections.saturating_sub(1);
        if entry.connections == 0 && entry.buckets.are_full(now) {
            table.entries.remove(key);
        }
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
