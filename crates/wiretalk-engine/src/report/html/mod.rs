//! HTML: one file that needs nothing else, to be read with or without JavaScript.
//!
//! The page is bounded. A test shows so many messages, a message so many characters, and all tests together so many
//! bytes: what is beyond is said, those that failed come first, and the counts are always whole.

mod markup;
mod test;
mod time_line;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use self::markup::Markup;
use self::test::Kept;
use self::time_line::time;
use super::order::{Files, Group};
use super::text::count;
use super::{Format, Output, Report, Start};
use crate::runner::{Summary, TestResult};

/// `--html`
pub(super) const FORMAT: Format = Format {
    name: "html",
    help: "a page that shows each test's messages on a time line",
    begin: |output, start| {
        Box::new(Html {
            output,
            start,
            files: Files::default(),
            count: 0,
            passed: MOST_PASSED,
            failed: MOST_FAILED,
        })
    },
};

/// Bytes of what failed tests show, together.
const MOST_FAILED: usize = 24 * 1024 * 1024;
/// Bytes of what all the others show, together.
const MOST_PASSED: usize = 8 * 1024 * 1024;
/// Failed tests that are listed at the top.
const MOST_LISTED: usize = 25;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// The SHA-256 of [`STYLE`] and of [`SCRIPT`] in base64, by which the page lets them and nothing else run (Content
/// Security Policy level 3, section 2.3.1). A test says what they are when either was changed.
const STYLE_HASH: &str = "ZckJRMpqO2zHw6dmTUtaIcHYubxlfcOiA7F5U2V1uZo=";
const SCRIPT_HASH: &str = "EWlP/lHbPMGUAe4flNFuQ4VhqF4BBkgy8v++Fcn7KCY=";

struct Html {
    output: Output,
    start: Start,
    files: Files<Kept>,
    /// Tests so far.
    count: usize,
    /// Bytes that tests that passed may still take.
    passed: usize,
    /// Bytes that tests that failed may still take.
    failed: usize,
}

impl Report for Html {
    fn test(&mut self, result: &TestResult) -> io::Result<()> {
        self.count += 1;
        let room = if result.failed() {
            &mut self.failed
        } else {
            &mut self.passed
        };
        let kept = Kept::of(result, self.count, room);
        self.files.push(result, kept);
        Ok(())
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        let groups: Vec<Group<Kept>> = self.files.into_sorted().collect();
        let mut page = Markup::default();
        head(&mut page, summary);
        header(&mut page, summary, groups.len(), self.start);
        tools(&mut page, summary);
        page.open("main", &[("id", "tests"), ("tabindex", "-1")])
            .line();
        failures(&mut page, &groups, summary.failed);
        self.output.write_all(page.finish().as_bytes())?;
        for (index, group) in groups.iter().enumerate() {
            self.output.write_all(file(group, index + 1).as_bytes())?;
        }
        let mut page = Markup::default();
        page.element(
            "p",
            &[("id", "none"), ("class", "quiet"), ("hidden", "")],
            "No test matches.",
        );
        page.close("main").line();
        footer(&mut page, self.start);
        self.output.write_all(page.finish().as_bytes())?;
        self.output.commit()
    }
}

fn head(page: &mut Markup, summary: &Summary) {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'; img-src data:; \
         base-uri 'none'; form-action 'none'"
    );
    let title = format!(
        "{} failed, {} passed – Wiretalk",
        summary.failed, summary.passed
    );
    page.piece("<!DOCTYPE html>\n");
    page.open("html", &[("lang", "en")]).line();
    page.open("head", &[]).line();
    page.empty("meta", &[("charset", "utf-8")]).line();
    page.empty(
        "meta",
        &[
            ("http-equiv", "Content-Security-Policy"),
            ("content", &policy),
        ],
    )
    .line();
    page.empty(
        "meta",
        &[
            ("name", "viewport"),
            ("content", "width=device-width, initial-scale=1"),
        ],
    )
    .line();
    page.empty(
        "meta",
        &[("name", "color-scheme"), ("content", "light dark")],
    )
    .line();
    // Else a browser asks the server for one.
    page.empty("link", &[("rel", "icon"), ("href", "data:,")])
        .line();
    page.element("title", &[], &title).line();
    page.open("style", &[]).piece(STYLE).close("style").line();
    page.close("head").line();
    page.open("body", &[]).line();
    page.element(
        "a",
        &[("class", "skip"), ("href", "#tests")],
        "Skip to the tests",
    )
    .line();
}

