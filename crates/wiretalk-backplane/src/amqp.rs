//! RabbitMQ: the log is a queue of type `stream`, over AMQP 0.9.1.
//!
//! Over AMQP a stream tells neither when it was made nor where it ends. So whoever connects appends a *mark*, a message
//! without a payload, with a random name. Where it comes back is the end; the name of the very first mark is the log's
//! epoch, and every record says which epoch it was written in, for when the first mark has grown too old.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use async_rs::Runtime;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use tokio::time::timeout;
use wiretalk_hub::Capabilities;

use crate::UrlError;
use crate::broker::{Begin, Broker, BrokerError, Read, Reader, Writer};
use crate::url::{Kept, Parts};

/// How long the server may take to answer anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// The server is heard at least so often, in seconds.
const HEARTBEAT: u16 = 10;
/// So many records may be under way to a reader, and in memory at once.
const SHARE_RECORDS: u16 = 128;
/// So many appended records may be without a confirmation.
const UNCONFIRMED: usize = 1_000;
/// What every RabbitMQ takes as one message, unless it is told otherwise: 128 MiB in old ones, 16 MiB since version 4. One
/// that is longer would end each connection anew.
const LARGEST: usize = 16 * 1024 * 1024;
/// What the properties of a mark say that it is.
const MARK: &str = "wiretalk-mark";

/// A log in a RabbitMQ queue of type `stream`. The queue is made if it is not there yet; one that is there is used as it is.
///
/// What is promised: every record that was appended was confirmed by a majority of the stream's replicas, and is in their
/// files, which survive the servers. RabbitMQ does not sync them to the disk at each record.
///
/// Old records go by whole segments, of a sixteenth of `history-bytes` each.
///
/// ```
/// use wiretalk_backplane::Amqp;
///
/// let log = Amqp::new("amqp://user:secret@127.0.0.1:5672/vhost?history-bytes=64MiB", "wiretalk:/chat");
/// assert!(log.is_ok());
/// let error = Amqp::new("amqps://127.0.0.1", "wiretalk:/chat").expect_err("no TLS");
/// assert!(error.to_string().contains("TLS"));
/// ```
pub struct Amqp {
    uri: AMQPUri,
    /// The server's host and port, without a password.
    place: Arc<str>,
    kept: Kept,
    queue: ShortString,
}

impl Amqp {
    /// A log of this name at the server that the URL names: `amqp://[USER:PASSWORD@]HOST[:PORT][/VHOST][?OPTIONS]`.
    /// Nothing is connected yet.
    ///
    /// Options: `history-bytes=SIZE` (what is kept, 256MiB), `history-age=AGE` (none). RabbitMQ does not bound a stream by
    /// its count of records.
    ///
    /// # Errors
    /// If the URL is not such a one.
    pub fn new(url: &str, log: &str) -> Result<Self, UrlError> {
        let mut parts = Parts::parse(url, &["amqp", "amqps"])?;
        if parts.server.scheme() == "amqps" {
            return Err(UrlError::new(
                "this broker is reached without TLS only: write amqp://, through a tunnel if the network is not yours",
            ));
        }
        let kept = Kept {
            bytes: parts.bytes()?,
            age: parts.age()?,
            ..Kept::default()
        };
        parts.finish("history-bytes, history-age")?;
        let mut uri: AMQPUri = parts.server.as_str().parse().map_err(UrlError::new)?;
        uri.query.heartbeat = Some(HEARTBEAT);
        let queue = ShortString::try_new(log).map_err(|_| {
            UrlError::new(
                "the namespace and the path are longer than the name of a queue may be, 255 bytes",
            )
        })?;
        Ok(Self {
            uri,
            place: parts.place(5672).into(),
            kept,
            queue,
        })
    }

    async fn dial(&self) -> Result<Connection, BrokerError> {
        let properties = ConnectionProperties::default().with_connection_name("wiretalk".into());
        let runtime = Runtime::tokio_current();
        let dialed = Connection::connect_uri_with_runtime(self.uri.clone(), properties, runtime);
        self.answer("cannot be reached", dialed).await
    }

