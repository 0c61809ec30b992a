//! What is asked of a broker.

use std::fmt;
use std::future::Future;

use wiretalk_hub::Capabilities;

/// A broker that keeps, or at least carries, one log: bytes in one order, the same for everyone who reads it.
pub trait Broker: Send + 'static {
    /// The half that appends.
    type Writer: Writer;
    /// The half that reads.
    type Reader: Reader;

    /// What the broker promises. What it cannot is never faked.
    fn capabilities(&self) -> Capabilities;

    /// Connects anew, and begins to read behind `after`, the offset that was read last; without one, with the oldest
    /// record that there is. Dropping the future, or the halves, ends the connection.
    fn connect(
        &mut self,
        after: Option<u64>,
    ) -> impl Future<Output = Result<(Begin, Self::Writer, Self::Reader), BrokerError>> + Send;

    /// The most bytes that it takes as one record; asked after each connection.
    fn largest(&self) -> usize {
        usize::MAX
    }
}

/// How a connection to a log begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Names the log: another one means that the old one is gone, and that offsets count anew.
    pub epoch: String,
    /// The offset of the newest record at this moment, 0 for none: once it has been read, the reader is up to date.
    pub last: u64,
}

/// Appends to a log.
pub trait Writer: Send + 'static {
    /// Appends records, none of them empty, in their order, each at least once; done when the broker has them all, as safely as
    /// it can. If one fails, none behind it should be in the log.
    fn append(
        &mut self,
        records: &[Vec<u8>],
    ) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Tells those who read now something that need not be kept, behind all that was appended before. A reader may give it
    /// the offset 0. It is appended where there is no cheaper way.
    fn tell(&mut self, record: Vec<u8>) -> impl Future<Output = Result<(), BrokerError>> + Send {
        async move { self.append(&[record]).await }
    }
}

/// Reads a log.
pub trait Reader: Send + 'static {
    /// The next records, one at least, in the log's order; waits for them. Cancel-safe.
    fn read(&mut self) -> impl Future<Output = Result<Vec<Read>, BrokerError>> + Send;
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its offset in the log, from 1, growing; 0 for what the log does not keep.
    pub offset: u64,
    /// What was appended. Empty for a mark of the broker's own, which says that the log is this far, and nothing else.
    pub bytes: Vec<u8>,
}

/// Why a broker does not do what it should. Whatever it is, the connection to it is made anew.
#[derive(Debug)]
pub struct BrokerError(String);

impl BrokerError {
    /// An error, as a sentence without secrets.
    #[must_use]
    pub fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BrokerError {}
