//! A failure as a tester wants to read it: the line, what was expected, what came, and the messages around it.

use std::fmt::Write as _;

use wiretalk_talk::player::Incoming;
use wiretalk_talk::{Difference, Mismatch};

use super::explain::{Explanation, came_as, line_of};
use super::text::{count, seconds};
use crate::record::{Kind, Record, show};
use crate::runner::{Outcome, Summary, TestResult};

/// Characters of a payload that a report shows.
const MOST_SHOWN: usize = 300;
/// Messages that stand around a failure.
const MOST_MESSAGES: usize = 12;

/// Why a test failed, over several lines; empty for one that passed with every message consumed.
#[must_use]
pub fn failure(result: &TestResult) -> String {
    let mut text = String::new();
    match &result.outcome {
        Outcome::Passed { unconsumed } if unconsumed.is_empty() => {}
        Outcome::Skipped(_) => {}
        Outcome::Passed { unconsumed } => {
            let left = count(unconsumed.len(), "message", "messages");
            let _ = writeln!(text, "  {left} that no line took:");
            write_messages(&mut text, unconsumed);
        }
        Outcome::Failed(failure) => {
            let explanation = Explanation::of(result, failure, MOST_SHOWN);
            write_explanation(&mut text, &result.file, &explanation);
            let log = time_line(result, MOST_MESSAGES, MOST_SHOWN);
            if !log.is_empty() {
                text.push('\n');
                text.push_str(&log);
            }
        }
    }
    text
}

/// All that went over the connections of a test, a line each with its time.
#[must_use]
pub fn messages(result: &TestResult) -> String {
    time_line(result, usize::MAX, MOST_SHOWN)
}

/// How a run ended, in one line.
#[must_use]
pub fn summary(summary: &Summary) -> String {
    let mut text = format!("{} passed, {} failed", summary.passed, summary.failed);
    if summary.skipped > 0 {
        let _ = write!(text, ", {} skipped", summary.skipped);
    }
    let _ = write!(text, " in {}", seconds(summary.duration));
    if summary.flaky > 0 {
        let _ = write!(text, " ({} passed only when tried again)", summary.flaky);
    }
    text
}

/// A mismatch in one sentence.
#[must_use]
pub fn describe_mismatch(mismatch: &Mismatch) -> String {
    let shown = |text: &str| show(text.as_bytes(), false, MOST_SHOWN);
    match mismatch {
        Mismatch::Kind { expected, came } => format!("it expects {expected}, and {came} came"),
        Mismatch::Text(Difference {
            path,
            expected,
            came,
        }) if path.is_empty() => {
            format!(
                "it expects `{}`, and `{}` came",
                shown(expected),
                shown(came)
            )
        }
        Mismatch::Text(Difference {
            path,
            expected,
            came,
        }) => format!("{path}: expected {}, came {}", shown(expected), shown(came)),
        Mismatch::Json(differences) => differences
            .iter()
            .map(|difference| shown(&difference.to_string()))
            .collect::<Vec<_>>()
            .join("; "),
        Mismatch::NotJson(reason) => format!("what came is not JSON: {reason}"),
        Mismatch::Check { check, came } => format!("`{check}` does not hold: {}", shown(came)),
        Mismatch::Expression(reason) => reason.clone(),
    }
}

/// The last messages of a test with their times, a line each; of each payload, so many characters. The closes that end
/// every test are no news.
pub(super) fn time_line(result: &TestResult, most_messages: usize, most_shown: usize) -> String {
    let mut text = String::new();
    let shown: Vec<&Record> = result
        .log
        .iter()
        .filter(|record| {
            record.at <= result.duration || matches!(record.kind, Kind::Text | Kind::Binary)
        })
        .collect();
    if shown.is_empty() {
        return text;
    }
    let from = shown.len().saturating_sub(most_messages);
    let before = from + result.log.dropped();
    if before > 0 {
        let _ = writeln!(text, "    ({before} before)");
    }
    let mut finally = result.finally;
    for record in &shown[from..] {
        if finally.is_some_and(|begins| record.at >= begins) {
            finally = None;
            text.push_str("              finally\n");
        }
        let name = result.connection_name(record.connection);
        let name = name.map(|name| format!("{name} ")).unwrap_or_default();
        let _ = writeln!(
            text,
            "    {:>8}  {name}{}",
            seconds(record.at),
            line_of(record, most_shown)
        );
    }
    text
}

fn write_explanation(text: &mut String, file: &str, explanation: &Explanation<'_>) {
    let (line, column) = (explanation.line, explanation.column);
    let _ = writeln!(text, "  {file}:{line}:{column}");
    let width = line.to_string().len();
    for (number, shown) in &explanation.context {
        let mark = if *number == line { '>' } else { ' ' };
        let _ = writeln!(text, "  {mark} {number:>width$} | {shown}");
    }
    text.push('\n');
    write_pair(text, "expected", &explanation.expected);
    write_pair(text, "came", &explanation.came);
    if let Some(behind) = explanation.parting {
        let _ = writeln!(text, "  {:<9} {:behind$}^ here they part", "", "");
    }
    if !explanation.differences.is_empty() {
        text.push('\n');
    }
    for difference in &explanation.differences {
        let line = difference.to_string();
        let _ = writeln!(text, "  {}", show(line.as_bytes(), false, MOST_SHOWN));
    }
    if let Some(because) = &explanation.because {
        write_pair(text, "because", because);
    }
    for (label, note) in &explanation.notes {
        write_pair(text, label, note);
    }
    write_messages(text, explanation.unconsumed);
}

fn write_pair(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:<9} {value}");
}

fn write_messages(text: &mut String, unconsumed: &[(Option<String>, Incoming)]) {
    for (name, message) in unconsumed.iter().take(MOST_MESSAGES) {
        let name = name.as_ref().map(|name| format!("{name} "));
        let came = came_as(message, MOST_SHOWN);
        let _ = writeln!(text, "    {}{came}", name.unwrap_or_default());
    }
    if unconsumed.len() > MOST_MESSAGES {
        let _ = writeln!(text, "    and {} more", unconsumed.len() - MOST_MESSAGES);
    }
}