    /// Makes the queue, unless it is there.
    async fn declare(&self, connection: &Connection) -> Result<(), BrokerError> {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let probe = self.channel(connection).await?;
        let passive = QueueDeclareOptions {
            passive: true,
            ..options
        };
        let found = probe.queue_declare(self.queue.clone(), passive, FieldTable::default());
        if let Ok(Ok(_)) = timeout(PATIENCE, found).await {
            return Ok(());
        }
        let bytes = i64::try_from(self.kept.bytes).unwrap_or(i64::MAX);
        // Retention takes whole segments, and never the last one.
        let segment = (bytes / 16).clamp(1024 * 1024, 500_000_000);
        let mut arguments = FieldTable::default();
        let text = |text: String| AMQPValue::LongString(text.into());
        arguments.insert("x-queue-type".into(), text("stream".into()));
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
        arguments.insert(
            "x-stream-max-segment-size-bytes".into(),
            AMQPValue::LongLongInt(segment),
        );
        if let Some(age) = self.kept.age {
            arguments.insert("x-max-age".into(), text(format!("{}s", age.as_secs())));
        }
        let channel = self.channel(connection).await?;
        let made = channel.queue_declare(self.queue.clone(), options, arguments);
        self.answer("makes no stream", made).await.map(drop)
    }

    async fn channel(&self, connection: &Connection) -> Result<Channel, BrokerError> {
        self.answer("opens no channel", connection.create_channel())
            .await
    }

    /// Begins to read at an offset of the stream, or at a word such as `first`, on a channel of its own: deliveries that
    /// nobody waits for any more end with it.
    async fn consume(&self, connection: &Connection, from: AMQPValue) -> Result<Tail, BrokerError> {
        let channel = self.channel(connection).await?;
        let qos = channel.basic_qos(SHARE_RECORDS, BasicQosOptions::default());
        self.answer("bounds no deliveries", qos).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), from);
        let consumer = channel.basic_consume(
            self.queue.clone(),
            "".into(),
            BasicConsumeOptions::default(),
            arguments,
        );
        let consumer = self.answer("is not read", consumer).await?;
        Ok(Tail {
            consumer,
            ready: Vec::new(),
            last: None,
            acknowledging: None,
            place: self.place.clone(),
            _channel: channel,
        })
    }

    /// The epoch of a log whose mark lies at `end`.
    async fn epoch(&self, connection: &Connection, end: u64) -> Result<String, BrokerError> {
        let mut tail = self
            .consume(connection, AMQPValue::LongString("first".into()))
            .await?;
        let mut first_mark = None;
        loop {
            for found in self
                .answer("does not give its oldest records", tail.next())
                .await?
            {
                if let Some(epoch) = found.epoch {
                    return Ok(epoch);
                }
                if let Some(mark) = found.mark {
                    let is_end = found.read.offset >= end;
                    // The very first of all, or nothing but marks: then the oldest of them is the same for everybody.
                    if found.read.offset == 1 || is_end {
                        return Ok(first_mark.unwrap_or(mark));
                    }
                    first_mark.get_or_insert(mark);
                }
            }
        }
    }

    /// Waits for an answer.
    async fn answer<T, E: std::fmt::Display>(
        &self,
        what: &str,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BrokerError> {
        let failed = |error: &dyn std::fmt::Display| {
            BrokerError::new(format_args!("RabbitMQ at {} {what}: {error}", self.place))
        };
        match timeout(PATIENCE, asked).await {
            Ok(answer) => answer.map_err(|error| failed(&error)),
            Err(elapsed) => Err(failed(&elapsed)),
        }
    }
}

