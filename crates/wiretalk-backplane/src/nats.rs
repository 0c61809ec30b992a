//! NATS: the log is a stream of JetStream.
//!
//! One subject carries whole records. A record that is longer than the server's `max_payload` goes in parts, which lie on a
//! second subject; the message that ends it, on a third, names the sequence numbers of its parts, so that a reader can
//! begin anywhere.
//!
//! What is told and need not be kept goes past the stream, with the sequence number of its writer's newest record: a reader
//! holds it back until it has come so far.

mod login;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, LastRawMessageErrorKind, StorageType, Stream,
};
use async_nats::jetstream::{self, Message};
use async_nats::{AuthError, Client, ConnectOptions, Subject, Subscriber};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;
use wiretalk_hub::Capabilities;

use crate::UrlError;
use crate::broker::{Begin, Broker, BrokerError, Read, Reader, Writer};
use crate::url::{Kept, Parts};
use login::Login;

/// How long the server may take to answer anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the server is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// So much may be under way to a reader. The records of one such share are in memory at once.
const SHARE_BYTES: usize = 16 * 1024 * 1024;
const SHARE_RECORDS: usize = 2_000;
/// So many records are kept if nothing else is said: more than elsewhere, for a long record is many messages.
const RECORDS: u64 = 500_000;
/// So much of what is told may be held back; then the oldest is let go.
const HELD: usize = 1_000;
/// So many appended records may be without an acknowledgement.
const UNACKNOWLEDGED: usize = 1_000;

/// A log in a stream of JetStream. The stream is made if it is not there yet; one that is there is used as it is.
///
/// What is promised: every record that was appended is in the stream's file, which survives the server; it is synced
/// to the disk as the server is configured to do (`sync_interval`). With `replicas` in the URL, in a cluster, it
/// survives a server's disk.
///
/// ```
/// use wiretalk_backplane::Nats;
///
/// let log = Nats::new("nats://user:secret@127.0.0.1:4222?history=10000&history-age=24h", "wiretalk:/chat");
/// assert!(log.is_ok());
/// let error = Nats::new("nats://127.0.0.1?histori=5", "wiretalk:/chat").expect_err("a slip");
/// assert!(error.to_string().starts_with("histori is not an option"));
/// ```
#[derive(Debug)]
pub struct Nats {
    addresses: Vec<String>,
    /// The server's host and port, without a password.
    place: String,
    login: Login,
    kept: Kept,
    replicas: usize,
    /// The name of the stream, and what its subjects begin with.
    name: String,
    /// The most bytes of a record, as the server that was reached last has it.
    largest: usize,
}

impl Nats {
    /// A log of this name at the server that the URL names: `nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT][?OPTIONS]`, or
    /// `tls://`. Nothing is connected yet.
    ///
    /// Options: `history=COUNT` (records that are kept, 500,000), `history-bytes=SIZE` (256MiB), `history-age=AGE` (none),
    /// `replicas=N` (1).
    ///
    /// # Errors
    /// If the URL is not such a one.
    pub fn new(url: &str, log: &str) -> Result<Self, UrlError> {
        let mut parts = Parts::parse(url, &["nats", "tls"])?;
        let kept = Kept {
            records: parts.records(RECORDS)?,
            bytes: parts.bytes()?,
            age: parts.age()?,
        };
        let replicas = parts.number("replicas", 1)?;
        parts.finish("history, history-bytes, history-age, replicas")?;
        let login = Login::of(&parts.server);
        let place = parts.place(4222);
        let address = format!("{}://{place}", parts.server.scheme());
        Ok(Self {
            addresses: vec![address],
            place,
            login,
            kept,
            replicas: usize::try_from(replicas).unwrap_or(usize::MAX),
            name: stream_name(log),
            largest: usize::MAX,
        })
    }

    async fn dial(&self) -> Result<Client, BrokerError> {
        let login = self.login.clone();
        let first = Arc::new(AtomicBool::new(true));
        // The library would connect again by itself, and send on behind what was lost meanwhile: records would change
        // their order. So it may log in once, and whoever uses the connection is told that it is gone.
        ConnectOptions::with_auth_callback(move |_| {
            let (auth, once) = (login.auth(), first.swap(false, Ordering::Relaxed));
            async move {
                if once {
                    Ok(auth)
                } else {
                    Err(AuthError::new("once only"))
                }
            }
        })
        .name("wiretalk")
        .max_reconnects(1)
        .reconnect_delay_callback(|_| Duration::ZERO)
        .ignore_discovered_servers()
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .ping_interval(HEARTBEAT)
        .connect(&self.addresses)
        .await
        .map_err(|error| self.failed("cannot be reached", error))
    }

