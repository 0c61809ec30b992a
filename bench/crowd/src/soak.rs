//! Clients of every kind, by chance, for as long as it is wanted; then nothing may be left of them.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use fastrand::Rng;
use measure::proportional_memory;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    Failure,
    socket::{CLOSE, PING, Socket, TEXT, dial, encode, reset, source},
};

/// How long the server may take to let go of the last client.
const SETTLE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Soak {
    /// The server's address.
    #[arg(long)]
    address: SocketAddr,
    /// What to ask for.
    #[arg(long, default_value = "/")]
    path: String,
    /// The server's process.
    #[arg(long)]
    pid: u32,
    /// How long, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many clients there are at a time.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// What the chances begin with. The same seed gives the same clients, though not the same times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the server's metrics are, in the text format of Prometheus: `127.0.0.1:9000/metrics`.
    #[arg(long)]
    metrics: Option<String>,
    /// A bearer token for them.
    #[arg(long, requires = "metrics")]
    token: Option<String>,
    /// A metric that has to be zero in the end, whatever its labels; several, with commas between.
    #[arg(long, value_delimiter = ',', requires = "metrics")]
    zero: Vec<String>,
    /// How much more memory the server may have in the end than after a quarter of the time, in per cent.
    #[arg(long, default_value_t = 25)]
    growth: u64,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Talks for a while, and closes as is right.
    Chats,
    /// Talks, and is reset.
    Killed,
    /// Talks, and the stream ends without a close frame.
    Vanishes,
    /// Sends as fast as it can, and reads what comes.
    Floods,
    /// Sends bytes that are no frames.
    Garbage,
    /// Sends bytes that are no HTTP, or only half of a handshake.
    NoHandshake,
    /// Asks for very much, and does not read.
    DoesNotRead,
    /// Begins a message and does not end it.
    HalfMessage,
    /// Joins many rooms, and leaves them or not.
    Wanders,
}

const KINDS: [Kind; 9] = [
    Kind::Chats,
    Kind::Killed,
    Kind::Vanishes,
    Kind::Floods,
    Kind::Garbage,
    Kind::NoHandshake,
    Kind::DoesNotRead,
    Kind::HalfMessage,
    Kind::Wanders,
];

type Counts = Arc<Mutex<BTreeMap<(Kind, bool), u64>>>;

