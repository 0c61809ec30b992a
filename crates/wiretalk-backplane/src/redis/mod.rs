//! Redis: the log is a stream. One script appends to it and tells those who read, atomically.
//!
//! An entry's id is its offset, so that a gap can be fetched by `XRANGE`. Beside each record stands a number that its
//! append has drawn: whoever comes back finds by it whether the log is still the one that it has read, or one that has lost
//! its end (a restart from an old file, a replica that was behind) and went on differently; then the log gets a new name.

mod address;
mod channel;
mod ends;
mod live;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisError, Script};
use wiretalk_hub::Capabilities;

use crate::broker::{Begin, Broker, BrokerError};
use crate::url::{Kept, UrlError};
use address::Address;
use channel::Channel;

pub use ends::{RedisReader, RedisWriter};

/// The name of what is read where nothing is kept.
const NO_LOG: &str = "live";

/// Appends, and publishes where the records are; those that are short, themselves. Now and then it looks whether the log has
/// grown beyond its bytes.
const APPEND: &str = r"
local first = redis.call('HINCRBY', KEYS[2], 'offset', #ARGV - 5) - (#ARGV - 5) + 1
local live, size = {string.format('%.0f', first) .. ';' .. (#ARGV - 5) .. ';' .. ARGV[3] .. ';'}, 0
for at = 6, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], string.format('%.0f-0', first + at - 6), 'n', ARGV[3], 'r', ARGV[at])
  size = size + #ARGV[at]
  if size <= tonumber(ARGV[4]) then
    live[#live + 1] = #ARGV[at] .. ':' .. ARGV[at]
  end
end
if size > tonumber(ARGV[4]) then
  live = {live[1]}
end
redis.call('PUBLISH', ARGV[1], table.concat(live))
local most = tonumber(ARGV[5])
if redis.call('HINCRBY', KEYS[2], 'grown', size) > most / 16 then
  redis.call('HSET', KEYS[2], 'grown', 0)
  local length = redis.call('XLEN', KEYS[1])
  local used = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 0)
  while type(used) == 'number' and used > most and length > 1 do
    length = math.floor(length * 7 / 8)
    redis.call('XTRIM', KEYS[1], 'MAXLEN', length)
    used = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 0)
  end
end
return first
";

