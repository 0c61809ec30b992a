//! The two ends of a log in Redis.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisError, Script};
use futures_util::future::BoxFuture;

use super::address::Node;
use super::channel::{Channel, Heard};
use super::live::{Live, unkept};
use super::{APPEND, FETCH, Keys, Seen, drawn};
use crate::broker::{BrokerError, Read, Reader, Writer};

/// Records come with the message that tells of them if they are no longer than this together, in bytes; else they are
/// fetched, so that what nobody has read yet is short.
const INLINE: usize = 16 * 1024;
/// A script gets no more arguments than this at once, and no more bytes, but for one record that is longer.
const MOST_RECORDS: usize = 1000;
const MOST_BYTES: usize = 1024 * 1024;
/// So many records are fetched at once, and so many bytes, but for one record that is longer.
const PAGE: usize = 1000;
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Appends to the stream.
pub struct RedisWriter {
    connection: MultiplexedConnection,
    keys: Keys,
    /// So many records are kept, and so many bytes; none: nothing is.
    history: Option<(u64, u64)>,
    append: Script,
    node: Arc<Node>,
}

impl RedisWriter {
    pub(super) fn new(
        connection: MultiplexedConnection,
        keys: Keys,
        history: Option<(u64, u64)>,
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
        let Some((history, bytes)) = self.history else {
            return self.publish(records).await;
        };
        let mut call = self.append.prepare_invoke();
        call.key(&self.keys.log)
            .key(&self.keys.about)
            .arg(&self.keys.channel)
            .arg(history)
            .arg(drawn())
            .arg(INLINE)
            .arg(bytes);
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
    messages: Channel,
    log: String,
    fetch: Arc<Script>,
    /// What was fetched and not handed over yet.
    ready: VecDeque<Read>,
    /// The offset that is read next.
    next: u64,
    /// Up to this offset there is something to fetch.
    newest: u64,
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
        messages: Channel,
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
            fetch: Arc::new(Script::new(FETCH)),
            ready: VecDeque::new(),
            next: after + 1,
            newest,
            fetching: None,
            seen,
            node,
        }
    }

    /// Fetches what comes next. Nothing is changed before it is there.
    async fn fetch(&mut self) -> Result<(), BrokerError> {
        let fetching = self.fetching.get_or_insert_with(|| {
            let mut connection = self.connection.clone();
            let (script, log) = (Arc::clone(&self.fetch), self.log.clone());
            let from = format!("{}-0", self.next);
            Box::pin(async move {
                let mut call = script.prepare_invoke();
                call.key(log).arg(from).arg(PAGE).arg(PAGE_BYTES);
                call.invoke_async(&mut connection).await
            })
        });
        let fetched = fetching.await;
        self.fetching = None;
        let entries: Page = fetched.map_err(|error| self.node.said(&error))?;
        for (id, fields) in entries {
            let Some(offset) = id.split('-').next().and_then(|offset| offset.parse().ok()) else {
                return Err(self.node.wrong());
            };
            let Ok([_, number, _, record]) = <[Vec<u8>; 4]>::try_from(fields) else {
                return Err(self.node.wrong());
            };
            self.push(offset, &number, record);
        }
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
        let Some(last) = live.last() else {
            let unkept = records.unwrap_or_default().into_iter();
            self.ready.extend(unkept.map(|bytes| Read {
                offset: 0,
                bytes: bytes.to_vec(),
            }));
            return;
        };
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
            match self.messages.next().await {
                Some(Heard::Message(message)) => self.hear(&message),
                Some(Heard::Log(newest)) => self.newest = self.newest.max(newest),
                None => return Err(self.node.gone()),
            }
        }
    }
}