    async fn stream(&self, context: &Context) -> Result<Stream, BrokerError> {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let config = Config {
            name: self.name.clone(),
            subjects: vec![format!("{}.*", self.name)],
            max_messages: count(self.kept.records),
            max_bytes: count(self.kept.bytes),
            max_age: self.kept.age.unwrap_or_default(),
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            num_replicas: self.replicas,
            ..Config::default()
        };
        let stream = context.get_or_create_stream(config).await;
        stream.map_err(|error| self.failed("gives no stream (is JetStream switched on?)", error))
    }

    fn failed(&self, what: &str, error: impl std::fmt::Display) -> BrokerError {
        BrokerError::new(format_args!("NATS at {} {what}: {error}", self.place))
    }
}

impl Broker for Nats {
    type Writer = NatsWriter;
    type Reader = NatsReader;

    fn capabilities(&self) -> Capabilities {
        Capabilities::shared(true)
    }

    async fn connect(
        &mut self,
        after: Option<u64>,
    ) -> Result<(Begin, NatsWriter, NatsReader), BrokerError> {
        let client = self.dial().await?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(PATIENCE);
        let stream = self.stream(&context).await?;
        let info = stream.get_info().await;
        let info = info.map_err(|error| self.failed("does not tell of its stream", error))?;
        let state = &info.state;
        // All may have grown too old by now: then there is nothing to catch up with.
        let last = if state.messages == 0 {
            0
        } else {
            state.last_sequence
        };
        let subjects = Subjects::of(&self.name);
        // Before anything is read, so that nothing is told between.
        let told = client.subscribe(subjects.told.clone()).await;
        let told = told.map_err(|error| self.failed("cannot be heard", error))?;
        let deliver_policy = match after {
            // A sequence number that the stream does not have yet is none of this stream's.
            Some(after) if after <= state.last_sequence => DeliverPolicy::ByStartSequence {
                start_sequence: after + 1,
            },
            _ => DeliverPolicy::All,
        };
        let consumer = stream
            .create_consumer(pull::Config {
                deliver_policy,
                ack_policy: AckPolicy::None,
                memory_storage: true,
                ..pull::Config::default()
            })
            .await
            .map_err(|error| self.failed("gives no consumer", error))?;
        let most = client.server_info().max_payload;
        self.largest = largest(most, info.config.max_bytes);
        let messages = consumer
            .stream()
            .max_messages_per_batch(SHARE_RECORDS)
            .max_bytes_per_batch(SHARE_BYTES.max(2 * most))
            .expires(6 * HEARTBEAT)
            .messages()
            .await
            .map_err(|error| self.failed("cannot be read", error))?;
        let begin = Begin {
            epoch: info.created.unix_timestamp_nanos().to_string(),
            last,
        };
        let writer = NatsWriter {
            context,
            subjects: subjects.clone(),
            most,
            client,
            newest: state.last_sequence,
            place: self.place.clone(),
        };
        let reader = NatsReader {
            stream,
            messages,
            told,
            held: VecDeque::new(),
            // Where nothing is left, nothing is waited for.
            position: if last == 0 { state.last_sequence } else { 0 }.max(after.unwrap_or(0)),
            subjects,
            next: 1,
            came: VecDeque::new(),
            fetching: None,
            read: Vec::new(),
            place: self.place.clone(),
        };
        Ok((begin, writer, reader))
    }

    fn largest(&self) -> usize {
        self.largest
    }
}

/// The most bytes of a record: all its parts are named by one message, of eight bytes for each, and the stream must have
/// room for all of them.
fn largest(max_payload: usize, max_bytes: i64) -> usize {
    let parts = max_payload.saturating_mul(max_payload / 8);
    match usize::try_from(max_bytes) {
        Ok(bytes) => parts.min(bytes / 4),
        Err(_) => parts,
    }
}

/// The half of a connection to NATS that appends.
#[derive(Debug)]
pub struct NatsWriter {
    context: Context,
    subjects: Subjects,
    /// The longest message that the server takes.
    most: usize,
    client: Client,
    /// The sequence number of what was appended last, or was there before.
    newest: u64,
    place: String,
}

impl NatsWriter {
    /// Publishes messages in their order, and gives the numbers that they got in the stream.
    async fn publish(
        &mut self,
        subject: Subject,
        messages: impl Iterator<Item = Bytes>,
    ) -> Result<Vec<u64>, BrokerError> {
        let mut sequences = Vec::new();
        let mut waiting = VecDeque::new();
        for message in messages {
            if waiting.len() == UNACKNOWLEDGED
                && let Some(acknowledgement) = waiting.pop_front()
            {
                sequences.push(self.stored(acknowledgement).await?);
            }
            let sent = self.context.publish(subject.clone(), message).await;
            waiting.push_back(sent.map_err(|error| self.failed(error))?);
        }
        for acknowledgement in waiting {
            sequences.push(self.stored(acknowledgement).await?);
        }
        self.newest = self.newest.max(sequences.last().copied().unwrap_or(0));
        Ok(sequences)
    }

