//! Whatever bytes come, a report is what it should be, and has the same parts.

use proptest::prelude::*;
use roxmltree::{Document, ParsingOptions};
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

use super::results::{HOSTILE, everywhere};
use super::written;
use crate::record::{Direction, Kind};
use crate::runner::TestResult;

/// The elements of a document by name, one after the other.
fn elements(xml: &str) -> Vec<String> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document =
        Document::parse_with_options(xml, options).unwrap_or_else(|error| panic!("{error}\n{xml}"));
    let elements = document.descendants().filter(roxmltree::Node::is_element);
    elements
        .map(|node| node.tag_name().name().to_owned())
        .collect()
}

/// The page as XML: without what browsers read as text.
fn page(html: &str) -> String {
    let mut page = html.to_owned();
    for name in ["style", "script"] {
        let from = page.find(&format!("<{name}>")).expect("it is there") + name.len() + 2;
        let to = page.rfind(&format!("</{name}>")).expect("it is there");
        page.replace_range(from..to, "");
    }
    page
}

fn junit_is_sound(results: &[TestResult]) {
    let xml = written("junit", results);
    let names = elements(&xml);
    let count = |name: &str| names.iter().filter(|it| *it == name).count();
    assert_eq!(count("testcase"), 12);
    assert_eq!(count("failure"), 11);
    for name in &names {
        let known = [
            "testsuites",
            "testsuite",
            "properties",
            "property",
            "testcase",
            "failure",
            "system-out",
        ];
        assert!(known.contains(&name.as_str()), "<{name}>");
    }
    let document = Document::parse(&xml).expect("it was parsed before");
    for text in document.descendants().filter_map(|node| node.text()) {
        assert!(!text.contains("[[ATTACHMENT|"), "{text}");
    }
}

fn html_is_sound(results: &[TestResult]) {
    let html = written("html", results);
    let names = elements(&page(&html));
    let count = |name: &str| names.iter().filter(|it| *it == name).count();
    assert_eq!(count("script"), 1);
    assert_eq!(count("style"), 1);
    for name in ["img", "iframe", "object", "form", "textarea", "base"] {
        assert_eq!(count(name), 0, "<{name}>");
    }
    for c in html.chars() {
        let bidi = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200f}');
        let control = c.is_control() && !matches!(c, '\n' | '\t');
        assert!(!bidi && !control, "{c:?} is not escaped");
    }
}

fn tap_is_sound(results: &[TestResult]) {
    let tap = written("tap", results);
    let mut lines = tap.lines();
    assert_eq!(lines.next(), Some("TAP version 14"));
    let mut tests = 0;
    let mut ended = false;
    while let Some(line) = lines.next() {
        assert!(!ended, "{line:?} behind the plan");
        if line == "1..12" {
            ended = true;
            continue;
        }
        tests += 1;
        let ok = line.starts_with(&format!("ok {tests} - "));
        let not_ok = line.starts_with(&format!("not ok {tests} - "));
        assert!(ok || not_ok, "{line:?}");
        // A number sign that is not escaped begins a directive.
        let bare = line.replace("\\\\", "").replace("\\#", "");
        assert!(!bare.contains('#'), "{line:?}");
        assert_eq!(lines.next(), Some("  ---"));
        let mut yaml = String::new();
        loop {
            match lines.next().expect("the block ends") {
                "  ..." => break,
                line => {
                    assert!(line.is_empty() || line.starts_with("  "), "{line:?}");
                    yaml.push_str(line.strip_prefix("  ").unwrap_or_default());
                    yaml.push('\n');
                }
            }
        }
        let documents =
            Yaml::load_from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        assert_eq!(documents.len(), 1, "{yaml}");
        assert_eq!(documents[0].as_mapping_get("severity").is_some(), not_ok);
    }
    assert!(ended && tests == 12, "{tests} tests");
}

fn json_is_sound(results: &[TestResult], text: &str) {
    let report: Value = serde_json::from_str(&written("json", results)).expect("it is JSON");
    let tests = report["tests"].as_array().expect("it has tests");
    assert_eq!(tests.len(), 12);
    for test in tests {
        assert_eq!(test["title"], text);
        assert_eq!(test["messages"][1]["text"], text);
    }
}

fn all_are_sound(text: &str) {
    let results = everywhere(text);
    junit_is_sound(&results);
    html_is_sound(&results);
    tap_is_sound(&results);
    json_is_sound(&results, text);
}

#[test]
fn hostile_text_changes_nothing() {
    let elements_of = |text: &str| elements(&page(&written("html", &everywhere(text))));
    for text in HOSTILE {
        all_are_sound(text);
        // A text of several lines has several elements.
        if !text.contains('\n') {
            let harmless = "x".repeat(text.len());
            assert_eq!(elements_of(text), elements_of(&harmless), "{text:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_is_written_soundly(text in any::<String>()) {
        all_are_sound(&text);
    }

    #[test]
    fn any_bytes_are_written_soundly(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut results = everywhere("x");
        let kinds = [Kind::Text, Kind::Binary, Kind::Ping, Kind::Close(1000), Kind::Raw, Kind::Event];
        for result in &mut results {
            let records = kinds.map(|kind| (Direction::Received, kind, &bytes[..], 5));
            result.log = super::results::log(records);
        }
        junit_is_sound(&results);
        html_is_sound(&results);
        tap_is_sound(&results);
        let report: Value = serde_json::from_str(&written("json", &results)).expect("it is JSON");
        prop_assert!(report["tests"][0]["messages"][1]["base64"].is_string());
    }
}
