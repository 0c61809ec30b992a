//! A log that several hubs share, without I/O: what a hub appends to it, and what it makes of what it reads.
//!
//! Every node appends records and applies all records in the log's order, its own included. A broker promises at most
//! that a record is there at least once, and may lose the end of its log when it is killed. Numbers make more of that:
//!
//! - Each node numbers its records. A number that was read before is a double, and dropped.
//! - A number that is jumped over is a gap; it is counted in publications and told. [Heartbeats](Record::Heartbeat) say how
//!   far a node has come, so that a loss at the end is found too.
//! - Whoever is heard for the first time begins with the number that is heard: what was before was there before this node
//!   was. Except right after this node has been away: then that one has begun meanwhile, and all of its past that is not in
//!   the log any more is a gap. A node of which that is wrong was away itself all the time, and its gap is told in vain.
//! - A node keeps what it has not read back, and lately read, and appends again what the log does not have after a new
//!   connection. All that wait in memory are bounded in bytes; what finds no place is refused, and its number is a gap.
//! - A node that is silent for longer than three heartbeats is gone.
//!
//! Whoever drives it connects ([`Log::connected`]), gives it what is read ([`Log::read`]), asks what to append
//! ([`Log::take`]) and to say ([`Log::say`]), and tells it that the connection is lost ([`Log::disconnected`]). Time is
//! an argument everywhere: milliseconds of any clock that never goes back.

mod producer;
mod readers;
#[cfg(test)]
mod tests;

use crate::HubOptions;
use crate::record::{Record, Stamp};
use producer::Producer;
use readers::Nodes;

/// The time between two heartbeats, in milliseconds.
pub const HEARTBEAT: u64 = 1000;
/// A node that was silent for so long, in milliseconds, is gone.
pub const SILENCE: u64 = 3 * HEARTBEAT + HEARTBEAT / 2;
/// Who is present is asked, and answered, not more often than this, in milliseconds.
const COURTESY: u64 = 1000;

/// One node's end of a log.
///
/// ```
/// use wiretalk_hub::HubOptions;
/// use wiretalk_hub::log::Log;
/// use wiretalk_hub::record::Record;
///
/// let mut log = Log::new(&HubOptions { node: 7, ..HubOptions::default() });
/// log.push(&Record::Forget { room: "lobby" });
/// // A broker with an empty log.
/// let begun = log.connected(log.after(), "first", 0, usize::MAX, 0);
/// # let _ = begun;
/// let batch = log.take(1024);
/// // It is read twice, and applied once.
/// assert!(log.read(1, &batch[0], 0).news.is_some());
/// assert!(log.read(2, &batch[0], 0).news.is_none());
/// ```
#[derive(Debug)]
pub struct Log {
    producer: Producer,
    nodes: Nodes,
    state: State,
    /// Whether the log has been read to its end once.
    was_ready: bool,
    /// When it was read to its end on this connection.
    ready_at: u64,
    /// Whether it was read for so long once that every node was heard which could be.
    knew_all: bool,
    /// The broker's name of the log that is read.
    epoch: Option<String>,
    /// How often the log went back without a new name.
    forks: u32,
    /// The offset that was read last, 0: none.
    offset: u64,
    foreign: u64,
    beat: Option<u64>,
    ask: Courtesy,
    answer: Courtesy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Away,
    /// Reads what was appended before this connection, up to this offset.
    Replaying(u64),
    Ready,
}

/// Something that is done when it is wanted, but not too often.
#[derive(Debug, Default)]
struct Courtesy {
    wanted: bool,
    last: Option<u64>,
}

impl Courtesy {
    fn is_due(&mut self, now: u64) -> bool {
        let early = self
            .last
            .is_some_and(|last| now < last.saturating_add(COURTESY));
        if !self.wanted || early {
            return false;
        }
        (self.wanted, self.last) = (false, Some(now));
        true
    }
}

