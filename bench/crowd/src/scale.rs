//! A crowd of as many processes as it takes, and what it costs its servers.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use clap::Args;
use measure::{cpu, proportional_memory};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::sleep,
};

use crate::{Failure, hold::Told};

#[derive(Args)]
pub(crate) struct Scale {
    /// The servers' addresses.
    #[arg(long, value_delimiter = ',', required = true)]
    address: Vec<SocketAddr>,
    /// What to ask for.
    #[arg(long, default_value = "/")]
    path: String,
    /// How many connections, of all processes together.
    #[arg(long, default_value_t = 18_000)]
    connections: usize,
    /// The most of one process. Its descriptors are the limit.
    #[arg(long, default_value_t = 18_000)]
    per_process: usize,
    /// The servers' processes, whose memory is measured.
    #[arg(long, value_delimiter = ',')]
    pid: Vec<u32>,
    /// How long to wait, once all are open, before the memory is measured, in seconds.
    #[arg(long, default_value_t = 2)]
    settle: u64,
    /// How often somebody says something to all.
    #[arg(long, default_value_t = 3)]
    calls: usize,
    /// In the end, SIGTERM is sent to the servers' processes, and the close codes are counted.
    #[arg(long, requires = "pid")]
    drain: bool,
}

/// A process with its share of the connections.
struct Share {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Scale {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let before = self.memory()?;
        let mut shares = Vec::new();
        let mut first = 0;
        while first < self.connections {
            let count = self.per_process.min(self.connections - first);
            shares.push(self.share(first, count)?);
            first += count;
        }
        let mut slowest: f64 = 0.0;
        for share in &mut shares {
            match share.told().await? {
                Told::Open { seconds } => slowest = slowest.max(seconds),
                other => return Err(unasked(&other)),
            }
        }
        println!(
            "{} connections from {} processes to {} addresses, open after {slowest:.1} s",
            self.connections,
            shares.len(),
            self.address.len()
        );
        sleep(Duration::from_secs(self.settle)).await;
        self.tell_memory(&before)?;
        for _ in 0..self.calls {
            self.call(&mut shares).await?;
        }
        if self.calls > 0 {
            sleep(Duration::from_secs(self.settle)).await;
            self.tell_memory(&before)?;
        }
        if self.drain {
            self.drain(&mut shares).await?;
        }
        for mut share in shares {
            drop(share.orders);
            share.child.wait().await?;
        }
        Ok(())
    }

    fn share(&self, first: usize, count: usize) -> Result<Share, Failure> {
        let addresses: Vec<String> = self.address.iter().map(ToString::to_string).collect();
        let mut child = Command::new(std::env::current_exe()?)
            .arg("hold")
            .args(["--address", &addresses.join(",")])
            .args(["--path", &self.path])
            .args(["--connections", &count.to_string()])
            .args(["--first", &first.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(orders), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process has no standard input or output".into());
        };
        Ok(Share {
            child,
            orders,
            lines: BufReader::new(out).lines(),
        })
    }

    fn memory(&self) -> Result<Vec<u64>, Failure> {
        let each = self.pid.iter().map(|pid| Ok(proportional_memory(*pid)?));
        each.collect()
    }

    fn tell_memory(&self, before: &[u64]) -> Result<(), Failure> {
        let (mut total, mut grown) = (0, 0);
        for (now, before) in self.memory()?.iter().zip(before) {
            total += now;
            grown += now.saturating_sub(*before);
        }
        if !before.is_empty() {
            println!(
                "memory: {:.1} MiB in all, {:.2} KiB more for each connection",
                total as f64 / 1024.0,
                grown as f64 / self.connections as f64
            );
        }
        Ok(())
    }

    /// One says something, and all hear it.
    async fn call(&self, shares: &mut [Share]) -> Result<(), Failure> {
        let before = self.spent()?;
        let Some(first) = shares.first_mut() else {
            return Ok(());
        };
        first.order("call").await?;
        let called = match first.told().await? {
            Told::Called { at } => at,
            other => return Err(unasked(&other)),
        };
        let (mut heard, mut times) = (0, Vec::new());
        for share in &mut *shares {
            share.order("hear").await?;
        }
        for share in shares {
            match share.told().await? {
                Told::Heard { count, at } => {
                    heard += count;
                    times.extend(at);
                }
                other => return Err(unasked(&other)),
            }
        }
        times.sort_unstable();
        let after = |share: usize| {
            let at = times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
            at.map_or(0, |at| at.saturating_sub(called)) as f64 / 1000.0
        };
        println!(
            "a message to all: {heard} of {} have heard it, half of them after {:.0} ms, the last after {:.0} ms; \
             {:.2} \u{b5}s of the servers' CPU for each",
            self.connections,
            after(50),
            after(100),
            self.spent()?.saturating_sub(before) as f64 / 1000.0 / heard.max(1) as f64
        );
        if heard != self.connections {
            return Err("somebody has not heard it".into());
        }
        Ok(())
    }

    /// What the servers have used of the CPU, in nanoseconds.
    fn spent(&self) -> Result<u64, Failure> {
        let mut all = 0;
        for pid in &self.pid {
            all += cpu(*pid)?.total_ns;
        }
        Ok(all)
    }

    /// The servers end, and so do all connections.
    async fn drain(&self, shares: &mut [Share]) -> Result<(), Failure> {
        for share in &mut *shares {
            share.order("end").await?;
        }
        let began = Instant::now();
        for pid in &self.pid {
            let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            let pid = pid.ok_or("that is no process")?;
            kill_process(pid, Signal::TERM)?;
        }
        let mut all = BTreeMap::<u16, usize>::new();
        for share in shares {
            match share.told().await? {
                Told::Ended { codes, .. } => {
                    for (code, count) in codes {
                        *all.entry(code).or_default() += count;
                    }
                }
                other => return Err(unasked(&other)),
            }
        }
        let codes = all.iter().map(|(code, count)| match code {
            0 => format!("{count} without a close frame"),
            code => format!("{count} with {code}"),
        });
        let codes: Vec<String> = codes.collect();
        println!(
            "drained in {:.1} s: {}",
            began.elapsed().as_secs_f64(),
            codes.join(", ")
        );
        Ok(())
    }
}

impl Share {
    async fn order(&mut self, order: &str) -> Result<(), Failure> {
        Ok(self
            .orders
            .write_all(format!("{order}\n").as_bytes())
            .await?)
    }

    async fn told(&mut self) -> Result<Told, Failure> {
        let line = self.lines.next_line().await?;
        let line = line.ok_or("a process has ended before its time; what it said is above")?;
        Ok(serde_json::from_str(&line)?)
    }
}

fn unasked(told: &Told) -> Failure {
    format!("a process told what nobody has asked for: {told:?}").into()
}
