//! What is measured: the tables and their rows.

use crate::{Failure, peers::Skill};

#[cfg(test)]
mod tests;

/// One table of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Echo,
    Deflate,
    Memory,
    FanOut,
}

/// One measurement of every peer.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) table: Table,
    /// What it is called on the command line.
    pub(crate) name: String,
    /// The payload of a message, in bytes.
    pub(crate) size: usize,
    pub(crate) connections: usize,
    /// Messages in flight on a connection; for a fan-out, in a burst.
    pub(crate) in_flight: usize,
    /// What a peer must be able to do for it.
    pub(crate) needs: Option<Skill>,
}

const ECHO_CONNECTIONS: usize = 64;
const IDLE_CONNECTIONS: usize = 18_000;
const FAN_OUT_CONNECTIONS: usize = 2_000;
const FAN_OUT_SIZE: usize = 128;
const FAN_OUT_BURST: usize = 8;
const JSON_SIZE: usize = 1024;

impl Table {
    pub(crate) const ALL: [Self; 4] = [Self::Echo, Self::Deflate, Self::Memory, Self::FanOut];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Deflate => "deflate",
            Self::Memory => "memory",
            Self::FanOut => "fanout",
        }
    }

    /// What is measured, for the head of a column.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Echo | Self::Deflate => "µs/message",
            Self::Memory => "KiB/connection",
            Self::FanOut => "µs/delivery",
        }
    }

    /// The rows that targets are about.
    pub(crate) fn rows(self) -> Vec<Row> {
        let names: &[&str] = match self {
            Self::Echo => &[
                "32B-P1", "32B-P16", "1KiB-P1", "1KiB-P16", "16KiB-P4", "1MiB-P1",
            ],
            Self::Deflate => &["P1", "P16"],
            Self::Memory => &["plain", "deflate", "tls"],
            Self::FanOut => &["single", "burst"],
        };
        let rows = names.iter().filter_map(|name| self.row(name).ok());
        rows.collect()
    }

    /// The row of a name.
    pub(crate) fn row(self, name: &str) -> Result<Row, Failure> {
        let row = match self {
            Self::Echo | Self::Deflate => self.loop_row(name),
            Self::Memory => memory_row(name),
            Self::FanOut => fan_out_row(name),
        };
        row.ok_or_else(|| format!("the table {} has no row `{name}`", self.name()).into())
    }

    /// `1KiB-P16` or `1KiB-P16-C64`; without a size for compressed messages.
    fn loop_row(self, name: &str) -> Option<Row> {
        let deflate = self == Self::Deflate;
        let mut row = Row {
            table: self,
            name: name.to_owned(),
            size: JSON_SIZE,
            connections: ECHO_CONNECTIONS,
            in_flight: 1,
            needs: deflate.then_some(Skill::Deflate),
        };
        let mut parts = name.split('-');
        if !deflate {
            row.size = size(parts.next()?)?;
        }
        for part in parts {
            match (part.strip_prefix('P'), part.strip_prefix('C')) {
                (Some(number), _) => row.in_flight = number.parse().ok()?,
                (_, Some(number)) => row.connections = number.parse().ok()?,
                _ => return None,
            }
        }
        Some(row)
    }
}

impl Row {
    /// What the row means, in words.
    pub(crate) fn title(&self) -> String {
        let Self {
            connections,
            in_flight,
            size,
            ..
        } = self;
        match self.table {
            Table::Echo => format!(
                "{} on {connections} connections, {in_flight} in flight on each",
                bytes(*size)
            ),
            Table::Deflate => format!(
                "1 KiB of JSON, compressed, on {connections} connections, {in_flight} in flight on each"
            ),
            Table::Memory => {
                let how = match self.needs {
                    Some(Skill::Deflate) => "with permessage-deflate, ",
                    Some(Skill::Tls) => "over TLS, ",
                    _ => "",
                };
                format!("{connections} idle connections, {how}after one message each")
            }
            Table::FanOut => format!(
                "{} to {connections} receivers, {in_flight} at a time",
                bytes(*size)
            ),
        }
    }
}

fn memory_row(name: &str) -> Option<Row> {
    let needs = match name {
        "plain" => None,
        "deflate" => Some(Skill::Deflate),
        "tls" => Some(Skill::Tls),
        _ => return None,
    };
    Some(Row {
        table: Table::Memory,
        name: name.to_owned(),
        size: 32,
        connections: IDLE_CONNECTIONS,
        in_flight: 1,
        needs,
    })
}

fn fan_out_row(name: &str) -> Option<Row> {
    let in_flight = match name {
        "single" => 1,
        "burst" => FAN_OUT_BURST,
        _ => return None,
    };
    Some(Row {
        table: Table::FanOut,
        name: name.to_owned(),
        size: FAN_OUT_SIZE,
        connections: FAN_OUT_CONNECTIONS,
        in_flight,
        needs: Some(Skill::FanOut),
    })
}

/// `32`, `32B`, `16KiB`, `1MiB`.
fn size(text: &str) -> Option<usize> {
    let (number, unit) = if let Some(number) = text.strip_suffix("MiB") {
        (number, 1 << 20)
    } else if let Some(number) = text.strip_suffix("KiB") {
        (number, 1 << 10)
    } else {
        (text.strip_suffix('B').unwrap_or(text), 1)
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

fn bytes(size: usize) -> String {
    match size {
        size if size > 0 && size.is_multiple_of(1 << 20) => format!("{} MiB", size >> 20),
        size if size > 0 && size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        size => format!("{size} B"),
    }
}
