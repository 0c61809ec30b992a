//! TAP, the Test Anything Protocol, version 14, with diagnostics in YAML.
//!
//! A test is written as soon as it has ended, so that a pipe has it at once; the plan stands at the end.

use std::io::{self, Write};

use wiretalk_talk::JsonDifference;

use super::explain::Explanation;
use super::human::failure;
use super::text::{in_one_line, visible};
use super::{Format, Output, Report};
use crate::runner::{Outcome, Summary, TestResult};

/// `--tap`
pub(super) const FORMAT: Format = Format {
    name: "tap",
    help: "TAP version 14, with YAML diagnostics",
    begin: |output, _| Box::new(Tap { output, count: 0 }),
};

/// Characters of each payload.
const MOST_SHOWN: usize = 1000;

struct Tap {
    output: Output,
    /// Tests so far.
    count: usize,
}

impl Tap {
    fn begin(&mut self) -> io::Result<()> {
        writeln!(self.output, "TAP version 14")
    }
}

impl Report for Tap {
    fn test(&mut self, result: &TestResult) -> io::Result<()> {
        if self.count == 0 {
            self.begin()?;
        }
        self.count += 1;
        let ok = if result.failed() { "not ok" } else { "ok" };
        let title = description(&result.title);
        let place = description(&format!("{}:{}", result.file, result.line));
        write!(self.output, "{ok} {} - {title} ({place})", self.count)?;
        if let Outcome::Skipped(why) = result.outcome {
            writeln!(self.output, " # SKIP {}", why.reason())?;
        } else {
            writeln!(self.output)?;
            self.output.write_all(diagnostics(result).as_bytes())?;
        }
        self.output.flush()
    }

    fn finish(mut self: Box<Self>, _: &Summary) -> io::Result<()> {
        if self.count == 0 {
            self.begin()?;
        }
        writeln!(self.output, "1..{}", self.count)?;
        self.output.commit()
    }
}

/// A description: in it, `#` would begin a directive.
fn description(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('#', "\\#");
    in_one_line(&text).into_owned()
}

/// What is known of a test, as the YAML block behind its line.
fn diagnostics(result: &TestResult) -> String {
    let mut yaml = Yaml::default();
    let milliseconds = format!("{:.3}", result.duration.as_secs_f64() * 1000.0);
    yaml.plain("duration_ms", &milliseconds);
    if !result.tags.is_empty() {
        let tags: Vec<String> = result.tags.iter().map(|tag| quoted(tag)).collect();
        yaml.plain("tags", &format!("[{}]", tags.join(", ")));
    }
    if result.attempts > 1 {
        yaml.plain("attempts", &result.attempts.to_string());
    }
    if let Some(row) = result.row {
        yaml.plain("row", &row.to_string());
    }
    if result.repetition > 1 {
        yaml.plain("repetition", &result.repetition.to_string());
    }
    if let Some(seed) = result.seed {
        yaml.plain("seed", &seed.to_string());
    }
    let text = failure(result);
    if let Outcome::Failed(why) = &result.outcome {
        let explanation = Explanation::of(result, why, MOST_SHOWN);
        yaml.plain("severity", "fail");
        yaml.text("kind", explanation.kind);
        yaml.text("message", &explanation.sentence());
        yaml.plain("at", "");
        yaml.text("  file", &result.file);
        yaml.plain("  line", &explanation.line.to_string());
        yaml.plain("  column", &explanation.column.to_string());
        yaml.text("expected", &explanation.expected);
        yaml.text("actual", &explanation.came);
        yaml.differences(&explanation.differences);
    }
    yaml.block("text", &text);
    yaml.finish()
}

/// A mapping in YAML. Whatever is not ours is quoted as in JSON, which every reader of YAML 1.2 takes.
#[derive(Default)]
struct Yaml(String);

impl Yaml {
    /// A value that is written as it is.
    fn plain(&mut self, name: &str, value: &str) {
        let space = if value.is_empty() { "" } else { " " };
        self.0.push_str(&format!("  {name}:{space}{value}\n"));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.plain(name, &quoted(value));
    }

    /// A text over several lines, as it is.
    fn block(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        // The text may begin with spaces itself, so its indentation is told.
        self.0.push_str(&format!("  {name}: |2\n"));
        for line in visible(value).lines() {
            if !line.is_empty() {
                self.0.push_str("    ");
                self.0.push_str(line);
            }
            self.0.push('\n');
        }
    }

    fn differences(&mut self, differences: &[JsonDifference]) {
        if differences.is_empty() {
            return;
        }
        self.plain("differences", "");
        for difference in differences {
            self.text("  - path", &difference.path);
            let values = [
                ("    expected", &difference.expected),
                ("    actual", &difference.came),
            ];
            for (name, value) in values {
                if let Some(value) = value {
                    self.text(name, value);
                }
            }
        }
    }

    fn finish(self) -> String {
        format!("  ---\n{}  ...\n", self.0)
    }
}

/// A text in double quotes, in one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in in_one_line(text).chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}
