//! The targets: what Wiretalk is to reach, beside others in the same run.

use crate::{
    measurement::{Outcome, Sample},
    peers::Family,
    tables::{Row, Table},
};

#[cfg(test)]
mod tests;

/// A target: so much of something, at most.
struct Target {
    table: Table,
    /// The names of rows.
    rows: &'static [&'static str],
    /// Who is to reach it.
    peer: &'static str,
    what: What,
    against: Against,
    limit: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// The unit of the table.
    Cost,
    /// User time per message.
    User,
    /// The 99th percentile of the latency.
    P99,
}

#[derive(Clone, Copy)]
enum Against {
    /// The best library in Rust.
    BestRust,
    /// The best of all WebSocket servers.
    Best,
    /// One peer.
    Peer(&'static str),
    /// The peer's own median latency.
    OwnMedian,
    /// Nobody: the unit itself.
    Nobody,
}

/// What became of a target.
pub(crate) struct Verdict {
    /// What was to be reached.
    pub(crate) target: String,
    /// At most this.
    pub(crate) limit: f64,
    /// What it is; or why that cannot be told.
    pub(crate) result: Result<f64, String>,
}

const SMALL_P1: &[&str] = &["32B-P1", "1KiB-P1"];
const P16: &[&str] = &["32B-P16", "1KiB-P16"];
const SMALL: &[&str] = &["32B-P1", "32B-P16", "1KiB-P1", "1KiB-P16"];
const COLUMNS: &[&str] = &[
    "32B-P1", "32B-P16", "1KiB-P1", "1KiB-P16", "16KiB-P4", "1MiB-P1",
];
const DEFLATE: &[&str] = &["P1", "P16"];
const FAN_OUT: &[&str] = &["single", "burst"];

const fn cost(table: Table, rows: &'static [&'static str], against: Against, limit: f64) -> Target {
    Target {
        table,
        rows,
        peer: "wiretalk",
        what: What::Cost,
        against,
        limit,
    }
}

const TARGETS: &[Target] = &[
    cost(Table::Echo, SMALL_P1, Against::BestRust, 1.0),
    cost(Table::Echo, SMALL_P1, Against::Peer("uws"), 1.1),
    cost(Table::Echo, P16, Against::BestRust, 0.9),
    cost(Table::Echo, &["32B-P16"], Against::Peer("uws"), 1.1),
    cost(Table::Echo, &["1KiB-P16"], Against::Peer("uws"), 0.95),
    cost(Table::Echo, &["16KiB-P4"], Against::BestRust, 0.9),
    cost(Table::Echo, &["1MiB-P1"], Against::Best, 1.1),
    Target {
        what: What::P99,
        ..cost(Table::Echo, COLUMNS, Against::OwnMedian, 3.0)
    },
    Target {
        what: What::User,
        ..cost(Table::Echo, SMALL, Against::Peer("raw-tokio"), 1.5)
    },
    Target {
        peer: "wiretalk-serve",
        ..cost(Table::Echo, COLUMNS, Against::Peer("wiretalk"), 1.1)
    },
    cost(Table::Deflate, DEFLATE, Against::BestRust, 0.8),
    cost(Table::Deflate, DEFLATE, Against::Peer("node-ws"), 0.8),
    cost(Table::Memory, &["plain"], Against::Nobody, 1.0),
    cost(Table::Memory, &["deflate"], Against::Nobody, 2.5),
    cost(Table::Memory, &["tls"], Against::Nobody, 10.0),
    cost(Table::FanOut, FAN_OUT, Against::Peer("uws"), 1.0),
];

/// Judges a row by the targets that are about it.
pub(crate) fn judge(row: &Row, outcomes: &[Outcome]) -> Vec<Verdict> {
    TARGETS
        .iter()
        .filter(|target| target.table == row.table && target.rows.contains(&row.name.as_str()))
        .filter(|target| {
            outcomes
                .iter()
                .any(|outcome| outcome.peer.id == target.peer)
        })
        .map(|target| Verdict {
            target: target.describe(outcomes),
            limit: target.limit,
            result: target.result(outcomes),
        })
        .collect()
}

/// The library in Rust with the least cost, other than ours.
pub(crate) fn best_rust(outcomes: &[Outcome]) -> Option<&Outcome> {
    best(outcomes, |family| family == Family::Rust)
}

/// The outcome of one peer.
pub(crate) fn outcome<'a>(outcomes: &'a [Outcome], id: &str) -> Option<&'a Outcome> {
    outcomes.iter().find(|outcome| outcome.peer.id == id)
}

fn best(outcomes: &[Outcome], counts: impl Fn(Family) -> bool) -> Option<&Outcome> {
    outcomes
        .iter()
        .filter(|outcome| counts(outcome.peer.family))
        .filter_map(|outcome| Some((outcome, outcome.median(|sample| Some(sample.cost))?)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(outcome, _)| outcome)
}

impl Target {
    fn describe(&self, outcomes: &[Outcome]) -> String {
        let what = match self.what {
            What::Cost => self.table.unit(),
            What::User => "user time",
            What::P99 => "p99",
        };
        let against = match self.against {
            Against::OwnMedian => " × the median".to_owned(),
            Against::Nobody => String::new(),
            Against::Peer(id) => format!(" × {id}"),
            Against::BestRust => named(" × the best in Rust", self.other(outcomes)),
            Against::Best => named(" × the best of all", self.other(outcomes)),
        };
        format!("{}: {what} ≤ {}{against}", self.peer, self.limit)
    }

    fn result(&self, outcomes: &[Outcome]) -> Result<f64, String> {
        let ours = outcome(outcomes, self.peer).ok_or("it was not measured")?;
        if ours.samples.is_err() {
            return Err("it failed".to_owned());
        }
        let value = match self.against {
            Against::Nobody => ours.median(|sample| self.value(sample)),
            Against::OwnMedian => ours.median(|sample| {
                let latency = sample.report.as_ref()?.latency;
                Some(latency.p99 / latency.p50)
            }),
            Against::BestRust | Against::Best | Against::Peer(_) => {
                let other = self.other(outcomes).ok_or("the other was not measured")?;
                if other.samples.is_err() {
                    return Err(format!("{} failed", other.peer.id));
                }
                ours.ratio(other, |sample| self.value(sample))
            }
        };
        value.ok_or_else(|| "there is nothing to compare".to_owned())
    }

    fn value(&self, sample: &Sample) -> Option<f64> {
        match self.what {
            What::Cost => Some(sample.cost),
            What::User => Some(sample.report.as_ref()?.window.server_user_micros()),
            What::P99 => Some(sample.report.as_ref()?.latency.p99),
        }
    }

    fn other<'a>(&self, outcomes: &'a [Outcome]) -> Option<&'a Outcome> {
        match self.against {
            Against::BestRust => best_rust(outcomes),
            Against::Best => best(outcomes, |family| {
                matches!(family, Family::Rust | Family::Other)
            }),
            Against::Peer(id) => outcome(outcomes, id),
            Against::OwnMedian | Against::Nobody => None,
        }
    }
}

fn named(what: &str, outcome: Option<&Outcome>) -> String {
    match outcome {
        Some(outcome) => format!("{what} ({})", outcome.peer.id),
        None => what.to_owned(),
    }
}