/// What became of the run.
fn header(page: &mut Markup, summary: &Summary, files: usize, start: Start) {
    let total = summary.total();
    let (class, verdict) = match (summary.failed, summary.passed) {
        (0, 0) => ("nothing", "No test was run".to_owned()),
        (0, 1) => ("passed", "The test passed".to_owned()),
        (0, passed) if passed == total => ("passed", format!("All {passed} tests passed")),
        (0, passed) => (
            "passed",
            format!("{passed} of {total} tests passed, none failed"),
        ),
        (failed, _) if failed == total => (
            "failed",
            format!("{} failed, none passed", count(failed, "test", "tests")),
        ),
        (failed, _) => ("failed", format!("{failed} of {total} tests failed")),
    };
    page.open("header", &[("class", "top")]).line();
    page.element("p", &[("class", "brand")], "Wiretalk test report")
        .line();
    page.element("h1", &[("class", class)], &verdict).line();
    bar(page, summary);
    page.open("dl", &[("class", "facts")]).line();
    let mut fact = |name: &str, class: &str, value: &str| {
        page.open("div", &[("class", class)]);
        page.element("dt", &[], name).element("dd", &[], value);
        page.close("div").line();
    };
    fact("passed", "passed", &summary.passed.to_string());
    fact("failed", "failed", &summary.failed.to_string());
    if summary.skipped > 0 {
        fact("skipped", "skipped", &summary.skipped.to_string());
    }
    if summary.flaky > 0 {
        fact(
            "passed at a later attempt",
            "flaky",
            &summary.flaky.to_string(),
        );
    }
    fact(
        if files == 1 { "file" } else { "files" },
        "plain",
        &files.to_string(),
    );
    fact("took", "plain", &time(summary.duration));
    if let Ok(at) = jiff::Timestamp::try_from(start.at) {
        let (date, clock) = (at.strftime("%Y-%m-%d"), at.strftime("%H:%M:%S UTC"));
        fact("began", "plain", &format!("{date} {clock}"));
    }
    page.close("dl").line();
    page.close("header").line();
}

/// How many of all passed, failed and were skipped, as lengths.
fn bar(page: &mut Markup, summary: &Summary) {
    let total = summary.total();
    if total == 0 {
        return;
    }
    page.open(
        "svg",
        &[("class", "bar"), ("height", "6"), ("aria-hidden", "true")],
    );
    let mut from = 0.0;
    for (class, part) in [
        ("failed", summary.failed),
        ("passed", summary.passed),
        ("skipped", summary.skipped),
    ] {
        let width = part as f64 * 100.0 / total as f64;
        if part > 0 {
            page.empty(
                "rect",
                &[
                    ("class", class),
                    ("x", &format!("{from:.3}%")),
                    ("width", &format!("{width:.3}%")),
                    ("height", "6"),
                ],
            );
        }
        from += width;
    }
    page.close("svg").line();
}

