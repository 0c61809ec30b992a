//! What a mock knows of rooms beside its own clients: who of other nodes is in them, and what was said there.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};

use crate::value::Value;

/// Where `members`, `history`, `offset` and `epoch` look beyond the clients that the player knows. It is asked while a
/// line is played, so it must not take long.
///
/// ```
/// use wiretalk_talk::{Alone, Directory};
///
/// assert!(Alone.others("lobby").is_empty());
/// assert!(Alone.history("lobby", 20, None).messages.is_empty());
/// ```
pub trait Directory: Send + Sync {
    /// Who is in a room on other nodes: users by their names, and for who is no user something that no other client is.
    fn others(&self, room: &str) -> Vec<Value>;

    /// What was delivered to a room, the oldest first: the newest `limit` messages, or, if `after` is given, the first
    /// `limit` of those behind that offset.
    fn history(&self, room: &str, limit: usize, after: Option<u64>) -> History;
}

/// What a room's history has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Offsets mean something within one epoch: one of another epoch is that of another history.
    pub epoch: Arc<str>,
    /// The offset of the newest message that any room has heard; zero before the first.
    pub offset: u64,
    /// Whether nothing is missing between the offset that was asked for and the first message here.
    pub complete: bool,
    /// The messages with their offsets: JSON as its value, anything else as text.
    pub messages: Vec<(u64, Value)>,
}

/// The directory of a mock on one node that remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Directory for Alone {
    fn others(&self, _: &str) -> Vec<Value> {
        Vec::new()
    }

    fn history(&self, _: &str, _: usize, _: Option<u64>) -> History {
        History::default()
    }
}

/// What `history(…)` gives: a list, with `epoch`, `offset`, `complete` and `offsets` as fields.
pub(crate) struct Heard(pub(crate) History);

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the history of a room")
    }
}

impl Object for Heard {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        use minijinja::Value as V;
        if let Some(index) = key.as_usize() {
            let (_, message) = self.0.messages.get(index)?;
            return Some(message.to_expression());
        }
        match key.as_str()? {
            "epoch" => Some(V::from(&*self.0.epoch)),
            "offset" => Some(V::from(self.0.offset)),
            "complete" => Some(V::from(self.0.complete)),
            "offsets" => {
                let offsets = self.0.messages.iter().map(|(offset, _)| *offset);
                Some(V::from_iter(offsets))
            }
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.messages.len())
    }
}