/// How a connection to a log begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The log goes on where it was read last.
    Same,
    /// It is another log, read from its oldest record: [`Hub::begin`](crate::Hub::begin) with this name.
    New(String),
    /// It is another log than the one that was asked for: connect again, and read from the oldest record.
    Elsewhere,
}

/// What a record that was read means: for [`Hub::follow`](crate::Hub::follow).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a hub must follow"]
pub struct Outcome<'a> {
    /// So many publications were lost before this record.
    pub lost: u64,
    /// What was before this offset cannot be had, or not all of it: a log begins with a later record, or publications were
    /// lost.
    pub first: Option<u64>,
    /// The record, if it is to be applied.
    pub news: Option<News<'a>>,
}

/// A record to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News<'a> {
    /// Its offset, 0 if the log does not keep it.
    pub offset: u64,
    /// Who wrote it.
    pub stamp: Stamp,
    /// It was applied before, and is found again in a log that began later.
    pub again: bool,
    /// It was there before this node has read the log for the first time.
    pub old: bool,
    /// The record.
    pub record: Record<'a>,
}

impl Log {
    /// A node's end of a log, not connected. Of the options, `node`, `pending` and `again` count.
    #[must_use]
    pub fn new(options: &HubOptions) -> Self {
        Self {
            producer: Producer::new(options.node, options.pending, options.again),
            nodes: Nodes::new(options.node),
            state: State::Away,
            was_ready: false,
            ready_at: 0,
            knew_all: false,
            epoch: None,
            forks: 0,
            offset: 0,
            foreign: 0,
            beat: None,
            ask: Courtesy::default(),
            answer: Courtesy::default(),
        }
    }

    /// Numbers a record and queues it for the log; for a [`Backplane`](crate::Backplane). Whether there was room: if not,
    /// its number is a gap, and it will be told as lost.
    pub fn push(&mut self, record: &Record<'_>) -> bool {
        self.producer.push(record)
    }

    /// The offset behind which to read; none: from the oldest record.
    #[must_use]
    pub fn after(&self) -> Option<u64> {
        (self.offset > 0).then_some(self.offset)
    }

    /// A connection begins, with the log's name and the offset of its newest record, 0 for none. `after` is what was
    /// asked for, `largest` the most bytes that the broker takes as one record.
    pub fn connected(
        &mut self,
        after: Option<u64>,
        epoch: &str,
        last: u64,
        largest: usize,
        now: u64,
    ) -> Begun {
        let named = self.epoch.as_deref() == Some(epoch);
        let is_same = named && last >= self.offset;
        if !is_same && after.is_some() {
            // Whatever is read next is another log, even under the same name.
            self.offset = 0;
            self.forks = if named { self.forks + 1 } else { 0 };
            self.epoch = None;
            return Begun::Elsewhere;
        }
        self.producer.connected(largest);
        self.state = State::Replaying(last);
        if !is_same {
            self.epoch = Some(epoch.to_owned());
            self.offset = 0;
            self.producer.begin();
            self.nodes.begin();
        }
        self.settle(now);
        if is_same {
            return Begun::Same;
        }
        Begun::New(match self.forks {
            0 => epoch.to_owned(),
            forks => format!("{epoch}+{forks}"),
        })
    }

    /// The connection is lost. What was taken and not read back will be taken again.
    pub fn disconnected(&mut self) {
        self.state = State::Away;
    }

