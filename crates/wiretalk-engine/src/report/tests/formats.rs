//! Each format, word for word.

use std::path::Path;

use serde_json::Value;

use super::results::{HOSTILE, everywhere, one_of_each, passed};
use super::{Shared, write_all, written};
use crate::report::{Output, github, summary};
use crate::runner::Summary;

/// Compares with a file of `goldens/`, or writes it.
fn golden(name: &str, came: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/report/goldens")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, came).expect("the golden is written");
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; BLESS=1 writes it", path.display()));
    assert_eq!(came, expected, "{name}; BLESS=1 accepts what came");
}

#[test]
fn junit() {
    golden("report.xml", &written("junit", &one_of_each()));
}

#[test]
fn tap() {
    golden("report.tap", &written("tap", &one_of_each()));
}

#[test]
fn json() {
    let report = written("json", &one_of_each());
    let value: Value = serde_json::from_str(&report).expect("it is JSON");
    let pretty = serde_json::to_string_pretty(&value).expect("it can be written");
    golden("report.json", &format!("{pretty}\n"));
}

#[test]
fn html() {
    let page = written("html", &one_of_each());
    let start = page.find("<body>").expect("it has a body");
    let end = page.find("<script>").expect("it has a script");
    // What is above and below is the style and the script.
    golden("report.html", &page[start..end]);
}

#[test]
fn reports_without_a_test_are_whole() {
    let xml = written("junit", &[]);
    assert!(roxmltree::Document::parse(&xml).is_ok(), "{xml}");
    assert_eq!(written("tap", &[]), "TAP version 14\n1..0\n");
    let json: Value = serde_json::from_str(&written("json", &[])).expect("it is JSON");
    assert_eq!(json["tests"], Value::Array(Vec::new()));
    assert!(written("html", &[]).contains("No test was run"));
}

#[test]
fn tests_stand_in_the_order_of_files_and_lines() {
    let places = [("b", 9), ("a", 30), ("b", 2), ("a", 4)];
    let results: Vec<_> = places
        .into_iter()
        .map(|(file, line)| {
            let mut result = passed(&format!("of {file}, {line}"));
            result.file = file.to_owned();
            result.line = line;
            result
        })
        .collect();
    for format in ["junit", "html"] {
        let report = written(format, &results);
        let at = |title: &str| report.find(title).expect("the title is there");
        let all = ["of a, 4", "of a, 30", "of b, 2", "of b, 9"].map(at);
        assert!(all.is_sorted(), "{format}: {all:?}");
    }
}

#[test]
fn the_last_line_counts_what_is_there() {
    let counts = |skipped, flaky| Summary {
        passed: 3,
        failed: 1,
        skipped,
        flaky,
        duration: std::time::Duration::from_millis(1500),
    };
    for (counts, line) in [
        (counts(0, 0), "3 passed, 1 failed in 1.500s"),
        (counts(2, 0), "3 passed, 1 failed, 2 skipped in 1.500s"),
        (
            counts(0, 2),
            "3 passed, 1 failed in 1.500s (2 passed only when tried again)",
        ),
    ] {
        assert_eq!(summary(&counts), line);
    }
}

/// What GitHub is told about results: the commands without the token, and the summary.
fn github(results: &[crate::runner::TestResult], before: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("summary.md");
    std::fs::write(&path, before).expect("it is written");
    let shared = Shared::default();
    let place = github::Place {
        summary: Some(path.clone()),
        workspace: None,
        current: folder.path().to_owned(),
    };
    let report = github::begin(Output::stream(shared.clone()), place).expect("it begins");
    write_all(report, results);
    let commands = shared.text();
    let token = commands
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("::stop-commands::"))
        .expect("commands are stopped at first");
    assert!(token.len() >= 32, "nobody guesses it: {token}");
    let commands = commands.replace(token, "TOKEN");
    let summary = std::fs::read_to_string(&path).expect("it is there");
    (commands, summary)
}

#[test]
fn github_actions() {
    let (commands, summary) = github(&one_of_each(), "# Before\n");
    golden("github.txt", &commands);
    golden("github.md", &summary);
}

#[test]
fn github_hears_again_when_a_run_breaks_off() {
    let shared = Shared::default();
    let place = github::Place::default();
    drop(github::begin(Output::stream(shared.clone()), place).expect("it begins"));
    let text = shared.text();
    let (stop, again) = text.trim_end().split_once('\n').expect("two lines");
    let token = stop.strip_prefix("::stop-commands::").expect("a token");
    assert_eq!(again, format!("::{token}::"));
}

#[test]
fn what_github_reads_holds_nothing_of_others() {
    for text in HOSTILE {
        let (commands, summary) = github(&everywhere(text), "");
        for line in commands.lines() {
            let ours = ["::stop-commands::TOKEN", "::TOKEN::"].contains(&line);
            assert!(ours || line.starts_with("::error file="), "{line:?}");
        }
        assert_eq!(commands.lines().count(), 12, "{commands}");
        // HTML of others would be an element; ours are these.
        for tag in summary.split('<').skip(1) {
            let name = tag.split(['>', ' ']).next().unwrap_or_default();
            let name = name.trim_start_matches('/');
            assert!(["details", "summary", "b", "pre"].contains(&name), "<{tag}");
        }
    }
}

#[test]
fn a_step_summary_fits_into_what_github_takes() {
    const MOST: usize = 1024 * 1024;
    let long = "x".repeat(4000);
    let mut results: Vec<_> = (0..40).flat_map(|_| everywhere(&long)).collect();
    for (index, result) in results.iter_mut().enumerate() {
        result.file = format!("{index}-{}", "f".repeat(3000));
    }
    for before in ["", &"y".repeat(900_000), &"z".repeat(MOST)] {
        let (_, summary) = github(&results, before);
        assert!(summary.len() <= MOST, "{} bytes", summary.len());
        if before.is_empty() {
            assert!(summary.contains("more failures are left out"));
            assert!(summary.contains("more files are left out"));
        }
    }
}

#[test]
fn an_annotation_names_the_file_as_the_repository_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("suite");
    std::fs::create_dir(&inner).expect("it is made");
    std::fs::write(inner.join("chat.talk"), "").expect("it is written");
    let shared = Shared::default();
    let place = github::Place {
        summary: None,
        workspace: Some(folder.path().to_owned()),
        current: inner,
    };
    let report = github::begin(Output::stream(shared.clone()), place).expect("it begins");
    write_all(report, &one_of_each());
    assert!(
        shared
            .text()
            .contains("::error file=suite/chat.talk,line=7,"),
        "{}",
        shared.text()
    );
}