impl std::fmt::Debug for Amqp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Amqp")
            .field("place", &self.place)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl Broker for Amqp {
    type Writer = AmqpWriter;
    type Reader = AmqpReader;

    fn capabilities(&self) -> Capabilities {
        Capabilities::shared(true)
    }

    async fn connect(
        &mut self,
        after: Option<u64>,
    ) -> Result<(Begin, AmqpWriter, AmqpReader), BrokerError> {
        let connection = Arc::new(self.dial().await?);
        self.declare(&connection).await?;
        let channel = self.channel(&connection).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        self.answer("confirms nothing", confirms).await?;
        let mut writer = AmqpWriter {
            channel,
            queue: self.queue.clone(),
            properties: BasicProperties::default(),
            place: self.place.clone(),
            _connection: connection.clone(),
        };
        let name = random_name();
        let mut behind = self
            .consume(&connection, AMQPValue::LongString("next".into()))
            .await?;
        let mark = BasicProperties::default()
            .with_delivery_mode(2)
            .with_type(MARK.into())
            .with_message_id(name.as_str().into());
        self.answer("takes no record", writer.publish(&[Vec::new()], &mark))
            .await?;
        let last = loop {
            let found = self.answer("gives back no mark", behind.next()).await?;
            let ours = found
                .iter()
                .find(|found| found.mark.as_deref() == Some(&name));
            if let Some(ours) = ours {
                break ours.read.offset;
            }
        };
        drop(behind);
        let epoch = self.epoch(&connection, last).await?;
        writer.properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_app_id(ShortString::try_new(epoch.as_str()).unwrap_or_default());
        // Offsets of a stream count from 0, ours from 1: what is behind our `after` is at theirs.
        let from = match after.filter(|after| *after < last) {
            Some(after) => AMQPValue::LongLongInt(i64::try_from(after).unwrap_or(i64::MAX)),
            None => AMQPValue::LongString("first".into()),
        };
        let reader = AmqpReader {
            tail: self.consume(&connection, from).await?,
            _connection: connection,
        };
        Ok((Begin { epoch, last }, writer, reader))
    }

    fn largest(&self) -> usize {
        LARGEST
    }
}

/// The half of a connection to RabbitMQ that appends.
pub struct AmqpWriter {
    channel: Channel,
    queue: ShortString,
    /// Those of a record.
    properties: BasicProperties,
    place: Arc<str>,
    _connection: Arc<Connection>,
}

impl AmqpWriter {
    async fn publish(
        &mut self,
        records: &[Vec<u8>],
        properties: &BasicProperties,
    ) -> Result<(), BrokerError> {
        for records in records.chunks(UNCONFIRMED) {
            let mut waiting = Vec::with_capacity(records.len());
            for record in records {
                let options = BasicPublishOptions {
                    // A queue that is gone is told, not ignored.
                    mandatory: true,
                    ..BasicPublishOptions::default()
                };
                let (queue, properties) = (self.queue.clone(), properties.clone());
                let sent = self
                    .channel
                    .basic_publish("".into(), queue, options, record, properties)
                    .await;
                waiting.push(sent.map_err(|error| self.failed(error))?);
            }
            for confirmed in waiting {
                match confirmed.await.map_err(|error| self.failed(error))? {
                    Confirmation::Ack(None) => {}
                    Confirmation::Ack(Some(_)) => return Err(self.failed("the queue is gone")),
                    Confirmation::Nack(_) | Confirmation::NotRequested => {
                        return Err(self.failed("it is not confirmed"));
                    }
                }
            }
        }
        Ok(())
    }

    fn failed(&self, error: impl std::fmt::Display) -> BrokerError {
        BrokerError::new(format_args!(
            "RabbitMQ at {} takes no record: {error}",
            self.place
        ))
    }
}

impl std::fmt::Debug for AmqpWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AmqpWriter")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Writer for AmqpWriter {
    async fn append(&mut self, records: &[Vec<u8>]) -> Result<(), BrokerError> {
        let properties = self.properties.clone();
        self.publish(records, &properties).await
    }
}

/// The half of a connection to RabbitMQ that reads.
pub struct AmqpReader {
    tail: Tail,
    _connection: Arc<Connection>,
}

impl std::fmt::Debug for AmqpReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AmqpReader")
            .field("place", &self.tail.place)
            .finish_non_exhaustive()
    }
}