    /// Whether all is read that was there when the connection began.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Something was read: `offset` is 0 for what the log does not keep.
    pub fn read<'a>(&mut self, offset: u64, bytes: &'a [u8], now: u64) -> Outcome<'a> {
        let mut outcome = Outcome::default();
        if offset > 0 && self.offset == 0 {
            outcome.first = Some(offset);
        }
        self.offset = self.offset.max(offset);
        match Record::decode(bytes) {
            // A mark of the broker's own, which says how far the log is.
            _ if bytes.is_empty() => {}
            Ok((stamp, record)) => self.record(offset, stamp, record, now, &mut outcome),
            // Somebody else's, or a later version's: not ours to judge, but to count.
            Err(_) => self.foreign += 1,
        }
        if outcome.lost > 0 && outcome.first.is_none() {
            // What is not kept itself tells of what was before the end of what is.
            outcome.first = Some(if offset > 0 { offset } else { self.offset + 1 });
        }
        self.settle(now);
        outcome
    }

    /// Records to append, in order, `bytes` of them or a little more; none before all is read that was there. What was
    /// taken counts as appended, until the connection is lost.
    pub fn take(&mut self, bytes: usize) -> Vec<Vec<u8>> {
        if self.is_ready() {
            self.producer.take(bytes)
        } else {
            Vec::new()
        }
    }

    /// What is to be told those who read now, behind all that was taken so far. It need not be kept.
    pub fn say(&mut self, now: u64) -> Vec<Vec<u8>> {
        let mut said = Vec::new();
        if !self.is_ready() {
            return said;
        }
        self.knew_all |= now >= self.ready_at.saturating_add(SILENCE);
        if self.ask.is_due(now) {
            said.push(self.producer.unnumbered(&Record::Hello));
        }
        if self.beat.is_none_or(|beat| now >= beat + HEARTBEAT) {
            self.beat = Some(now);
            said.push(self.producer.unnumbered(&Record::Heartbeat));
        }
        said
    }

    /// The last words of a node that ends.
    #[must_use]
    pub fn bye(&self) -> Vec<u8> {
        self.producer.unnumbered(&Record::Bye)
    }

    /// Whether somebody wants to know who is present here: [`Hub::tell_presence`](crate::Hub::tell_presence).
    pub fn presence_is_wanted(&mut self, now: u64) -> bool {
        self.is_ready() && self.answer.is_due(now)
    }

    /// The nodes that have been silent for too long, each told once: [`Hub::node_gone`](crate::Hub::node_gone).
    pub fn silent(&mut self, now: u64) -> Vec<u64> {
        if self.is_ready() {
            self.nodes.silent(now)
        } else {
            Vec::new()
        }
    }

    /// Whether all that was pushed has been taken on this connection.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.is_ready() && self.producer.is_drained()
    }

    /// The bytes that wait to be read back.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.producer.pending()
    }

    /// How many records were read that nobody here can read.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    fn record<'a>(
        &mut self,
        offset: u64,
        stamp: Stamp,
        record: Record<'a>,
        now: u64,
        outcome: &mut Outcome<'a>,
    ) {
        if stamp.node == self.producer.node() && record.is_numbered() {
            self.producer.read_back(stamp.seq);
        }
        let verdict = self
            .nodes
            .heard(stamp, &record, now, self.was_ready, self.came_back(now));
        if self.was_ready {
            outcome.lost = verdict.lost;
            self.ask.wanted |= verdict.ask;
        }
        if record == Record::Hello && self.was_ready && stamp.node != self.producer.node() {
            self.answer.wanted = true;
        }
        if verdict.apply {
            outcome.news = Some(News {
                offset,
                stamp,
                again: verdict.again,
                old: !self.was_ready,
                record,
            });
        }
    }

    /// Whether this node has just come back from having been away: a node that is heard for the first time now has begun
    /// meanwhile, so all of its past was missed.
    fn came_back(&self, now: u64) -> bool {
        self.knew_all && (!self.is_ready() || now < self.ready_at.saturating_add(SILENCE))
    }

    /// Is ready if all is read.
    fn settle(&mut self, now: u64) {
        let State::Replaying(last) = self.state else {
            return;
        };
        if self.offset < last {
            return;
        }
        self.state = State::Ready;
        self.ready_at = now;
        self.producer.resume();
        self.nodes.resume(now);
        self.ask.wanted = true;
        self.beat = None;
        if !self.was_ready {
            self.was_ready = true;
            self.answer.wanted = true;
        }
    }
}
