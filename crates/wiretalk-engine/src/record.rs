//! The message log: what was seen on a connection, in one form for everything that shows or keeps traffic.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

/// Which way something went, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We sent it.
    Sent,
    /// It came.
    Received,
}

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// A close frame; its code, 1005 if it had none.
    Close(u16),
    /// A frame as a talk gives it, whatever the rules say.
    Frame,
    /// Bytes outside any frame.
    Raw,
    /// Something that is no frame: a connection opened, or ended. The payload says what, as a sentence.
    Event,
}

impl Kind {
    /// The kind as the talk writes it behind an arrow, and as a person reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close(_) => "close",
            Self::Frame => "frame",
            Self::Raw => "raw",
            Self::Event => "event",
        }
    }
}

/// One thing that was seen.
#[derive(Clone, Debug)]
pub struct Record {
    /// The connection, counted from 1.
    pub connection: u64,
    /// Which way it went.
    pub direction: Direction,
    /// What it is.
    pub kind: Kind,
    /// The payload; of a close frame the reason.
    pub payload: Bytes,
    /// When, counted from the begin of the run.
    pub at: Duration,
}

impl Record {
    /// The payload as a person reads it: text as it is, with control characters escaped; bytes in hex.
    #[must_use]
    pub fn shown(&self, most: usize) -> String {
        show(
            &self.payload,
            matches!(self.kind, Kind::Binary | Kind::Raw),
            most,
        )
    }
}

/// Bytes as a person reads them, `most` characters of them.
#[must_use]
pub fn show(bytes: &[u8], binary: bool, most: usize) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !binary => {
            let mut shown = String::new();
            for (count, c) in text.chars().enumerate() {
                if count == most {
                    shown.push('…');
                    break;
                }
                if c.is_control() {
                    shown.extend(c.escape_default());
                } else {
                    shown.push(c);
                }
            }
            return shown;
        }
        _ => bytes,
    };
    let mut shown = String::new();
    for (count, byte) in text.iter().enumerate() {
        if count > 0 {
            shown.push(' ');
        }
        if count * 3 >= most {
            shown.push('…');
            break;
        }
        shown.push_str(&format!("{byte:02x}"));
    }
    shown
}

/// A URL, or a path with its query, without the values in the query: they may be tokens.
#[must_use]
pub fn without_query_values(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let (query, fragment) = match query.split_once('#') {
        Some((query, fragment)) => (query, format!("#{fragment}")),
        None => (query, String::new()),
    };
    let names: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if !value.is_empty() => format!("{name}=…"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}{fragment}", names.join("&"))
}

/// The newest records of a run, bounded in number and bytes.
#[derive(Debug, Default)]
pub struct Log {
    records: VecDeque<Record>,
    bytes: usize,
    dropped: usize,
}

impl Log {
    /// The most records that are kept.
    pub const MOST_RECORDS: usize = 10_000;
    /// The most payload bytes that are kept.
    pub const MOST_BYTES: usize = 32 * 1024 * 1024;

    /// Adds a record, and lets go of the oldest if there are too many.
    pub fn push(&mut self, record: Record) {
        self.bytes += record.payload.len();
        self.records.push_back(record);
        while self.records.len() > Self::MOST_RECORDS
            || (self.bytes > Self::MOST_BYTES && self.records.len() > 1)
        {
            if let Some(oldest) = self.records.pop_front() {
                self.bytes -= oldest.payload.len();
                self.dropped += 1;
            }
        }
    }

    /// The records, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Record> + ExactSizeIterator {
        self.records.iter()
    }

    /// The same, to be changed. What is kept counts as before.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.iter_mut()
    }

    /// How many records were let go.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(payload: &'static [u8], kind: Kind) -> Record {
        Record {
            connection: 1,
            direction: Direction::Sent,
            kind,
            payload: Bytes::from_static(payload),
            at: Duration::ZERO,
        }
    }

    #[test]
    fn payloads_are_shown_for_people() {
        for (payload, kind, most, shown) in [
            (&b"hello"[..], Kind::Text, 80, "hello"),
            (b"a\nb\x1b[31m", Kind::Text, 80, "a\\nb\\u{1b}[31m"),
            ("你好吗".as_bytes(), Kind::Text, 2, "你好…"),
            (b"\x00\xff", Kind::Binary, 80, "00 ff"),
            (b"abc", Kind::Binary, 6, "61 62 …"),
            (b"\xff", Kind::Ping, 80, "ff"),
        ] {
            assert_eq!(record(payload, kind).shown(most), shown);
        }
    }

    #[test]
    fn a_query_is_shown_without_its_values() {
        for (url, shown) in [
            ("ws://a/b", "ws://a/b"),
            ("/?token=hunter2", "/?token=…"),
            (
                "ws://a/?user=a&flag&empty=#x",
                "ws://a/?user=…&flag&empty=#x",
            ),
        ] {
            assert_eq!(without_query_values(url), shown);
        }
    }

    #[test]
    fn a_log_keeps_the_newest_and_counts_the_rest() {
        let mut log = Log::default();
        for _ in 0..Log::MOST_RECORDS + 5 {
            log.push(record(b"x", Kind::Text));
        }
        assert_eq!((log.iter().len(), log.dropped()), (Log::MOST_RECORDS, 5));
        let huge = Bytes::from(vec![b'x'; Log::MOST_BYTES]);
        log.push(Record {
            payload: huge,
            ..record(b"", Kind::Text)
        });
        assert_eq!(log.iter().len(), 1);
    }
}
