//! What hubs tell each other through a log, as values and as bytes.
//!
//! A record is one version byte, one byte for its kind, the [`Stamp`] (three numbers of eight bytes), and its fields in
//! order. Numbers are big-endian; texts and payloads stand behind their length, four bytes. What is read may come from
//! anywhere, so every length is compared with what is there before anything is made of it.

mod read;
#[cfg(test)]
mod tests;

use wiretalk_proto::{MessageKind, Prepared};

use crate::{ConnectionId, Target};

pub use read::{People, Person, PersonRooms, RecordError};

/// The version of the form that is written, and the only one that is read.
const VERSION: u8 = 1;
/// What stands before the fields.
const HEAD: usize = 2 + 3 * 8;

/// Who wrote a record, and where it stands among all that this node wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The node.
    pub node: u64,
    /// The record's number among the numbered ones of its node, from 1, without a gap; of a record without a number of its
    /// own, that of the last one before it.
    pub seq: u64,
    /// How many publications the node has made so far, this one included.
    pub published: u64,
}

/// One thing that a hub tells all hubs, itself included.
///
/// ```
/// use wiretalk_hub::record::{Record, Stamp};
///
/// let stamp = Stamp { node: 7, seq: 1, published: 1 };
/// let record = Record::Forget { room: "lobby" };
/// let bytes = record.encode(stamp);
/// assert_eq!(Record::decode(&bytes), Ok((stamp, record)));
/// assert!(Record::decode(b"something else").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A message for members.
    Publish(Publication<'a>),
    /// A room's last value is this from now on.
    Keep {
        /// The room.
        room: &'a str,
        /// The value.
        value: Payload<'a>,
    },
    /// A room has no last value any more.
    Forget {
        /// The room.
        room: &'a str,
    },
    /// A connection of the node is in a room.
    Join {
        /// The connection.
        connection: ConnectionId,
        /// The room.
        room: &'a str,
    },
    /// A connection of the node is out of a room.
    Leave {
        /// The connection.
        connection: ConnectionId,
        /// The room.
        room: &'a str,
    },
    /// A connection of the node is this user's, or nobody's.
    Identify {
        /// The connection.
        connection: ConnectionId,
        /// The user.
        user: Option<&'a str>,
    },
    /// A connection of the node is gone.
    Gone {
        /// The connection.
        connection: ConnectionId,
    },
    /// Who is present at the node, or a part of that.
    Present {
        /// Whether it is the first part: what was known of the node before is void.
        first: bool,
        /// The people.
        people: People<'a>,
    },
    /// The node asks all others who is present.
    Hello,
    /// The node lives, and has written so much.
    Heartbeat,
    /// The node ends.
    Bye,
}

/// A message for members of all hubs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication<'a> {
    /// To whom.
    pub to: Scope<'a>,
    /// But not to this connection of the node.
    pub but: Option<ConnectionId>,
    /// What.
    pub message: Payload<'a>,
    /// Whether it goes into the room's history.
    pub history: bool,
    /// Whether it is the room's last value from now on.
    pub keep: bool,
    /// When it was published, in milliseconds since 1970.
    pub time: u64,
}

/// The groups that a publication can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Everyone.
    All,
    /// Everyone in a room.
    Room(&'a str),
    /// Every connection of a user.
    User(&'a str),
}

/// A message as it stands in a record. A text is UTF-8: what is read was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// Frames it.
    #[must_use]
    pub fn prepared(self) -> Prepared {
        match self {
            Self::Text(text) => Prepared::text(text),
            Self::Binary(bytes) => Prepared::binary(bytes),
        }
    }

    /// What a message carries; `payload` is its [`payload`](Prepared::payload).
    #[must_use]
    pub(crate) fn of(message: &Prepared, payload: &'a [u8]) -> Self {
        match (message.kind(), std::str::from_utf8(payload)) {
            (MessageKind::Text, Ok(text)) => Self::Text(text),
            _ => Self::Binary(payload),
        }
    }

    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl<'a> Scope<'a> {
    /// What a target is in other hubs, and whom it leaves out in its own. [`Target::One`] concerns its own hub alone.
    pub(crate) fn of(target: Target<'a>) -> Option<(Self, Option<ConnectionId>)> {
        match target {
            Target::One(_) => None,
            Target::All => Some((Self::All, None)),
            Target::Others(but) => Some((Self::All, Some(but))),
            Target::Room(room) => Some((Self::Room(room), None)),
            Target::RoomBut(room, but) => Some((Self::Room(room), Some(but))),
            Target::User(user) => Some((Self::User(user), None)),
            Target::UserBut(user, but) => Some((Self::User(user), Some(but))),
        }
    }

    /// The target in a hub.
    pub(crate) fn target(self, but: Option<ConnectionId>) -> Target<'a> {
        match (self, but) {
            (Self::All, None) => Target::All,
            (Self::All, Some(but)) => Target::Others(but),
            (Self::Room(room), None) => Target::Room(room),
            (Self::Room(room), Some(but)) => Target::RoomBut(room, but),
            (Self::User(user), None) => Target::User(user),
            (Self::User(user), Some(but)) => Target::UserBut(user, but),
        }
    }
}

/// The bytes that say of which kind a record is.
mod kind {
    pub(super) const PUBLISH: u8 = 1;
    pub(super) const KEEP: u8 = 2;
    pub(super) const FORGET: u8 = 3;
    pub(super) const JOIN: u8 = 4;
    pub(super) const LEAVE: u8 = 5;
    pub(super) const IDENTIFY: u8 = 6;
    pub(super) const GONE: u8 = 7;
    pub(super) const PRESENT: u8 = 8;
    pub(super) const HELLO: u8 = 9;
    pub(super) const HEARTBEAT: u8 = 10;
    pub(super) const BYE: u8 = 11;
}