impl Reader for AmqpReader {
    async fn read(&mut self) -> Result<Vec<Read>, BrokerError> {
        let found = self.tail.next().await?;
        Ok(found.into_iter().map(|found| found.read).collect())
    }
}

/// A consumer of a stream.
struct Tail {
    consumer: Consumer,
    /// What came and is not handed over yet.
    ready: Vec<Found>,
    /// The newest delivery that is not acknowledged yet; it stands for those before it.
    last: Option<lapin::Acker>,
    /// An acknowledgement on its way: a second one of the same delivery would end the channel.
    acknowledging: Option<BoxFuture<'static, lapin::Result<()>>>,
    place: Arc<str>,
    _channel: Channel,
}

/// A message of a stream.
struct Found {
    read: Read,
    /// The epoch that it was written in, if it says.
    epoch: Option<String>,
    /// The name of a mark.
    mark: Option<String>,
}

impl Tail {
    /// What comes next. Whatever has come lies in `self` at every await, so that nothing is lost if this is dropped.
    async fn next(&mut self) -> Result<Vec<Found>, BrokerError> {
        if self.ready.is_empty() {
            let delivery = self.consumer.next().await;
            self.take(delivery)?;
            while self.ready.len() < usize::from(SHARE_RECORDS)
                && let Some(delivery) = self.consumer.next().now_or_never()
            {
                self.take(delivery)?;
            }
        }
        if let Some(acker) = self.last.take() {
            let multiple = BasicAckOptions { multiple: true };
            self.acknowledging = Some(async move { acker.ack(multiple).await.map(drop) }.boxed());
        }
        if let Some(acknowledging) = &mut self.acknowledging {
            let acknowledged = acknowledging.await;
            self.acknowledging = None;
            acknowledged.map_err(|error| self.failed(error))?;
        }
        Ok(std::mem::take(&mut self.ready))
    }

    fn take(&mut self, delivery: Option<lapin::Result<Delivery>>) -> Result<(), BrokerError> {
        let delivery =
            delivery.ok_or_else(|| self.failed("the queue or the connection is gone"))?;
        let delivery = delivery.map_err(|error| self.failed(error))?;
        let properties = &delivery.properties;
        let headers = properties.headers().as_ref();
        let offset = match headers.and_then(|headers| headers.inner().get("x-stream-offset")) {
            Some(AMQPValue::LongLongInt(offset)) => u64::try_from(*offset).ok(),
            _ => None,
        };
        let Some(offset) = offset else {
            return Err(self.failed("its queue of this name is not a stream"));
        };
        let text = |text: &Option<ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
        let is_mark = properties
            .kind()
            .as_ref()
            .is_some_and(|kind| kind.as_str() == MARK);
        self.ready.push(Found {
            epoch: text(properties.app_id()),
            mark: text(properties.message_id()).filter(|_| is_mark),
            read: Read {
                offset: offset + 1,
                bytes: delivery.data,
            },
        });
        self.last = Some(delivery.acker);
        Ok(())
    }

    fn failed(&self, error: impl std::fmt::Display) -> BrokerError {
        BrokerError::new(format_args!(
            "RabbitMQ at {} is read no more: {error}",
            self.place
        ))
    }
}

/// A name that nobody else has.
fn random_name() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_random() {
        assert_ne!(random_name(), random_name());
        assert_eq!(random_name().len(), 32);
    }

    #[test]
    fn what_a_url_lacks_is_said() {
        let long = "x".repeat(256);
        for (url, log, said) in [
            (
                "redis://h",
                "l",
                "redis:// is not the scheme of this broker",
            ),
            (
                "amqp://h?history=5",
                "l",
                "there are: history-bytes, history-age",
            ),
            ("amqp://h", &long, "255 bytes"),
        ] {
            let error = Amqp::new(url, log).map(drop).expect_err(url).to_string();
            assert!(error.contains(said), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let log = Amqp::new("amqp://u:secret@h", "l").expect("it is right");
        assert!(!format!("{log:?}").contains("secret"));
    }
}
