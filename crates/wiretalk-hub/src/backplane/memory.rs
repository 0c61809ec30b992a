//! The backplane of a hub that is alone: nothing leaves the process.

use std::collections::HashMap;

use wiretalk_proto::Prepared;

use super::{Backplane, Capabilities, KeepError, Route};
use crate::Target;

/// What a kept value costs beside its bytes and its room's name, roughly.
const VALUE_COST: usize = 128;

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepLimits {
    /// The most rooms that keep a value.
    pub rooms: usize,
    /// The most bytes of all values, framed, with the names of their rooms and 128 for each.
    pub bytes: usize,
}

impl Default for KeepLimits {
    /// 10,000 rooms, and 64 MiB.
    fn default() -> Self {
        Self {
            rooms: 10_000,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// One hub, alone in its process.
#[derive(Debug, Default)]
pub struct Memory {
    limits: KeepLimits,
    kept: HashMap<String, Prepared>,
    bytes: usize,
}

impl Memory {
    /// A backplane that keeps so much at the most.
    #[must_use]
    pub fn new(limits: KeepLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }
}

impl Backplane for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn publish(&mut self, _: Target<'_>, _: &Prepared) -> Route {
        Route::Here
    }

    fn keep(&mut self, room: &str, value: Prepared) -> Result<(), KeepError> {
        let before = self.kept.get(room).map(|before| cost(room, before));
        if before.is_none() && self.kept.len() >= self.limits.rooms {
            return Err(KeepError::TooManyRooms(self.limits.rooms));
        }
        let others = self.bytes - before.unwrap_or(0);
        let bytes = others.saturating_add(cost(room, &value));
        if bytes > self.limits.bytes {
            return Err(KeepError::TooManyBytes(self.limits.bytes));
        }
        self.bytes = bytes;
        match self.kept.get_mut(room) {
            Some(kept) => *kept = value,
            None => {
                self.kept.insert(room.to_owned(), value);
            }
        }
        Ok(())
    }

    fn forget(&mut self, room: &str) {
        if let Some(value) = self.kept.remove(room) {
            self.bytes -= cost(room, &value);
        }
    }

    fn kept(&self, room: &str) -> Option<Prepared> {
        self.kept.get(room).cloned()
    }
}

fn cost(room: &str, value: &Prepared) -> usize {
    room.len() + value.wire().len() + VALUE_COST
}
