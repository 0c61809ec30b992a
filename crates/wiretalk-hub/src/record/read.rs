//! Records out of bytes that may come from anywhere.

use std::fmt;

use super::{HEAD, Payload, Publication, Record, Scope, Stamp, VERSION, flag, kind};
use crate::{ConnectionId, MOST_ROOMS};

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// They end too early, or a length says more than there is.
    Short,
    /// They go on behind the end.
    Long,
    /// They are of a version that is not known here.
    Version(u8),
    /// They are of a kind, or have a flag, that is not known here.
    Unknown(u8),
    /// What should be text is not UTF-8.
    NotUtf8,
    /// A connection is in more rooms than it may be.
    TooLarge,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the record is cut off"),
            Self::Long => f.write_str("something stands behind the record's end"),
            Self::Version(version) => write!(
                f,
                "the record is of version {version}, and only {VERSION} is known"
            ),
            Self::Unknown(byte) => {
                write!(f, "the record has a part that is not known (byte {byte})")
            }
            Self::NotUtf8 => f.write_str("a text of the record is not UTF-8"),
            Self::TooLarge => f.write_str("a connection of the record is in too many rooms"),
        }
    }
}

impl std::error::Error for RecordError {}

/// Connections of one node, each with its user and its rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct People<'a>(&'a [u8]);

/// One connection of another node.
#[derive(Clone, Debug)]
pub struct Person<'a> {
    /// The connection, in its own hub.
    pub connection: ConnectionId,
    /// Whose it is.
    pub user: Option<&'a str>,
    /// The rooms that it is in.
    pub rooms: PersonRooms<'a>,
}

/// The rooms of a [`Person`].
#[derive(Clone, Debug)]
pub struct PersonRooms<'a> {
    left: u32,
    bytes: Reader<'a>,
}

impl<'a> People<'a> {
    /// What [`put_person`](super::put_person) has written.
    pub(crate) fn written(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The people, one after the other.
    pub fn iter(self) -> impl Iterator<Item = Person<'a>> {
        let mut bytes = Reader(self.0);
        // Read once before, so that an error is the end.
        std::iter::from_fn(move || (!bytes.0.is_empty()).then(|| bytes.person().ok()).flatten())
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for PersonRooms<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.left = self.left.checked_sub(1)?;
        self.bytes.text().ok()
    }
}

pub(super) fn record(bytes: &[u8]) -> Result<(Stamp, Record<'_>), RecordError> {
    let mut bytes = Reader(bytes);
    let version = bytes.byte()?;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    if bytes.0.len() < HEAD - 1 {
        return Err(RecordError::Short);
    }
    let kind = bytes.byte()?;
    let stamp = Stamp {
        node: bytes.number()?,
        seq: bytes.number()?,
        published: bytes.number()?,
    };
    let record = match kind {
        kind::PUBLISH => Record::Publish(bytes.publication()?),
        kind::KEEP => {
            let flags = bytes.byte()?;
            if flags & !flag::BINARY != 0 {
                return Err(RecordError::Unknown(flags));
            }
            Record::Keep {
                room: bytes.text()?,
                value: bytes.payload(flags)?,
            }
        }
        kind::FORGET => Record::Forget {
            room: bytes.text()?,
        },
        kind::JOIN => Record::Join {
            connection: bytes.connection()?,
            room: bytes.text()?,
        },
        kind::LEAVE => Record::Leave {
            connection: bytes.connection()?,
            room: bytes.text()?,
        },
        kind::IDENTIFY => Record::Identify {
            connection: bytes.connection()?,
            user: bytes.option()?,
        },
        kind::GONE => Record::Gone {
            connection: bytes.connection()?,
        },
        kind::PRESENT => {
            let first = match bytes.byte()? {
                0 => false,
                1 => true,
                other => return Err(RecordError::Unknown(other)),
            };
            let people = People(bytes.0);
            while !bytes.0.is_empty() {
                bytes.person()?;
            }
            Record::Present { first, people }
        }
        kind::HELLO => Record::Hello,
        kind::HEARTBEAT => Record::Heartbeat,
        kind::BYE => Record::Bye,
        other => return Err(RecordError::Unknown(other)),
    };
    if bytes.0.is_empty() {
        Ok((stamp, record))
    } else {
        Err(RecordError::Long)
    }
}

/// What is left to read.
#[derive(Clone, Debug)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, RecordError> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_be_bytes)
    }

    fn connection(&mut self) -> Result<ConnectionId, RecordError> {
        self.number().map(ConnectionId)
    }

    fn length(&mut self) -> Result<usize, RecordError> {
        let length = self.array().map(u32::from_be_bytes)?;
        usize::try_from(length).map_err(|_| RecordError::Short)
    }

    fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, RecordError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| RecordError::NotUtf8)
    }

    fn option(&mut self) -> Result<Option<&'a str>, RecordError> {
        match self.byte()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            other => Err(RecordError::Unknown(other)),
        }
    }

    fn payload(&mut self, flags: u8) -> Result<Payload<'a>, RecordError> {
        if flags & flag::BINARY == 0 {
            self.text().map(Payload::Text)
        } else {
            self.bytes().map(Payload::Binary)
        }
    }

    fn publication(&mut self) -> Result<Publication<'a>, RecordError> {
        let flags = self.byte()?;
        if flags & !flag::ALL != 0 {
            return Err(RecordError::Unknown(flags));
        }
        let time = self.number()?;
        let but = (flags & flag::BUT != 0)
            .then(|| self.connection())
            .transpose()?;
        let to = match self.byte()? {
            0 => Scope::All,
            1 => Scope::Room(self.text()?),
            2 => Scope::User(self.text()?),
            other => return Err(RecordError::Unknown(other)),
        };
        Ok(Publication {
            to,
            but,
            message: self.payload(flags)?,
            history: flags & flag::HISTORY != 0,
            keep: flags & flag::KEEP != 0,
            time,
        })
    }

    fn person(&mut self) -> Result<Person<'a>, RecordError> {
        let connection = self.connection()?;
        let user = self.option()?;
        let left = self.array().map(u32::from_be_bytes)?;
        if usize::try_from(left).is_ok_and(|rooms| rooms > MOST_ROOMS) {
            return Err(RecordError::TooLarge);
        }
        let rooms = PersonRooms {
            left,
            bytes: self.clone(),
        };
        for _ in 0..left {
            self.text()?;
        }
        Ok(Person {
            connection,
            user,
            rooms,
        })
    }
}