    async fn stored(
        &self,
        acknowledgement: jetstream::context::PublishAckFuture,
    ) -> Result<u64, BrokerError> {
        let stored = acknowledgement.await;
        Ok(stored.map_err(|error| self.failed(error))?.sequence)
    }

    /// Appends a record that is too long for one message.
    async fn append_parts(&mut self, record: &[u8]) -> Result<(), BrokerError> {
        let parts = record.chunks(self.most.max(1)).map(Bytes::copy_from_slice);
        let sequences = self.publish(self.subjects.part.clone(), parts).await?;
        let end: Vec<u8> = sequences.iter().flat_map(|n| n.to_be_bytes()).collect();
        if end.len() > self.most {
            return Err(self.failed("a record is too long for the server's max_payload"));
        }
        let end = [Bytes::from(end)].into_iter();
        self.publish(self.subjects.end.clone(), end).await.map(drop)
    }

    fn failed(&self, error: impl std::fmt::Display) -> BrokerError {
        BrokerError::new(format_args!(
            "NATS at {} takes no record: {error}",
            self.place
        ))
    }
}

impl Writer for NatsWriter {
    async fn append(&mut self, records: &[Vec<u8>]) -> Result<(), BrokerError> {
        let mut rest = records;
        while !rest.is_empty() {
            let fits = |record: &&Vec<u8>| record.len() <= self.most;
            let count = rest.iter().take_while(fits).count();
            let (whole, behind) = rest.split_at(count);
            let messages = whole.iter().map(|record| Bytes::copy_from_slice(record));
            self.publish(self.subjects.whole.clone(), messages).await?;
            rest = behind;
            if let Some((long, behind)) = rest.split_first() {
                self.append_parts(long).await?;
                rest = behind;
            }
        }
        Ok(())
    }

    async fn tell(&mut self, record: Vec<u8>) -> Result<(), BrokerError> {
        let message = [&self.newest.to_be_bytes()[..], &record].concat();
        if message.len() > self.most {
            return self.append(&[record]).await;
        }
        let told = self
            .client
            .publish(self.subjects.told.clone(), message.into());
        told.await.map_err(|error| self.failed(error))
    }
}

/// The half of a connection to NATS that reads.
pub struct NatsReader {
    stream: Stream,
    messages: pull::Stream,
    told: Subscriber,
    /// What was told behind records that are not read yet, with the sequence numbers of those.
    held: VecDeque<(u64, Bytes)>,
    /// The sequence number that was read last.
    position: u64,
    subjects: Subjects,
    /// The number that the consumer gives to the next message: one that is skipped was dropped on its way.
    next: u64,
    /// What came and is not put together yet.
    came: VecDeque<(u64, Message)>,
    /// What fetches the parts of the oldest of them.
    fetching: Option<BoxFuture<'static, Result<Option<Vec<u8>>, BrokerError>>>,
    /// What is put together and not handed over yet.
    read: Vec<Read>,
    place: String,
}

impl std::fmt::Debug for NatsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsReader")
            .field("next", &self.next)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl NatsReader {
    /// Takes a message that came.
    fn take(
        &mut self,
        message: Option<Result<Message, pull::MessagesError>>,
    ) -> Result<(), BrokerError> {
        let message = message.ok_or_else(|| self.failed("the connection is lost"))?;
        let message = message.map_err(|error| self.failed(error))?;
        let info = message.info().map_err(|error| self.failed(error))?;
        let (sequence, number) = (info.stream_sequence, info.consumer_sequence);
        if number != self.next {
            return Err(self.failed(format_args!(
                "message {} of the consumer did not come, but {number} did",
                self.next
            )));
        }
        self.next += 1;
        self.came.push_back((sequence, message));
        Ok(())
    }

    /// Puts the oldest message that came together. Dropping this loses nothing, nor what it has fetched.
    async fn put_together(&mut self) -> Result<(), BrokerError> {
        let Some((sequence, message)) = self.came.front() else {
            return Ok(());
        };
        let bytes = if message.subject == self.subjects.whole {
            Some(message.payload.to_vec())
        } else if message.subject == self.subjects.end {
            let fetching = self.fetching.get_or_insert_with(|| {
                let subject = self.subjects.part.clone();
                fetch(self.stream.clone(), subject, message.payload.clone()).boxed()
            });
            let fetched = fetching.await;
            self.fetching = None;
            fetched.map_err(|error| self.failed(error))?
        } else {
            // A part is nothing for itself.
            None
        };
        // What is no record is a mark: it may be the last that there is, and whoever begins to read waits for that.
        self.read.push(Read {
            offset: *sequence,
            bytes: bytes.unwrap_or_default(),
        });
        self.position = self.position.max(*sequence);
        self.came.pop_front();
        self.release();
        Ok(())
    }

    /// Takes what is told.
    fn hear(&mut self, told: Option<async_nats::Message>) -> Result<(), BrokerError> {
        let told = told.ok_or_else(|| self.failed("the connection is lost"))?;
        if let Some((behind, _)) = told.payload.split_first_chunk() {
            if self.held.len() >= HELD {
                self.held.pop_front();
            }
            let record = told.payload.slice(size_of::<u64>()..);
            self.held.push_back((u64::from_be_bytes(*behind), record));
            self.release();
        }
        Ok(())
    }

    /// Hands over what was told behind what is read by now.
    fn release(&mut self) {
        let (held, read, position) = (&mut self.held, &mut self.read, self.position);
        held.retain(|(behind, record)| {
            if *behind <= position {
                read.push(Read {
                    offset: 0,
                    bytes: record.to_vec(),
                });
            }
            *behind > position
        });
    }

    fn failed(&self, error: impl std::fmt::Display) -> BrokerError {
        BrokerError::new(format_args!(
            "NATS at {} is read no more: {error}",
            self.place
        ))
    }
}

