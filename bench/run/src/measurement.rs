//! Measuring a row: every peer has its turn, again and again, so that a machine that gets slower does so for all.

use std::{
    io::{self, IsTerminal, Write},
    thread::sleep,
    time::Duration,
};

use measure::{Report, proportional_memory};

use crate::{
    Failure,
    peers::{Peer, Skill},
    server::{Place, Server, WaitingLoad, Wish},
    tables::{Row, Table},
};

#[cfg(test)]
mod tests;

/// Connections that come and go before the memory of a server is looked at for the first time.
const FIRST_CONNECTIONS: usize = 32;
/// How long a server may take to give memory back.
const SETTLE: Duration = Duration::from_secs(1);

/// How long, and how often.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) warm_up: f64,
    /// Whether messages are binary.
    pub(crate) binary: bool,
}

/// What came of one peer in one row.
pub(crate) struct Outcome {
    pub(crate) peer: &'static Peer,
    /// One for each round; or why there is none.
    pub(crate) samples: Result<Vec<Sample>, String>,
}

/// What one turn showed.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// In the unit of the table.
    pub(crate) cost: f64,
    /// How it came about; not for memory.
    pub(crate) report: Option<Report>,
}

impl Plan {
    /// What ratios may be quoted from.
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        seconds: 2.0,
        warm_up: 0.5,
        binary: false,
    };

    /// For a first look.
    pub(crate) const QUICK: Self = Self {
        rounds: 3,
        seconds: 1.0,
        warm_up: 0.3,
        binary: false,
    };
}

impl Outcome {
    /// The median of what `value` finds in the samples.
    pub(crate) fn median(&self, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let samples = self.samples.as_ref().ok()?;
        median(samples.iter().filter_map(value).collect())
    }

    /// The median of the ratios to another peer, round by round.
    pub(crate) fn ratio(
        &self,
        other: &Self,
        value: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<f64> {
        let (Ok(ours), Ok(theirs)) = (&self.samples, &other.samples) else {
            return None;
        };
        let pairs = ours.iter().zip(theirs);
        let ratios = pairs.filter_map(|(ours, theirs)| Some(value(ours)? / value(theirs)?));
        median(ratios.collect())
    }
}

/// Measures all `peers` that can do what the row is about.
pub(crate) fn run(place: &Place, plan: &Plan, row: &Row, peers: &[&'static Peer]) -> Vec<Outcome> {
    let able = peers
        .iter()
        .copied()
        .filter(|peer| row.needs.is_none_or(|skill| peer.can(skill)));
    let mut outcomes: Vec<_> = able
        .map(|peer| Outcome {
            peer,
            samples: Ok(Vec::new()),
        })
        .collect();
    // Memory does not drift.
    let rounds = if row.table == Table::Memory {
        1
    } else {
        plan.rounds
    };
    for round in 0..rounds {
        for outcome in &mut outcomes {
            let Ok(samples) = &mut outcome.samples else {
                continue;
            };
            progress(&format!(
                "{} {}/{rounds} {}",
                row.name,
                round + 1,
                outcome.peer.id
            ));
            match turn(place, plan, row, outcome.peer) {
                Ok(sample) => samples.push(sample),
                Err(failure) => outcome.samples = Err(failure.to_string()),
            }
        }
    }
    progress("");
    outcomes
}

/// One line that is written over, for who looks on.
fn progress(text: &str) {
    let mut out = io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{text}");
    }
}

fn turn(place: &Place, plan: &Plan, row: &Row, peer: &Peer) -> Result<Sample, Failure> {
    let wish = Wish {
        deflate: row.needs == Some(Skill::Deflate),
        fan_out: row.needs == Some(Skill::FanOut),
        tls: match row.needs {
            Some(Skill::Tls) => Some(place.certificate()?),
            _ => None,
        },
    };
    let server = place.start(peer, &wish)?;
    let result = match row.table {
        Table::Memory => memory(place, row, peer, &server, &wish),
        _ => traffic(place, plan, row, peer, &server),
    };
    result.map_err(|failure| {
        let words = server.last_words();
        match words.as_str() {
            "" => failure,
            words => format!("{failure} (the server said: {words})").into(),
        }
    })
}

fn traffic(
    place: &Place,
    plan: &Plan,
    row: &Row,
    peer: &Peer,
    server: &Server,
) -> Result<Sample, Failure> {
    let mut command = place.load();
    command.arg(match row.table {
        Table::FanOut => "fan-out",
        _ => "echo",
    });
    command.args(server.arguments());
    let mut set = |name: &str, value: String| {
        command.arg(name).arg(value);
    };
    set("--seconds", plan.seconds.to_string());
    set("--warm-up", plan.warm_up.to_string());
    set("--connections", row.connections.to_string());
    set("--size", row.size.to_string());
    set("--in-flight", row.in_flight.to_string());
    match row.needs {
        _ if peer.is_raw() => {
            command.arg("--raw");
        }
        Some(Skill::Deflate) => {
            command.arg("--deflate");
        }
        _ if plan.binary => {
            command.arg("--binary");
        }
        _ => {}
    }
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    }
    let report: Report = serde_json::from_slice(&output.stdout)?;
    if report.window.messages == 0 {
        return Err("no message came back within the measured time".into());
    }
    Ok(Sample {
        cost: report.window.server_micros(),
        report: Some(report),
    })
}

fn memory(
    place: &Place,
    row: &Row,
    peer: &Peer,
    server: &Server,
    wish: &Wish,
) -> Result<Sample, Failure> {
    let idle = |connections: usize| {
        let mut command = place.load();
        command.arg("idle").args(server.arguments());
        command.arg("--connections").arg(connections.to_string());
        command.arg("--size").arg(row.size.to_string());
        if wish.deflate {
            command.arg("--deflate");
        }
        if peer.is_raw() {
            command.arg("--raw");
        }
        if let Some((certificate, _)) = &wish.tls {
            command.arg("--tls").arg(certificate);
        }
        WaitingLoad::start(command)
    };
    // What a server sets up once, with its first connections, is not to be divided among all.
    idle(FIRST_CONNECTIONS)?.finish()?;
    sleep(SETTLE);
    let before = proportional_memory(server.pid())?;
    let load = idle(row.connections)?;
    sleep(SETTLE);
    let after = proportional_memory(server.pid())?;
    load.finish()?;
    Ok(Sample {
        cost: (after.saturating_sub(before)) as f64 / row.connections as f64,
        report: None,
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        Some(f64::midpoint(
            *values.get(middle.checked_sub(1)?)?,
            values[middle],
        ))
    } else {
        values.get(middle).copied()
    }
}
