//! Tables for a terminal, and the same for a document.

use std::fmt::Write;

use measure::{Load, Report};

use crate::{
    measurement::{Outcome, Plan, Sample},
    tables::{Row, Table},
    targets::{Verdict, best_rust, outcome},
};

/// Above this share of a CPU a program is said to be saturated.
const SATURATED: f64 = 0.95;
/// Above this share of a CPU that others had, a measurement is said to be disturbed.
const DISTURBED: f64 = 0.1;

/// What stands above all tables of a document.
pub(crate) fn preamble() -> String {
    "# Results\n\nWritten by the runner; what each column means is in [README.md](README.md). Only ratios mean anything: \
     absolute figures drift with the machine.\n\n"
        .to_owned()
}

/// A row of the results for a terminal.
pub(crate) fn text(row: &Row, plan: &Plan, outcomes: &[Outcome], verdicts: &[Verdict]) -> String {
    let lines = lines(row, outcomes);
    let mut widths = Vec::new();
    for line in &lines {
        for (column, cell) in line.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = format!("{} {}: {}\n", row.table.name(), row.name, title(row, plan));
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let line: Vec<_> = cells.collect();
        let _ = writeln!(text, "  {}", line.join("  ").trim_end());
    }
    for note in failures(outcomes).chain(disturbance(outcomes)) {
        let _ = writeln!(text, "  {note}");
    }
    for verdict in verdicts {
        let _ = writeln!(text, "  {}", judgement(verdict));
    }
    text
}

/// The same as Markdown.
pub(crate) fn markdown(
    row: &Row,
    plan: &Plan,
    outcomes: &[Outcome],
    verdicts: &[Verdict],
) -> String {
    let mut text = format!(
        "## {} {}\n\n{}.\n\n",
        row.table.name(),
        row.name,
        title(row, plan)
    );
    for (number, line) in lines(row, outcomes).iter().enumerate() {
        let _ = writeln!(text, "| {} |", line.join(" | "));
        if number == 0 {
            let rule = line.iter().enumerate().map(|(column, _)| match column {
                0 => "---",
                _ => "---:",
            });
            let rule: Vec<_> = rule.collect();
            let _ = writeln!(text, "| {} |", rule.join(" | "));
        }
    }
    text.push('\n');
    for note in failures(outcomes).chain(disturbance(outcomes)) {
        let _ = writeln!(text, "- {note}");
    }
    for verdict in verdicts {
        let _ = writeln!(text, "- {}", judgement(verdict));
    }
    text.push('\n');
    text
}

fn title(row: &Row, plan: &Plan) -> String {
    if row.table == Table::Memory {
        return row.title();
    }
    format!(
        "{}; {} rounds of {} s, medians",
        row.title(),
        plan.rounds,
        plan.seconds
    )
}

fn lines(row: &Row, outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let floor = outcome(outcomes, "raw-tokio");
    let uws = outcome(outcomes, "uws");
    let best = best_rust(outcomes);
    let mut head = vec!["server", row.table.unit()];
    let traffic = row.table != Table::Memory;
    if traffic {
        head.push("user");
        head.push("× raw tokio");
    }
    head.extend(["× best Rust", "× uws"]);
    if traffic {
        head.extend([
            "rate/s",
            "p50 µs",
            "p99 µs",
            "p99/p50",
            "saturated",
            "disturbed",
        ]);
    }
    if row.table == Table::Deflate {
        head.push("reply B");
    }
    let mut lines = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for outcome in outcomes {
        let cost = |sample: &Sample| Some(sample.cost);
        let Some(median) = outcome.median(cost) else {
            continue;
        };
        let ratio =
            |other: Option<&Outcome>| match other.and_then(|other| outcome.ratio(other, cost)) {
                Some(ratio) => format!("{ratio:.2}"),
                None => "–".to_owned(),
            };
        let from = |value: &dyn Fn(&Report) -> f64| {
            let value = outcome.median(|sample| sample.report.as_ref().map(value));
            value.unwrap_or_default()
        };
        let mut line = vec![outcome.peer.title.to_owned(), number(median)];
        if traffic {
            line.push(number(from(&|report| report.window.server_user_micros())));
            line.push(ratio(floor));
        }
        line.extend([ratio(best), ratio(uws)]);
        if traffic {
            line.push(format!("{:.0}", from(&|report| report.window.rate())));
            line.push(format!("{:.0}", from(&|report| report.latency.p50)));
            line.push(format!("{:.0}", from(&|report| report.latency.p99)));
            let spread = from(&|report| report.latency.p99 / report.latency.p50);
            line.push(format!("{spread:.1}"));
            let server = from(&|report| wanted(report.window.server_load()));
            let client = from(&|report| wanted(report.window.client_load()));
            line.push(saturated(server, client));
            line.push(match from(&others) {
                others if others > DISTURBED => format!("{:.0}%", others * 100.0),
                _ => String::new(),
            });
        }
        if row.table == Table::Deflate {
            line.push(format!("{:.0}", from(&|report| report.reply_bytes)));
        }
        lines.push(line);
    }
    lines
}

fn failures(outcomes: &[Outcome]) -> impl Iterator<Item = String> {
    outcomes.iter().filter_map(|outcome| {
        let failure = outcome.samples.as_ref().err()?;
        Some(format!("{} FAILED: {failure}", outcome.peer.id))
    })
}

/// Says that other programs were in the way, if they were.
fn disturbance(outcomes: &[Outcome]) -> Option<String> {
    let most = outcomes
        .iter()
        .filter_map(|outcome| outcome.median(|sample| sample.report.as_ref().map(others)))
        .max_by(f64::total_cmp)?;
    (most > DISTURBED).then(|| {
        format!(
            "DISTURBED: other programs had up to {:.0}% of a CPU, so latencies say nothing about the servers, and costs are \
             less certain",
            most * 100.0
        )
    })
}

/// The share of a CPU that other programs had while one of ours could have run.
fn others(report: &Report) -> f64 {
    let window = &report.window;
    window.server_load().waited.max(window.client_load().waited)
}

fn judgement(verdict: &Verdict) -> String {
    let Verdict { target, limit, .. } = verdict;
    match &verdict.result {
        Err(why) => format!("unknown  {target}: {why}"),
        Ok(value) => {
            let share = (value / limit - 1.0) * 100.0;
            if value <= limit {
                format!("met      {target}: {value:.2}, by {:.0}%", -share)
            } else {
                format!("NOT MET  {target}: {value:.2}, missed by {share:.1}%")
            }
        }
    }
}

/// The share of a CPU that a program would have had to itself.
fn wanted(load: Load) -> f64 {
    load.ran + load.waited
}

fn saturated(server: f64, client: f64) -> String {
    let share = |load: f64| (load * 100.0).round();
    match (server >= SATURATED, client >= SATURATED) {
        (true, true) => "both".to_owned(),
        (true, false) => "server".to_owned(),
        (false, true) => "load".to_owned(),
        (false, false) => format!("{}%/{}%", share(server), share(client)),
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.3}"),
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
