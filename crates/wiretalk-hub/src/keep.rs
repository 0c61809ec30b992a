//! The last values of rooms.

use std::collections::HashMap;
use std::fmt;

use wiretalk_proto::Prepared;

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

/// Why a value is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepError {
    /// So many rooms keep a value already.
    TooManyRooms(usize),
    /// The kept values would come to more than so many bytes.
    TooManyBytes(usize),
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRooms(most) => {
                write!(f, "{most} rooms keep a value already, which is the most")
            }
            Self::TooManyBytes(most) => write!(
                f,
                "the kept values would come to more than {most} bytes, which is the most"
            ),
        }
    }
}

impl std::error::Error for KeepError {}

/// The values, by room.
#[derive(Debug)]
pub(crate) struct Kept {
    limits: KeepLimits,
    values: HashMap<String, Prepared>,
    bytes: usize,
}

impl Kept {
    pub(crate) fn new(limits: KeepLimits) -> Self {
        Self {
            limits,
            values: HashMap::new(),
            bytes: 0,
        }
    }

    /// What all values would come to with this one.
    pub(crate) fn check(&self, room: &str, value: &Prepared) -> Result<usize, KeepError> {
        let before = self.values.get(room).map(|before| cost(room, before));
        if before.is_none() && self.values.len() >= self.limits.rooms {
            return Err(KeepError::TooManyRooms(self.limits.rooms));
        }
        let others = self.bytes - before.unwrap_or(0);
        let bytes = others.saturating_add(cost(room, value));
        if bytes > self.limits.bytes {
            return Err(KeepError::TooManyBytes(self.limits.bytes));
        }
        Ok(bytes)
    }

    pub(crate) fn keep(&mut self, room: &str, value: Prepared) -> Result<(), KeepError> {
        self.bytes = self.check(room, &value)?;
        match self.values.get_mut(room) {
            Some(kept) => *kept = value,
            None => {
                self.values.insert(room.to_owned(), value);
            }
        }
        Ok(())
    }

    pub(crate) fn forget(&mut self, room: &str) {
        if let Some(value) = self.values.remove(room) {
            self.bytes -= cost(room, &value);
        }
    }

    pub(crate) fn get(&self, room: &str) -> Option<Prepared> {
        self.values.get(room).cloned()
    }
}

fn cost(room: &str, value: &Prepared) -> usize {
    room.len() + value.wire().len() + VALUE_COST
}
