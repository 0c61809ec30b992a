//! A test's messages on a line of time: an axis for each connection, a mark for each message.

use std::time::Duration;

use super::super::text::count;
use super::markup::Markup;
use crate::record::{Direction, Kind, Record};
use crate::runner::TestResult;

/// Connections that are drawn.
const MOST_LANES: usize = 20;
/// Marks that are drawn on all of them.
const MOST_MARKS: usize = 400;
/// The height of a connection's drawing, in CSS pixels, and where its axis is.
const HEIGHT: &str = "34";
const AXIS: &str = "17";
/// How many parts the axis of time is divided into, at the most.
const MOST_PARTS: u32 = 5;

/// Draws the messages of a test, each given with the id of its row; `failed` is when the test failed, and `culprit` the
/// id of the message that it failed by.
pub(super) fn draw(
    page: &mut Markup,
    result: &TestResult,
    messages: &[(String, &Record)],
    failed: Option<Duration>,
    culprit: Option<&str>,
) {
    let last = messages
        .last()
        .map_or(Duration::ZERO, |(_, record)| record.at);
    let end = result.duration.max(last).max(Duration::from_micros(1));
    let lanes: Vec<u64> = {
        let mut lanes: Vec<u64> = messages
            .iter()
            .map(|(_, record)| record.connection)
            .collect();
        lanes.sort_unstable();
        lanes.dedup();
        lanes
    };
    if lanes.is_empty() {
        return;
    }
    page.open("div", &[("class", "lanes")]).line();
    for lane in lanes.iter().take(MOST_LANES) {
        let marks: Vec<&(String, &Record)> = messages
            .iter()
            .filter(|(_, record)| record.connection == *lane)
            .collect();
        let name = match result.connection_name(*lane) {
            Some(name) => name.to_owned(),
            None => format!("#{lane}"),
        };
        let told = format!(
            "{} over connection {name}, in {}",
            count(
                marks
                    .iter()
                    .filter(|(_, record)| record.kind != Kind::Event)
                    .count(),
                "message",
                "messages"
            ),
            time(end)
        );
        page.element("span", &[("class", "lane"), ("aria-hidden", "true")], &name);
        page.open(
            "svg",
            &[
                ("class", "axis"),
                ("height", HEIGHT),
                ("role", "img"),
                ("aria-label", &told),
            ],
        );
        page.empty(
            "line",
            &[("x1", "0"), ("x2", "100%"), ("y1", AXIS), ("y2", AXIS)],
        );
        for (id, record) in marks
            .into_iter()
            .take(MOST_MARKS / lanes.len().min(MOST_LANES))
        {
            mark(page, id, record, end, Some(id.as_str()) == culprit);
        }
        if let Some(at) = failed {
            let x = place(at, end);
            page.empty(
                "line",
                &[
                    ("class", "fault"),
                    ("x1", &x),
                    ("x2", &x),
                    ("y1", "0"),
                    ("y2", "100%"),
                ],
            );
        }
        page.close("svg").line();
    }
    if lanes.len() > MOST_LANES {
        let more = count(lanes.len() - MOST_LANES, "connection", "connections");
        page.element("span", &[("class", "lane")], "…");
        page.element("span", &[("class", "quiet")], &format!("{more} more"));
    }
    ticks(page, end);
    page.close("div").line();
}

/// A mark that leads to the row of its message. Its shape says what it is, and its side where it went.
fn mark(page: &mut Markup, id: &str, record: &Record, end: Duration, culprit: bool) {
    let sent = record.direction == Direction::Sent;
    let (class, shape) = match record.kind {
        Kind::Event => ("event", "M-1-5h2v10h-2z"),
        Kind::Close(_) if sent => ("sent", "M-4-10h8v7h-8z"),
        Kind::Close(_) => ("came", "M-4 3h8v7h-8z"),
        Kind::Ping | Kind::Pong if sent => ("sent", "M0-9l4 3.5-4 3.5-4-3.5z"),
        Kind::Ping | Kind::Pong => ("came", "M0 2l4 3.5-4 3.5-4-3.5z"),
        _ if sent => ("sent", "M0-12l5.5 10h-11z"),
        _ => ("came", "M0 12l5.5-10h-11z"),
    };
    let link = format!("#{id}");
    let x = place(record.at, end);
    page.open("svg", &[("x", &x), ("y", AXIS), ("overflow", "visible")]);
    page.open(
        "a",
        &[("href", &link), ("tabindex", "-1"), ("class", class)],
    );
    if culprit {
        page.empty(
            "circle",
            &[
                ("class", "culprit"),
                ("r", "10"),
                ("cy", if sent { "-6" } else { "6" }),
            ],
        );
    }
    page.empty("path", &[("d", shape)]);
    let kind = record.kind.name();
    let at = time(record.at);
    let said = match (record.kind, sent) {
        (Kind::Event, _) => format!("{kind} at {at}"),
        (_, true) => format!("{kind} sent at {at}"),
        (_, false) => format!("{kind} came at {at}"),
    };
    page.element("title", &[], &said);
    page.close("a").close("svg");
}

/// The times under the axes.
fn ticks(page: &mut Markup, end: Duration) {
    page.element("span", &[("class", "lane")], "");
    page.open(
        "svg",
        &[
            ("class", "ticks"),
            ("height", "18"),
            ("aria-hidden", "true"),
        ],
    );
    let step = step(end);
    for number in 0..=MOST_PARTS {
        let at = step * number;
        if at > end {
            break;
        }
        let x = place(at, end);
        // The last one must not stand over the edge.
        let share = at.as_secs_f64() / end.as_secs_f64();
        let anchor = match share {
            0.0 => "start",
            _ if share > 0.9 => "end",
            _ => "middle",
        };
        page.empty("line", &[("x1", &x), ("x2", &x), ("y1", "0"), ("y2", "4")]);
        page.element(
            "text",
            &[("x", &x), ("y", "15"), ("text-anchor", anchor)],
            &time(at),
        );
    }
    page.close("svg").line();
}

/// 1, 2 or 5 of some power of ten, so that no more than [`MOST_PARTS`] of them reach the end.
fn step(end: Duration) -> Duration {
    let least = (end.as_nanos() / u128::from(MOST_PARTS)).max(1);
    let mut power: u128 = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * power >= least {
                return Duration::from_nanos(u64::try_from(factor * power).unwrap_or(u64::MAX));
            }
        }
        power *= 10;
    }
}

/// Where a time is, in percent of the width.
fn place(at: Duration, end: Duration) -> String {
    let share = (at.as_secs_f64() / end.as_secs_f64()).clamp(0.0, 1.0);
    format!("{:.2}%", share * 100.0)
}

/// A time as it is read most easily: `340 µs`, `12.5 ms`, `1.204 s`.
pub(super) fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        _ if time.is_zero() => "0".to_owned(),
        _ if micros < 999.5 => format!("{micros:.0} µs"),
        _ if micros < 99_950.0 => format!("{:.1} ms", micros / 1e3),
        _ if micros < 999_500.0 => format!("{:.0} ms", micros / 1e3),
        _ if micros < 60e6 => format!("{:.2} s", micros / 1e6),
        _ => {
            let seconds = time.as_secs();
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
    }
}
