//! GitHub Actions: an annotation for each test that failed, and a summary of the step.
//!
//! Annotations are workflow commands: lines on standard output that the runner reads. As anything that a test prints
//! could be taken for one, the runner is told to look away while tests run.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::explain::Explanation;
use super::human::{self, failure};
use super::order::Files;
use super::text::{in_one_line, seconds, visible};
use super::{Output, Report};
use crate::runner::{Outcome, Summary, TestResult};

/// Annotations that are written: of one step, GitHub shows no more.
const MOST_ANNOTATIONS: usize = 10;
/// Characters of a failure's text in an annotation.
const MOST_ANNOTATED: usize = 3000;
/// Characters of each payload in the first line of an annotation.
const MOST_SHOWN: usize = 300;
/// Bytes that GitHub takes of a step's summary: 1 MiB. What is longer is not shown at all.
const MOST_BYTES: usize = 1024 * 1024;
/// Bytes kept for saying that something was left out.
const RESERVE: usize = 512;

/// What is known of the place that the run is in.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// `GITHUB_STEP_SUMMARY`: the file that a summary is appended to.
    pub summary: Option<PathBuf>,
    /// `GITHUB_WORKSPACE`: the folder that an annotation's file is relative to.
    pub workspace: Option<PathBuf>,
    /// The current folder, which the talks' files are relative to.
    pub current: PathBuf,
}

/// Begins a report; `output` is what the runner reads: standard output, or standard error.
///
/// # Errors
/// What the system says of the summary's file, or of the output.
pub fn begin(mut output: Output, place: Place) -> io::Result<Box<dyn Report>> {
    let summary = match &place.summary {
        Some(path) => Some(File::options().append(true).create(true).open(path)?),
        None => None,
    };
    let token = Uuid::new_v4().simple().to_string();
    writeln!(output, "::stop-commands::{token}")?;
    output.flush()?;
    Ok(Box::new(GitHub {
        output,
        token: Some(token),
        place,
        summary,
        annotations: Vec::new(),
        failed: Files::default(),
        files: Files::default(),
        kept: 0,
    }))
}

struct GitHub {
    output: Output,
    /// What makes the runner listen again, until that was said.
    token: Option<String>,
    place: Place,
    summary: Option<File>,
    annotations: Vec<String>,
    /// What the summary says of each test that failed, if there may be room for it.
    failed: Files<Option<String>>,
    /// Every test, to be counted by file.
    files: Files<()>,
    /// Bytes in `failed`.
    kept: usize,
}

impl Report for GitHub {
    fn test(&mut self, result: &TestResult) -> io::Result<()> {
        self.files.push(result, ());
        let Outcome::Failed(why) = &result.outcome else {
            return Ok(());
        };
        let explanation = Explanation::of(result, why, MOST_SHOWN);
        if self.annotations.len() < MOST_ANNOTATIONS {
            self.annotations
                .push(annotation(result, &explanation, &self.place));
        }
        let details = details(result);
        let room = self.kept + details.len() <= MOST_BYTES;
        if room {
            self.kept += details.len();
        }
        self.failed.push(result, room.then_some(details));
        Ok(())
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        self.listen()?;
        for annotation in std::mem::take(&mut self.annotations) {
            writeln!(self.output, "{annotation}")?;
        }
        self.output.flush()?;
        if let Some(mut file) = self.summary.take() {
            // Steps before may have written something: what is over the limit in sum is not shown.
            let there = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
            let room = MOST_BYTES.saturating_sub(there);
            let files = std::mem::take(&mut self.files);
            let failed = std::mem::take(&mut self.failed);
            file.write_all(markdown(summary, files, failed, room).as_bytes())?;
        }
        Ok(())
    }
}

impl GitHub {
    fn listen(&mut self) -> io::Result<()> {
        match self.token.take() {
            Some(token) => writeln!(self.output, "::{token}::"),
            None => Ok(()),
        }
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        // A run that breaks off must not leave the runner deaf. There is nobody to tell that this failed.
        let _ = self.listen();
        let _ = self.output.flush();
    }
}

fn annotation(result: &TestResult, explanation: &Explanation<'_>, place: &Place) -> String {
    let text = format!("{}\n\n{}", explanation.sentence(), failure(result));
    let text = visible(&text);
    let (text, cut) = super::text::cut(text.trim_end(), MOST_ANNOTATED);
    let more = if cut > 0 { "…" } else { "" };
    format!(
        "::error file={},line={},col={},title={}::{}{more}",
        property(&place.file(&result.file)),
        explanation.line,
        explanation.column,
        property(&in_one_line(&result.title)),
        data(text),
    )
}

impl Place {
    /// A talk's file as GitHub knows it, relative to the repository.
    fn file(&self, file: &str) -> String {
        let Some(workspace) = &self.workspace else {
            return file.to_owned();
        };
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let whole = real(&self.current.join(file));
        match whole.strip_prefix(real(workspace)) {
            Ok(inside) => inside.display().to_string(),
            Err(_) => file.to_owned(),
        }
    }
}

/// What a workflow command says.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The summary, of `room` bytes at the most.
fn markdown(
    summary: &Summary,
    files: Files<()>,
    failed: Files<Option<String>>,
    room: usize,
) -> String {
    let mut text = String::new();
    let verdict = if summary.failed > 0 {
        "failed"
    } else {
        "passed"
    };
    let _ = writeln!(text, "### Wiretalk: tests {verdict}\n");
    let _ = writeln!(text, "{}\n", prose(&human::summary(summary)));
    if text.len() + RESERVE > room {
        return String::new();
    }
    let mut left_out = 0;
    text.push_str(
        "| file | passed | failed | skipped | time |\n| --- | ---: | ---: | ---: | ---: |\n",
    );
    for group in files.into_sorted() {
        let counts = group.summary;
        let failed = match counts.failed {
            0 => "0".to_owned(),
            some => format!("**{some}**"),
        };
        let row = format!(
            "| {} | {} | {failed} | {} | {} |\n",
            prose(&group.file),
            counts.passed,
            counts.skipped,
            seconds(counts.duration),
        );
        // Half of the room is for what failed.
        if text.len() + row.len() + RESERVE <= room / 2 {
            text.push_str(&row);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "\n{left_out} more files are left out.");
    }
    text.push('\n');
    left_out = 0;
    for group in failed.into_sorted() {
        for details in group.tests() {
            match details {
                Some(details) if text.len() + details.len() + RESERVE <= room => {
                    text.push_str(details);
                }
                _ => left_out += 1,
            }
        }
    }
    if left_out > 0 {
        let _ = writeln!(
            text,
            "{left_out} more failures are left out: there is no more room."
        );
    }
    text
}

/// What the summary says of a test that failed.
fn details(result: &TestResult) -> String {
    format!(
        "<details><summary><b>{}</b> ({}:{})</summary>\n\n<pre>\n{}</pre>\n\n</details>\n\n",
        html(&in_one_line(&result.title)),
        html(&in_one_line(&result.file)),
        result.line,
        html(&visible(&failure(result))),
    )
}

/// Text in HTML that stands in Markdown.
fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Text in Markdown: what could be a mark of it, or of HTML, is written as a character reference, which is none.
fn prose(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in in_one_line(text).chars() {
        if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '/' | '-') {
            let _ = write!(escaped, "&#{};", c as u32);
        } else {
            escaped.push(c);
        }
    }
    escaped
}