impl Soak {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let counts = Counts::default();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..self.clients {
            let rng = Rng::with_seed(
                self.seed
                    .wrapping_mul(1_000_003)
                    .wrapping_add(number as u64),
            );
            let one = One {
                address: self.address,
                path: self.path.clone(),
                number,
                rng,
            };
            tasks.spawn(one.live(end, Arc::clone(&counts)));
        }
        let memory = self.watch(end).await?;
        while let Some(joined) = tasks.join_next().await {
            joined?;
        }
        println!("\n| clients that | went well | were cut off |\n| --- | ---: | ---: |");
        let counts = counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let count = |kind, well| counts.get(&(kind, well)).copied().unwrap_or(0);
        for kind in KINDS {
            println!(
                "| {kind:?} | {} | {} |",
                count(kind, true),
                count(kind, false)
            );
        }
        self.nothing_left().await?;
        let last = proportional_memory(self.pid)?;
        println!(
            "\nmemory: {:.1} MiB after a quarter of the time, {:.1} in the end, {:.1} when all were gone",
            memory.0 as f64 / 1024.0,
            memory.1 as f64 / 1024.0,
            last as f64 / 1024.0
        );
        if memory.1 > memory.0 + memory.0 * self.growth / 100 {
            return Err("the server's memory has grown".into());
        }
        Ok(())
    }

    /// Tells the server's memory now and then: what it was after a quarter of the time, and in the end. Each is the least
    /// of several looks, for there is always somebody who floods.
    async fn watch(&self, end: Instant) -> Result<(u64, u64), Failure> {
        let began = Instant::now();
        let all = end - began;
        let every = (all / 20).max(Duration::from_millis(250));
        let mut looks = Vec::new();
        while Instant::now() < end {
            sleep(every).await;
            let memory = proportional_memory(self.pid)?;
            println!(
                "{:>6.0} s: {:.1} MiB, {} descriptors",
                began.elapsed().as_secs_f64(),
                memory as f64 / 1024.0,
                fs::read_dir(format!("/proc/{}/fd", self.pid))?.count()
            );
            looks.push(memory);
        }
        let quarter = looks.len() / 4;
        let least = |looks: &[u64]| looks.iter().copied().min().unwrap_or(0);
        let early = least(&looks[quarter..(quarter * 2).max(quarter + 1).min(looks.len())]);
        let late = least(&looks[looks.len() - quarter.max(1).min(looks.len())..]);
        Ok((early, late))
    }

    /// Waits until the server says that nothing is left.
    async fn nothing_left(&self) -> Result<(), Failure> {
        let Some(place) = &self.metrics else {
            return Ok(());
        };
        let deadline = Instant::now() + SETTLE;
        loop {
            let text = self.scrape(place).await?;
            let mut left = Vec::new();
            for name in &self.zero {
                let sum = sum(&text, name).ok_or_else(|| format!("there is no metric `{name}`"))?;
                if sum != 0.0 {
                    left.push(format!("{name} is {sum}"));
                }
            }
            if left.is_empty() {
                if !self.zero.is_empty() {
                    println!("\nall zero: {}", self.zero.join(", "));
                }
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("something is left: {}", left.join(", ")).into());
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    async fn scrape(&self, place: &str) -> Result<String, Failure> {
        let place = place.trim_start_matches("http://");
        let (host, path) = place.split_once('/').unwrap_or((place, "metrics"));
        let mut stream = TcpStream::connect(host).await?;
        let token = match &self.token {
            Some(token) => format!("Authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        let request =
            format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n{token}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        match head.lines().next() {
            Some(status) if status.contains(" 200") => Ok(body.to_owned()),
            status => Err(format!("the metrics are not to be had: {status:?}").into()),
        }
    }
}

/// The sum of a metric over all its labels.
fn sum(text: &str, name: &str) -> Option<f64> {
    let mut found = None;
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(name) else {
            continue;
        };
        let value = match rest.as_bytes().first() {
            Some(b' ') => rest,
            Some(b'{') => rest.rsplit_once('}').map_or("", |(_, value)| value),
            _ => continue,
        };
        let value = value.split_ascii_whitespace().next();
        if let Some(value) = value.and_then(|value| value.parse::<f64>().ok()) {
            *found.get_or_insert(0.0) += value;
        }
    }
    found
}

/// A client that comes again and again, as another kind each time.
struct One {
    address: SocketAddr,
    path: String,
    number: usize,
    rng: Rng,
}

impl One {
    async fn live(mut self, end: Instant, counts: Counts) {
        while Instant::now() < end {
            let kind = KINDS[self.rng.usize(..KINDS.len())];
            // A server that is busy with a flood may let one wait; nobody waits for ever.
            let done = timeout(Duration::from_secs(30), self.once(kind)).await;
            let well = matches!(done, Ok(Ok(())));
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry((kind, well)).or_default() += 1;
        }
    }

    async fn once(&mut self, kind: Kind) -> Result<(), Failure> {
        let from = source(self.number);
        if kind == Kind::NoHandshake {
            return self.no_handshake(from).await;
        }
        let buffer = (kind == Kind::DoesNotRead).then_some(4096);
        let mut socket = Socket::open(self.address, from, &self.path, buffer).await?;
        match kind {
            Kind::Chats => {
                self.talk(&mut socket).await?;
                socket.send(CLOSE, &1000_u16.to_be_bytes()).await?;
                while socket
                    .next()
                    .await?
                    .is_some_and(|frame| frame.opcode != CLOSE)
                {}
            }
            Kind::Killed => {
                self.talk(&mut socket).await?;
                socket.reset();
            }
            Kind::Vanishes => self.talk(&mut socket).await?,
            Kind::Floods => self.flood(&mut socket).await?,
            Kind::Garbage => {
                let bytes: Vec<u8> = (0..self.rng.usize(1..4096))
                    .map(|_| self.rng.u8(..))
                    .collect();
                socket.send_raw(&bytes).await?;
                // The server closes, or waits for the rest of what it takes for a frame.
                let _ = timeout(Duration::from_millis(200), async {
                    while matches!(socket.next().await, Ok(Some(_))) {}
                })
                .await;
                socket.reset();
            }
            Kind::DoesNotRead => {
                let room = self.room();
                socket
                    .send(TEXT, format!(r#"{{"join":"{room}"}}"#).as_bytes())
                    .await?;
                for number in 0..self.rng.u32(100..2000) {
                    let text = format!(r#"{{"echo":{number}}}"#);
                    let sent = socket.send(TEXT, text.as_bytes());
                    // A server that waits for its answers to be read takes no more.
                    if timeout(Duration::from_millis(100), sent).await.is_err() {
                        break;
                    }
                }
                sleep(Duration::from_millis(self.rng.u64(100..2000))).await;
                socket.reset();
            }
            Kind::HalfMessage => {
                let mut wire = Vec::new();
                let text = "x".repeat(self.rng.usize(10..100_000));
                encode(TEXT, text.as_bytes(), &mut wire);
                wire.truncate(self.rng.usize(1..wire.len()));
                socket.send_raw(&wire).await?;
                sleep(Duration::from_millis(self.rng.u64(0..500))).await;
                socket.reset();
            }
            Kind::Wanders => {
                for number in 0..self.rng.u32(1..50) {
                    let (room, verb) = (self.room(), ["join", "leave"][self.rng.usize(..2)]);
                    let text = format!(r#"{{"{verb}":"{room}-{}"}}"#, number % 7);
                    socket.send(TEXT, text.as_bytes()).await?;
                    self.hear(&mut socket).await?;
                }
                socket.reset();
            }
            Kind::NoHandshake => {}
        }
        Ok(())
    }

    fn room(&mut self) -> String {
        format!("room-{}", self.rng.u8(..20))
    }

    /// Joins a room and says something there, now and then.
    async fn talk(&mut self, socket: &mut Socket) -> Result<(), Failure> {
        let room = self.room();
        socket
            .send(TEXT, format!(r#"{{"join":"{room}"}}"#).as_bytes())
            .await?;
        for number in 0..self.rng.u32(1..20) {
            let text = match self.rng.u8(..4) {
                0 => format!(r#"{{"echo":{number}}}"#),
                1 => format!("no rule takes this {number}"),
                _ => format!(r#"{{"room":"{room}","text":"hello {number}"}}"#),
            };
            socket.send(TEXT, text.as_bytes()).await?;
            if self.rng.u8(..8) == 0 {
                socket.send(PING, b"?").await?;
            }
            self.hear(socket).await?;
        }
        Ok(())
    }

    /// Reads for a moment.
    async fn hear(&mut self, socket: &mut Socket) -> Result<(), Failure> {
        let moment = Duration::from_millis(self.rng.u64(1..30));
        let closed = timeout(moment, async {
            loop {
                match socket.message().await {
                    Ok(Ok(_)) => {}
                    Ok(Err(code)) => return format!("closed with {code:?}"),
                    Err(error) => return error.to_string(),
                }
            }
        });
        match closed.await {
            Ok(why) => Err(why.into()),
            Err(_) => Ok(()),
        }
    }

    async fn flood(&mut self, socket: &mut Socket) -> Result<(), Failure> {
        let count = self.rng.u32(500..5000);
        let mut wire = Vec::new();
        for number in 0..count {
            encode(
                TEXT,
                format!(r#"{{"echo":{number}}}"#).as_bytes(),
                &mut wire,
            );
        }
        // Fewer bytes than either end's buffers hold, so that writing does not wait for reading.
        for chunk in wire.chunks(32 * 1024) {
            socket.send_raw(chunk).await?;
            self.hear(socket).await?;
        }
        socket.send(CLOSE, &1000_u16.to_be_bytes()).await?;
        while socket
            .next()
            .await?
            .is_some_and(|frame| frame.opcode != CLOSE)
        {}
        Ok(())
    }

    async fn no_handshake(&mut self, from: std::net::Ipv4Addr) -> Result<(), Failure> {
        let mut stream = dial(self.address, from, None).await?;
        match self.rng.u8(..3) {
            0 => {
                let bytes: Vec<u8> = (0..self.rng.usize(1..2000))
                    .map(|_| self.rng.u8(..))
                    .collect();
                stream.write_all(&bytes).await?;
            }
            1 => {
                stream
                    .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: webso")
                    .await?;
            }
            _ => {
                stream
                    .write_all(b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n")
                    .await?
            }
        }
        let mut answer = [0; 256];
        // An answer, the end, or nothing.
        let _ = timeout(Duration::from_millis(200), stream.read(&mut answer)).await;
        reset(stream);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_their_labels() {
        let text = "# HELP rooms x\nrooms 3\nclients{path=\"/a b\"} 1\nclients{path=\"/\"} 2 123\nclients_total 9\n";
        assert_eq!(sum(text, "rooms"), Some(3.0));
        assert_eq!(sum(text, "clients"), Some(3.0));
        assert_eq!(sum(text, "none"), None);
    }
}