/// What needs the script: it is hidden until that runs.
fn tools(page: &mut Markup, summary: &Summary) {
    page.open(
        "search",
        &[
            ("id", "tools"),
            ("hidden", ""),
            ("role", "search"),
            ("aria-label", "Tests"),
        ],
    )
    .line();
    page.open("label", &[("class", "find")]);
    page.element("span", &[("class", "sr")], "Search titles and payloads");
    page.empty(
        "input",
        &[
            ("type", "search"),
            ("id", "find"),
            ("placeholder", "Search titles and payloads"),
            ("autocomplete", "off"),
            ("spellcheck", "false"),
        ],
    );
    page.element("kbd", &[("aria-hidden", "true")], "/");
    page.close("label").line();
    page.open("fieldset", &[("class", "status")]);
    page.element("legend", &[("class", "sr")], "Status");
    for (value, name, number) in [
        ("", "All", summary.total()),
        ("failed", "Failed", summary.failed),
        ("passed", "Passed", summary.passed),
        ("skipped", "Skipped", summary.skipped),
    ] {
        if value == "skipped" && number == 0 {
            continue;
        }
        page.open("label", &[]);
        let mut input = vec![("type", "radio"), ("name", "status"), ("value", value)];
        if value.is_empty() {
            input.push(("checked", ""));
        }
        page.empty("input", &input);
        page.open("span", &[]).text(name).text(" ");
        page.element("b", &[], &number.to_string());
        page.close("span").close("label");
    }
    page.close("fieldset").line();
    page.element("button", &[("type", "button"), ("id", "theme")], "Theme")
        .line();
    page.element(
        "p",
        &[("id", "shown"), ("class", "quiet"), ("role", "status")],
        "",
    );
    page.open("p", &[("class", "keys quiet"), ("aria-hidden", "true")]);
    for (key, what) in [("/", "search"), ("j", "next test"), ("k", "test before")] {
        page.element("kbd", &[], key)
            .text(" ")
            .text(what)
            .text("\u{2003}");
    }
    page.close("p").line();
    page.close("search").line();
}

/// A list of what failed, where there is more to see than fits on a screen.
fn failures(page: &mut Markup, groups: &[Group<Kept>], failed: usize) {
    let total: usize = groups.iter().map(|group| group.tests().count()).sum();
    if failed == 0 || total < 3 {
        return;
    }
    page.open(
        "nav",
        &[("class", "failures"), ("aria-labelledby", "failures")],
    );
    page.element("h2", &[("id", "failures")], "Failed").line();
    page.open("ol", &[]).line();
    let tests = groups.iter().flat_map(Group::tests);
    for test in tests.filter(|test| test.failed()).take(MOST_LISTED) {
        page.open("li", &[]);
        page.open("a", &[("href", &format!("#{}", test.id))]);
        page.element("bdi", &[], &test.title).close("a");
        page.element("span", &[("class", "why")], &test.sentence);
        page.close("li").line();
    }
    page.close("ol").line();
    if failed > MOST_LISTED {
        page.element(
            "p",
            &[("class", "quiet")],
            &format!("and {} more, below", failed - MOST_LISTED),
        );
    }
    page.close("nav").line();
}

/// The tests of a file.
fn file(group: &Group<Kept>, index: usize) -> String {
    let mut page = Markup::default();
    let heading = format!("f{index}");
    page.open(
        "section",
        &[("class", "file"), ("aria-labelledby", &heading)],
    )
    .line();
    page.open("h2", &[("id", &heading)]);
    page.element("bdi", &[], &group.file);
    let counts = &group.summary;
    let mut told = count(counts.total(), "test", "tests");
    if counts.failed > 0 {
        told.push_str(&format!(", {} failed", counts.failed));
    }
    if counts.skipped > 0 {
        told.push_str(&format!(", {} skipped", counts.skipped));
    }
    page.text(" ");
    page.element("span", &[("class", "quiet")], &told);
    page.close("h2").line();
    for test in group.tests() {
        test.write(&mut page);
    }
    page.close("section").line();
    page.finish()
}

fn footer(page: &mut Markup, start: Start) {
    page.open("footer", &[("class", "quiet")]);
    page.element("p", &[], &format!("Wiretalk {}", start.version));
    page.close("footer").line();
    page.open("script", &[])
        .piece(SCRIPT)
        .close("script")
        .line();
    page.close("body").line();
    page.close("html").line();
}
