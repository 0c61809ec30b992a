//! One process's share of a crowd.

use std::{
    collections::BTreeMap,
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::{Notify, Semaphore, mpsc},
    time::timeout,
};

use crate::{
    Failure,
    socket::{Socket, TEXT, source},
};

/// Handshakes that are on their way at the same time.
const TOGETHER: usize = 64;
/// How long something that all connections are to see may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the message to all says.
const CALL: &str = r#"{"broadcast":"to all of you"}"#;

#[derive(Args)]
pub(crate) struct Hold {
    /// Where to connect to, each in turn.
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) address: Vec<SocketAddr>,
    /// What to ask for.
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    /// How many connections.
    #[arg(long, default_value_t = 18_000)]
    pub(crate) connections: usize,
    /// The number of the first: what address it comes from hangs on it.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: usize,
}

/// What a process tells, a line each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// All are open, and each has had its message back.
    Open { seconds: f64 },
    /// The message to all was sent, at this time in microseconds since 1970.
    Called { at: u64 },
    /// So many have had the message to all; and when, in microseconds since 1970.
    Heard { count: usize, at: Vec<u64> },
    /// All have ended: how many with which close code, 0 for none.
    Ended {
        codes: BTreeMap<u16, usize>,
        seconds: f64,
    },
}

#[derive(Default)]
struct Seen {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    open: usize,
    heard: Vec<u64>,
    codes: BTreeMap<u16, usize>,
    ended: usize,
    failure: Option<String>,
}

impl Hold {
    /// Opens; then does what lines on standard input say: `call`, `hear`, `end`.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let began = Instant::now();
        let seen = Arc::new(Seen::default());
        let gate = Arc::new(Semaphore::new(TOGETHER));
        let (caller, mut calls) = mpsc::channel(1);
        for index in 0..self.connections {
            let permit = Arc::clone(&gate).acquire_owned().await?;
            let address = self.address[index % self.address.len()];
            let from = source(self.first + index);
            let path = self.path.clone();
            let seen = Arc::clone(&seen);
            let calls = (index == 0).then(|| std::mem::replace(&mut calls, mpsc::channel(1).1));
            tokio::spawn(async move {
                let opened = open(address, from, &path).await;
                drop(permit);
                match opened {
                    Ok(socket) => {
                        seen.change(|state| state.open += 1);
                        let code = stay(socket, calls, &seen).await;
                        seen.change(|state| {
                            *state.codes.entry(code.unwrap_or(0)).or_default() += 1;
                            state.ended += 1;
                        });
                    }
                    Err(error) => seen.change(|state| {
                        state
                            .failure
                            .get_or_insert(format!("connection {index} to {address}: {error}"));
                    }),
                }
            });
        }
        let all = self.connections;
        seen.wait(PATIENCE, |state| state.open == all).await?;
        tell(&Told::Open {
            seconds: began.elapsed().as_secs_f64(),
        })?;
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            match line.as_str() {
                "call" => {
                    tell(&Told::Called { at: now() })?;
                    caller.send(()).await?;
                }
                "hear" => {
                    // Those that do not hear it are missing in the count.
                    let _ = seen
                        .wait(PATIENCE, |state| state.heard.len() + state.ended >= all)
                        .await;
                    let at = std::mem::take(&mut seen.lock().heard);
                    tell(&Told::Heard {
                        count: at.len(),
                        at,
                    })?;
                }
                "end" => {
                    let began = Instant::now();
                    seen.wait(PATIENCE, |state| state.ended == all).await?;
                    tell(&Told::Ended {
                        codes: seen.lock().codes.clone(),
                        seconds: began.elapsed().as_secs_f64(),
                    })?;
                }
                other => return Err(format!("`{other}` is no order").into()),
            }
        }
        Ok(())
    }
}

/// Opens a connection, and has one message sent back.
async fn open(
    address: SocketAddr,
    from: std::net::Ipv4Addr,
    path: &str,
) -> Result<Socket, Failure> {
    let mut socket = Socket::open(address, from, path, None).await?;
    let hello = b"hello, this is one of very many!";
    socket.send(TEXT, hello).await?;
    match timeout(PATIENCE, socket.message()).await?? {
        Ok(message) if message == hello => Ok(socket),
        Ok(other) => Err(format!("`{}` came back", String::from_utf8_lossy(&other)).into()),
        Err(code) => Err(format!("the server closed with {code:?}").into()),
    }
}

/// Listens until the end: the close code, if there was one.
async fn stay(
    mut socket: Socket,
    mut calls: Option<mpsc::Receiver<()>>,
    seen: &Seen,
) -> Option<u16> {
    loop {
        let call = async {
            match &mut calls {
                Some(calls) => calls.recv().await,
                None => std::future::pending().await,
            }
        };
        let came = tokio::select! {
            came = socket.message() => came,
            Some(()) = call => {
                if socket.send(TEXT, CALL.as_bytes()).await.is_err() {
                    return None;
                }
                continue;
            }
        };
        match came {
            Ok(Ok(message)) if message == CALL.as_bytes() => {
                seen.change(|state| state.heard.push(now()));
            }
            Ok(Ok(_)) => {}
            Ok(Err(code)) => return code,
            Err(_) => return None,
        }
    }
}

impl Seen {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// Waits until something holds.
    async fn wait(&self, limit: Duration, holds: impl Fn(&State) -> bool) -> Result<(), Failure> {
        let mut last = (0, 0, 0);
        loop {
            let progress = {
                let state = self.lock();
                if let Some(failure) = &state.failure {
                    return Err(failure.clone().into());
                }
                if holds(&state) {
                    return Ok(());
                }
                (state.open, state.heard.len(), state.ended)
            };
            let stuck = timeout(limit, self.changed.notified()).await.is_err();
            if stuck && progress == last {
                let (open, heard, ended) = progress;
                return Err(format!(
                    "nothing moves any more: {open} open, {heard} have heard, {ended} have ended"
                )
                .into());
            }
            last = progress;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(told: &Told) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(told)?)?;
    out.flush()?;
    Ok(())
}

/// Microseconds since 1970: all processes of a machine have one clock.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}
