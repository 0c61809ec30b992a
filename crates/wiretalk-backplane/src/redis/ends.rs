//! The two ends of a log in Redis.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::aio::{MultiplexedConnection, PubSub};
use ::redis::{RedisError, Script};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;

use super::address::Node;
use super::live::{Live, unkept};
use super::{APPEND, Keys, Seen, drawn};
use crate::broker::{BrokerError, Read, Reader, Writer};

/// Records come with the message that tells of them if they are no longer than this together, in bytes; else they are
/// fetched, so that what nobody has read yet is short.
const INLINE: usize = 16 * 1024;
/// A script gets no more arguments than this at once, and no more bytes, but for one record that is longer.
const MOST_RECORDS: usize = 1000;
const MOST_BYTES: usize = 1024 * 1024;
/// So many records are fetched at once, fewer if they are long.
const PAGE: usize = 1000;
const LONG_PAGE: usize = 4 * 1024 * 1024;

/// Appends to the stream.
pub struct RedisWriter {
    connection: MultiplexedConnection,
    keys: Keys,
    history: Option<u64>,
    append: Script,
    node: Arc<Node>,
}

impl RedisWriter {
    pub(super) fn new(
        connection: MultiplexedConnection,
        keys: Keys,
        history: Option<u64>,
        node: Arc<Node>,
    ) -> Self {
        Self {
            connection,
            keys,
            history,
            append: Script::new(APPEND),
            node,
        }
    }

    async fn append_some(&mut self, records: &[Vec<u8>]) -> Result<(), RedisError> {
        let Some(history) = self.history else {
            return self.publish(records).await;
        };
        let mut call = self.append.prepare_invoke();
        call.key(&self.keys.log)
            .key(&self.keys.about)
            .arg(&self.keys.channel)
            .arg(history)
            .arg(drawn())
            .arg(INLINE);
        for record in records {
            call.arg(&record[..]);
        }
        call.invoke_async::<()>(&mut self.connection).await
    }

    async fn publish(&mut self, records: &[Vec<u8>]) -> Result<(), RedisError> {
        ::redis::cmd("PUBLISH")
            .arg(&self.keys.channel)
            .arg(unkept(records.iter().map(|record| &record[..])))
            .exec_async(&mut self.connection)
            .await
    }
}

impl Writer for RedisWriter {
    async fn append(&mut self, records: &[Vec<u8>]) -> Result<(), BrokerError> {
        let mut rest = records;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().take(MOST_RECORDS).take_while(|record| {
                bytes += record.len();
                bytes <= MOST_BYTES
            });
            let (some, behind) = rest.split_at(fitting.count().max(1));
            let appended = self.append_some(some).await;
            appended.map_err(|error| self.node.said(&error))?;
            rest = behind;
        }
        Ok(())
    }

    async fn tell(&mut self, record: Vec<u8>) -> Result<(), BrokerError> {
        let told = self.publish(&[record]).await;
        told.map_err(|error| self.node.said(&error))
    }
}

/// Reads the stream.
pub struct RedisReader {
    connection: MultiplexedConnection,
    messages: PubSub,
    log: String,
    /// What was fetched and not handed over yet.
    ready: VecDeque<Read>,
    /// The offset that is read next.
    next: u64,
    /// Up to this offset there is something to fetch.
    newest: u64,
    page: usize,
    /// What is being fetched: asked for once, however often whoever waits for it turns away.
    fetching: Option<BoxFuture<'static, Result<Page, RedisError>>>,
    seen: Arc<Mutex<Seen>>,
    node: Arc<Node>,
}

/// Entries of a stream: their ids, and their fields, names and values by turns.
type Page = Vec<(String, Vec<Vec<u8>>)>;

impl RedisReader {
    pub(super) fn new(
        connection: MultiplexedConnection,
        messages: PubSub,
        log: String,
        after: u64,
        newest: u64,
        seen: Arc<Mutex<Seen>>,
        node: Arc<Node>,
    ) -> Self {
        Self {
            connection,
            messages,
            log,
            ready: VecDeque::new(),
            next: after + 1,
            newest,
            page: PAGE,
            fetching: None,
            seen,
            node,
        }
    }

    /// Fetches what comes next. Nothing is changed before it is there.
    async fn fetch(&mut self) -> Result<(), BrokerError> {
        let fetching = self.fetching.get_or_insert_with(|| {
            let mut connection = self.connection.clone();
            let mut range = ::redis::cmd("XRANGE");
            range.arg(&self.log).arg(format!("{}-0", self.next));
            range.arg("+").arg("COUNT").arg(self.page);
            Box::pin(async move { range.query_async(&mut connection).await })
        });
        let fetched = fetching.await;
        self.fetching = None;
        let entries: Page = fetched.map_err(|error| self.node.said(&error))?;
        let mut bytes = 0;
        for (id, fields) in entries {
            let Some(offset) = id.split('-').next().and_then(|offset| offset.parse().ok()) else {
                return Err(self.node.wrong());
            };
            let Ok([_, number, _, record]) = <[Vec<u8>; 4]>::try_from(fields) else {
                return Err(self.node.wrong());
            };
            bytes += record.len();
            self.push(offset, &number, record);
        }
        self.page = match bytes {
            LONG_PAGE.. => (self.page / 2).max(1),
            _ => (self.page * 2).min(PAGE),
        };
        if self.ready.is_empty() {
            // What was there is trimmed away; a mark says how far the log is.
            self.ready.push_back(Read {
                offset: self.newest,
                bytes: Vec::new(),
            });
            self.next = self.newest + 1;
        }
        Ok(())
    }

    fn hear(&mut self, message: &[u8]) {
        // What others publish there is no concern of ours.
        let Some(live) = Live::parse(message) else {
            return;
        };
        let records = live.records();
        if live.first == 0 {
            let unkept = records.unwrap_or_default().into_iter();
            self.ready.extend(unkept.map(|bytes| Read {
                offset: 0,
                bytes: bytes.to_vec(),
            }));
            return;
        }
        let last = live.first.saturating_add(live.count).saturating_sub(1);
        match records {
            Some(records) if live.first == self.next => {
                for (offset, bytes) in (live.first..).zip(records) {
                    self.push(offset, live.drawn, bytes.to_vec());
                }
            }
            _ => self.newest = self.newest.max(last),
        }
    }

    fn push(&mut self, offset: u64, drawn: &[u8], bytes: Vec<u8>) {
        self.next = offset.saturating_add(1);
        self.ready.push_back(Read { offset, bytes });
        if let Ok(drawn) = drawn.try_into() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.add(offset, drawn);
        }
    }
}

impl Reader for RedisReader {
    async fn read(&mut self) -> Result<Vec<Read>, BrokerError> {
        loop {
            if !self.ready.is_empty() {
                return Ok(self.ready.drain(..).collect());
            }
            if self.next <= self.newest {
                self.fetch().await?;
                continue;
            }
            let message = self.messages.on_message().next().await;
            let Some(message) = message else {
                return Err(self.node.gone());
            };
            self.hear(message.get_payload_bytes());
        }
    }
}
