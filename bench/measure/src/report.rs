//! What the load program tells about one run, as one line of JSON.

use serde::{Deserialize, Serialize};

use crate::process::Cpu;

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The measured part of it.
    pub window: Window,
    /// From a message's write to its reply, or delivery.
    pub latency: Latency,
    /// The wire size of replies, header and all, on average.
    pub reply_bytes: f64,
    /// Replies whose content was compared with what was to come.
    pub verified: u64,
}

/// What happened between the end of the warm-up and the end of the run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Replies, or deliveries.
    pub messages: u64,
    /// How long it took.
    pub seconds: f64,
    /// What the server used.
    pub server: Cpu,
    /// What the load program used.
    pub client: Cpu,
}

impl Window {
    /// Server CPU time for each message, in µs.
    #[must_use]
    pub fn server_micros(&self) -> f64 {
        micros(self.server.total_ns, self.messages)
    }

    /// The user part of it.
    #[must_use]
    pub fn server_user_micros(&self) -> f64 {
        micros(self.server.user_ns(), self.messages)
    }

    /// Messages per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds
    }

    /// How busy the server was.
    #[must_use]
    pub fn server_load(&self) -> Load {
        Load::new(self.server, self.seconds)
    }

    /// How busy the load program was.
    #[must_use]
    pub fn client_load(&self) -> Load {
        Load::new(self.client, self.seconds)
    }
}

/// Shares of one CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// The program ran.
    pub ran: f64,
    /// It could have run, but somebody else did: the measurement was disturbed.
    pub waited: f64,
}

impl Load {
    fn new(cpu: Cpu, seconds: f64) -> Self {
        let ran = cpu.total_ns as f64 / 1e9 / seconds;
        let waited = cpu.waited_ns as f64 / 1e9 / seconds;
        Self {
            ran,
            // Threads of a program wait for each other too; others had at most the rest of the CPU.
            waited: waited.min((1.0 - ran).max(0.0)),
        }
    }
}

/// Percentiles in µs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// One in a hundred took longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

fn micros(nanos: u64, messages: u64) -> f64 {
    nanos as f64 / 1e3 / messages.max(1) as f64
}