/// Gives entries from an offset on, as many as are asked for, or fewer if they are long.
const FETCH: &str = r"
local found, size, at = {}, 0, ARGV[1]
while #found < tonumber(ARGV[2]) and size < tonumber(ARGV[3]) do
  local entry = redis.call('XRANGE', KEYS[1], at, '+', 'COUNT', 1)[1]
  if not entry then
    break
  end
  found[#found + 1] = entry
  size = size + #(entry[2][4] or '')
  at = string.format('%.0f-0', tonumber(string.match(entry[1], '^%d+')) + 1)
end
return found
";

/// Names the log, anew if it is not the one that was read. It always writes, so that a replica refuses it.
const BEGIN: &str = r"
local epoch = redis.call('HGET', KEYS[2], 'epoch') or ARGV[1]
local last = redis.call('HGET', KEYS[2], 'offset')
if not last then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  last = newest and string.match(newest[1], '^%d+') or '0'
  redis.call('HSET', KEYS[2], 'offset', last)
end
last = tonumber(last)
local after = tonumber(ARGV[2])
if after > 0 and epoch == ARGV[4] then
  local entry = redis.call('XRANGE', KEYS[1], ARGV[2] .. '-0', ARGV[2] .. '-0')[1]
  if after > last or (entry and entry[2][2] ~= ARGV[3]) then
    epoch = ARGV[1]
  end
end
redis.call('HSET', KEYS[2], 'epoch', epoch)
return {epoch, string.format('%.0f', last)}
";

/// A log in a stream of Redis, or, without history, what is published on a channel.
///
/// What is promised with history: all nodes read all records in one order, each as safe as Redis keeps it (with
/// `appendonly yes`, a kill of the process loses nothing; a kill of the machine loses a second). What Redis loses,
/// the nodes that wrote it append again, as far as they remember it. Without history (`?history=no`), whoever is not
/// connected when something is published never gets it; it is counted and told.
///
/// ```
/// use wiretalk_backplane::Redis;
///
/// let log = Redis::new("redis://:secret@127.0.0.1:6379/2?history=10000", "wiretalk:/chat");
/// assert!(log.is_ok());
/// let log = Redis::new("redis+cluster://10.0.0.1:7000,10.0.0.2:7000", "wiretalk:/chat");
/// assert!(log.is_ok());
/// let log = Redis::new("redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster", "wiretalk:/chat");
/// assert!(log.is_ok());
/// let error = Redis::new("redis+sentinel://10.0.0.1", "wiretalk:/chat").expect_err("which one?");
/// assert!(error.to_string().contains("redis+sentinel://HOST:PORT/MASTER"));
/// ```
#[derive(Debug)]
pub struct Redis {
    address: Address,
    keys: Keys,
    /// So many records are kept, roughly; none: nothing is.
    history: Option<u64>,
    /// They take so many bytes, roughly.
    bytes: u64,
    seen: Arc<Mutex<Seen>>,
}

/// Where things are in Redis. The braces put all of them on one node of a cluster.
#[derive(Clone, Debug)]
struct Keys {
    log: String,
    about: String,
    channel: String,
}

/// So many of the records that were read last are known by what their appends have drawn.
const SEEN: usize = 4096;

/// What was read last.
#[derive(Debug, Default)]
struct Seen {
    epoch: String,
    /// Offsets, growing, each with what the append of that record has drawn.
    records: VecDeque<(u64, Drawn)>,
}

/// What an append draws.
type Drawn = [u8; 16];

impl Seen {
    fn add(&mut self, offset: u64, drawn: Drawn) {
        if self.records.len() >= SEEN {
            self.records.pop_front();
        }
        self.records.push_back((offset, drawn));
    }

    fn find(&self, offset: u64) -> Option<&Drawn> {
        let at = self.records.binary_search_by_key(&offset, |(at, _)| *at);
        Some(&self.records.get(at.ok()?)?.1)
    }
}

impl Redis {
    /// A log of this name at the server that the URL names. Nothing is connected yet.
    ///
    /// - `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?OPTIONS]`, or `rediss://` with TLS
    /// - `redis+cluster://[…@]HOST:PORT,HOST:PORT…`: any nodes of a cluster (`rediss+cluster://`)
    /// - `redis+sentinel://[…@]HOST:PORT,HOST:PORT…/MASTER[/DATABASE]`: any sentinels, and the name under which they watch
    ///   the master (`rediss+sentinel://`: TLS to both). User and password are for the master; those for the sentinels
    ///   are options, `sentinel-password=` and, if it is not the default user, `sentinel-user=`.
    ///
    /// Options: `history=COUNT` (records that are kept, 100,000 and a few more) or `history=no`; `history-bytes=SIZE` (the
    /// memory that they take in Redis, 256MiB and a sixteenth more; the oldest go); `ca=FILE`, certificates in PEM to trust
    /// instead of the system's.
    ///
    /// # Errors
    /// If the URL is not such a one, or the file of certificates cannot be read.
    pub fn new(url: &str, log: &str) -> Result<Self, UrlError> {
        let mut options = address::Options::default();
        let address = Address::parse(url, &mut options)?;
        let history = match options.history.as_deref() {
            None => Some(Kept::default().records),
            Some("no") => None,
            Some(count) => {
                let count = count.parse().ok().filter(|count| *count > 0);
                Some(count.ok_or_else(|| {
                    UrlError::new("history= is a number of records, or `no` for none")
                })?)
            }
        };
        // A brace would say which part of the key counts.
        let name = log.replace(['{', '}'], "_");
        Ok(Self {
            address,
            keys: Keys {
                log: format!("{{{name}}}:log"),
                about: format!("{{{name}}}:about"),
                channel: format!("{{{name}}}:live"),
            },
            history,
            bytes: options.bytes,
            seen: Arc::default(),
        })
    }

    /// The log's name and its newest offset.
    async fn begin(
        &self,
        connection: &mut MultiplexedConnection,
        after: Option<u64>,
    ) -> Result<Begin, RedisError> {
        if self.history.is_none() {
            let epoch = NO_LOG.to_owned();
            return Ok(Begin { epoch, last: 0 });
        }
        let script = Script::new(BEGIN);
        let mut call = script.prepare_invoke();
        {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let known = after.and_then(|after| Some((after, seen.find(after)?)));
            call.key(&self.keys.log)
                .key(&self.keys.about)
                .arg(drawn())
                .arg(known.map_or(0, |(after, _)| after))
                .arg(known.map_or(&[][..], |(_, drawn)| &drawn[..]))
                .arg(&seen.epoch);
        }
        let (epoch, last) = call.invoke_async::<(String, u64)>(connection).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.epoch != epoch {
            *seen = Seen {
                epoch: epoch.clone(),
                ..Seen::default()
            };
        }
        Ok(Begin { epoch, last })
    }
}

impl Broker for Redis {
    type Writer = RedisWriter;
    type Reader = RedisReader;

    fn capabilities(&self) -> Capabilities {
        Capabilities::shared(self.history.is_some())
    }

    async fn connect(
        &mut self,
        after: Option<u64>,
    ) -> Result<(Begin, RedisWriter, RedisReader), BrokerError> {
        let node = self.address.find(&self.keys.about).await?;
        let (mut commands, mut messages) = node.open().await?;
        let subscribed = messages.subscribe(&self.keys.channel).await;
        subscribed.map_err(|error| node.said(&error))?;
        // Subscribed before, so that nothing falls between what is there and what is told.
        let begin = self.begin(&mut commands, after).await;
        let begin = begin.map_err(|error| node.said(&error))?;
        let node = Arc::new(node);
        let writer = RedisWriter::new(
            commands.clone(),
            self.keys.clone(),
            self.history.map(|records| (records, self.bytes)),
            Arc::clone(&node),
        );
        let reader = RedisReader::new(
            commands,
            Channel::new(messages.into_on_message()),
            self.keys.log.clone(),
            after.unwrap_or(0),
            begin.last,
            Arc::clone(&self.seen),
            node,
        );
        Ok((begin, writer, reader))
    }

    /// What Redis takes as one string, by default.
    fn largest(&self) -> usize {
        512 * 1024 * 1024 - 1024
    }
}

/// Sixteen characters that nobody else draws.
fn drawn() -> String {
    format!("{:016x}", crate::driver::random())
}
