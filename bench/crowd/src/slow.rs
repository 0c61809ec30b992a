//! One client of a room does not read. What do the others notice?

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Args;
use hdrhistogram::Histogram;
use measure::proportional_memory;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    Failure,
    hold::now,
    socket::{Socket, TEXT, source},
};

/// How long what was sent may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct Slow {
    /// The server's address.
    #[arg(long)]
    address: SocketAddr,
    /// What to ask for.
    #[arg(long, default_value = "/")]
    path: String,
    /// How many connections read.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// How many bytes a message to all has.
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// How many messages to all there are in a second.
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// How long each round takes, in seconds: one without the client that does not read, and one with it, in turn.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How many of such pairs there are.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The server's process, whose memory is measured.
    #[arg(long)]
    pid: u32,
}

impl Slow {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (told, mut times) = mpsc::unbounded_channel();
        let heard = Arc::new(AtomicU64::new(0));
        for number in 0..self.connections {
            let from = source(number);
            let mut socket = Socket::open(self.address, from, &self.path, None).await?;
            let (told, heard) = (told.clone(), Arc::clone(&heard));
            tokio::spawn(async move {
                while let Ok(Ok(message)) = socket.message().await {
                    let late = now().saturating_sub(sent_at(&message));
                    heard.fetch_add(1, Ordering::Relaxed);
                    if told.send(late).is_err() {
                        return;
                    }
                }
            });
        }
        let mut speaker = Socket::open(self.address, source(0), &self.path, None).await?;
        println!("| round | the slow one | p50 ms | p99 ms | most MiB of the server | its end |");
        println!("| --- | --- | ---: | ---: | ---: | --- |");
        let mut ratios = Vec::new();
        for round in 1..=self.rounds {
            let mut p99 = [0.0; 2];
            for (with, p99) in [false, true].into_iter().zip(&mut p99) {
                let slow = match with {
                    // A small buffer, so that it is full soon.
                    true => {
                        Some(Socket::open(self.address, source(0), &self.path, Some(4096)).await?)
                    }
                    false => None,
                };
                let (late, memory) = self.speak(&mut speaker, &mut times, &heard).await?;
                let end = match slow {
                    None => "–".to_owned(),
                    Some(slow) => end(slow).await,
                };
                *p99 = late.value_at_quantile(0.99) as f64 / 1000.0;
                println!(
                    "| {round} | {} | {:.2} | {p99:.2} | {:.1} | {end} |",
                    if with { "there" } else { "not there" },
                    late.value_at_quantile(0.5) as f64 / 1000.0,
                    memory as f64 / 1024.0
                );
            }
            ratios.push(p99[1] / p99[0]);
        }
        ratios.sort_by(f64::total_cmp);
        if let Some(median) = ratios.get(ratios.len() / 2) {
            println!("\np99 with it, of that without: {median:.2} (the median of {ratios:.2?})");
        }
        Ok(())
    }

    /// Sends for one round: how late the messages came, in microseconds, and the most memory of the server, in KiB.
    async fn speak(
        &self,
        speaker: &mut Socket,
        times: &mut mpsc::UnboundedReceiver<u64>,
        heard: &AtomicU64,
    ) -> Result<(Histogram<u64>, u64), Failure> {
        let mut late = Histogram::<u64>::new(3)?;
        let mut memory = 0;
        let mut clock = interval(Duration::from_secs(1) / self.rate.max(1));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = Instant::now();
        let before = heard.load(Ordering::Relaxed);
        let mut sent = 0;
        while began.elapsed() < Duration::from_secs(self.seconds) {
            clock.tick().await;
            let fill = "x".repeat(self.size);
            let message = format!(r#"{{"broadcast":"{} {fill}"}}"#, now());
            speaker.send(TEXT, message.as_bytes()).await?;
            // It hears itself, too.
            timeout(PATIENCE, speaker.message())
                .await??
                .map_err(|code| format!("the server closed with {code:?}"))?;
            sent += 1;
            memory = memory.max(proportional_memory(self.pid)?);
        }
        let due = before + sent * self.connections as u64;
        let end = Instant::now() + PATIENCE;
        while heard.load(Ordering::Relaxed) < due {
            if Instant::now() > end {
                return Err("somebody has not heard all".into());
            }
            sleep(Duration::from_millis(5)).await;
        }
        while let Ok(time) = times.try_recv() {
            late.record(time.max(1))?;
        }
        Ok((late, memory))
    }
}

/// What becomes of the one that did not read: it reads now, to the end of what the server had sent it before it gave up.
async fn end(mut slow: Socket) -> String {
    let mut messages = 0;
    loop {
        match timeout(PATIENCE, slow.message()).await {
            Ok(Ok(Ok(_))) => messages += 1,
            Ok(Ok(Err(Some(code)))) => return format!("{code}, behind {messages} messages"),
            Ok(Ok(Err(None)) | Err(_)) => return format!("ended behind {messages} messages"),
            Err(_) => return format!("not closed, {messages} messages"),
        }
    }
}

/// When a message was sent, in microseconds since 1970: it says so.
fn sent_at(message: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(&message[..message.len().min(64)]).into_owned();
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}