/// The bits of a publication's flags.
mod flag {
    pub(super) const BINARY: u8 = 1;
    pub(super) const HISTORY: u8 = 2;
    pub(super) const KEEP: u8 = 4;
    pub(super) const BUT: u8 = 8;
    pub(super) const ALL: u8 = BINARY | HISTORY | KEEP | BUT;
}

impl<'a> Record<'a> {
    /// Whether it has a number of its own: all that changes what other hubs know. The rest only asks, or says that
    /// somebody lives.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        !matches!(self, Self::Hello | Self::Heartbeat | Self::Bye)
    }

    /// Whether its loss is to be told: a message, or a change of what a room keeps.
    #[must_use]
    pub fn is_publication(&self) -> bool {
        matches!(
            self,
            Self::Publish(_) | Self::Keep { .. } | Self::Forget { .. }
        )
    }

    /// The record as bytes.
    #[must_use]
    pub fn encode(&self, stamp: Stamp) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        out.extend_from_slice(&[VERSION, self.kind()]);
        for number in [stamp.node, stamp.seq, stamp.published] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        self.encode_fields(&mut out);
        out
    }

    /// Reads a record, lending its texts from the bytes.
    ///
    /// # Errors
    /// If this is no record, or one of a version that is not known here.
    pub fn decode(bytes: &'a [u8]) -> Result<(Stamp, Self), RecordError> {
        read::record(bytes)
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Publish(_) => kind::PUBLISH,
            Self::Keep { .. } => kind::KEEP,
            Self::Forget { .. } => kind::FORGET,
            Self::Join { .. } => kind::JOIN,
            Self::Leave { .. } => kind::LEAVE,
            Self::Identify { .. } => kind::IDENTIFY,
            Self::Gone { .. } => kind::GONE,
            Self::Present { .. } => kind::PRESENT,
            Self::Hello => kind::HELLO,
            Self::Heartbeat => kind::HEARTBEAT,
            Self::Bye => kind::BYE,
        }
    }

    /// Roughly what the record takes as bytes; a little more, never less.
    pub(crate) fn size(&self) -> usize {
        const FIXED: usize = HEAD + 32;
        FIXED
            + match self {
                Self::Publish(publication) => {
                    let (Scope::Room(name) | Scope::User(name)) = publication.to else {
                        return FIXED + publication.message.bytes().len();
                    };
                    name.len() + publication.message.bytes().len()
                }
                Self::Keep { room, value } => room.len() + value.bytes().len(),
                Self::Forget { room } | Self::Join { room, .. } | Self::Leave { room, .. } => {
                    room.len()
                }
                Self::Identify { user, .. } => user.map_or(0, str::len),
                Self::Present { people, .. } => people.bytes().len(),
                Self::Gone { .. } | Self::Hello | Self::Heartbeat | Self::Bye => 0,
            }
    }

    fn encode_fields(&self, out: &mut Vec<u8>) {
        match self {
            Self::Publish(publication) => publication.encode(out),
            Self::Keep { room, value } => {
                let binary = matches!(value, Payload::Binary(_));
                out.push(if binary { flag::BINARY } else { 0 });
                put_bytes(out, room.as_bytes());
                put_bytes(out, value.bytes());
            }
            Self::Forget { room } => put_bytes(out, room.as_bytes()),
            Self::Join { connection, room } | Self::Leave { connection, room } => {
                out.extend_from_slice(&connection.0.to_be_bytes());
                put_bytes(out, room.as_bytes());
            }
            Self::Identify { connection, user } => {
                out.extend_from_slice(&connection.0.to_be_bytes());
                put_option(out, *user);
            }
            Self::Gone { connection } => out.extend_from_slice(&connection.0.to_be_bytes()),
            Self::Present { first, people } => {
                out.push(u8::from(*first));
                out.extend_from_slice(people.bytes());
            }
            Self::Hello | Self::Heartbeat | Self::Bye => {}
        }
    }
}

impl Publication<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        for (is_set, bit) in [
            (matches!(self.message, Payload::Binary(_)), flag::BINARY),
            (self.history, flag::HISTORY),
            (self.keep, flag::KEEP),
            (self.but.is_some(), flag::BUT),
        ] {
            flags |= if is_set { bit } else { 0 };
        }
        out.push(flags);
        out.extend_from_slice(&self.time.to_be_bytes());
        if let Some(but) = self.but {
            out.extend_from_slice(&but.0.to_be_bytes());
        }
        match self.to {
            Scope::All => out.push(0),
            Scope::Room(room) => {
                out.push(1);
                put_bytes(out, room.as_bytes());
            }
            Scope::User(user) => {
                out.push(2);
                put_bytes(out, user.as_bytes());
            }
        }
        put_bytes(out, self.message.bytes());
    }
}

/// Appends a connection with what is known of it to the people of a [`Record::Present`].
pub(crate) fn put_person<'a>(
    out: &mut Vec<u8>,
    connection: ConnectionId,
    user: Option<&str>,
    rooms: impl ExactSizeIterator<Item = &'a str>,
) {
    out.extend_from_slice(&connection.0.to_be_bytes());
    put_option(out, user);
    out.extend_from_slice(&length(rooms.len()));
    for room in rooms {
        put_bytes(out, room.as_bytes());
    }
}

fn put_option(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_bytes(out, text.as_bytes());
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn length(bytes: usize) -> [u8; 4] {
    // What is longer is refused by the log before it is made bytes.
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}