impl Reader for NatsReader {
    async fn read(&mut self) -> Result<Vec<Read>, BrokerError> {
        // Whatever has come lies in `self` at every await, so that a reading that is dropped loses nothing.
        while self.read.is_empty() {
            if self.came.is_empty() {
                tokio::select! {
                    biased;
                    told = self.told.next() => {
                        self.hear(told)?;
                        continue;
                    }
                    message = self.messages.next() => self.take(message)?,
                }
                while self.came.len() < SHARE_RECORDS
                    && let Some(message) = self.messages.next().now_or_never()
                {
                    self.take(message)?;
                }
            }
            while !self.came.is_empty() {
                self.put_together().await?;
            }
        }
        Ok(std::mem::take(&mut self.read))
    }
}

/// Fetches the parts whose numbers stand in a message that ends a record. `None` if the stream has let go of one: that
/// record is not there any more.
async fn fetch(
    stream: Stream,
    subject: Subject,
    end: Bytes,
) -> Result<Option<Vec<u8>>, BrokerError> {
    let (numbers, rest) = end.as_chunks::<8>();
    if !rest.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    for number in numbers {
        let asked = stream.get_raw_message(u64::from_be_bytes(*number));
        let part = match timeout(PATIENCE, asked).await {
            Ok(Ok(part)) if part.subject == subject => part,
            Ok(Ok(_)) => return Ok(None),
            Ok(Err(error)) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(None);
            }
            Ok(Err(error)) => return Err(BrokerError::new(error)),
            Err(elapsed) => return Err(BrokerError::new(elapsed)),
        };
        bytes.extend_from_slice(&part.payload);
    }
    Ok(Some(bytes))
}

/// Where the messages of a log are.
#[derive(Clone, Debug)]
struct Subjects {
    whole: Subject,
    part: Subject,
    end: Subject,
    /// None of the stream's.
    told: Subject,
}

impl Subjects {
    fn of(name: &str) -> Self {
        let subject = |kind: &str| Subject::from(format!("{name}.{kind}"));
        Self {
            whole: subject("record"),
            part: subject("part"),
            end: subject("end"),
            told: subject("live.told"),
        }
    }
}

/// A name that a stream and a subject may have, another one for each log: what is no letter, digit, or `-` is its bytes in
/// hexadecimal behind a `_`.
fn stream_name(log: &str) -> String {
    let mut name = String::with_capacity(log.len());
    for byte in log.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_log_has_a_name_of_its_own() {
        assert_eq!(stream_name("wiretalk:/a_b.c"), "wiretalk_3a_2fa_5fb_2ec");
        assert_eq!(stream_name("-Ä"), "-_c3_84");
    }

    #[test]
    fn a_record_fits_into_the_stream_and_its_end_into_a_message() {
        assert_eq!(largest(1 << 20, -1), 1 << 37);
        assert_eq!(largest(1 << 20, 256 << 20), 64 << 20);
        assert_eq!(largest(1024, -1), 128 * 1024);
    }

    #[test]
    fn a_debug_form_keeps_the_password() {
        let log = Nats::new("nats://ann:pass%20word@h", "l").expect("it is right");
        assert_eq!(log.login.password.as_deref(), Some("pass word"));
        assert!(!format!("{log:?}").contains("word"));
    }
}
