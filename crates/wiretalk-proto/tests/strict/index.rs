//! That nothing is missing: every case of the suite has its counterpart here.

use std::collections::BTreeSet;

use crate::cases;

/// The chapters of the suite in this folder, and how many cases each has.
const CHAPTERS: [(&str, u32); 57] = [
    ("1.1", 8),
    ("1.2", 8),
    ("2", 11),
    ("3", 7),
    ("4.1", 5),
    ("4.2", 5),
    ("5", 20),
    ("6.1", 3),
    ("6.2", 4),
    ("6.3", 2),
    ("6.4", 4),
    ("6.5", 5),
    ("6.6", 11),
    ("6.7", 4),
    ("6.8", 2),
    ("6.9", 4),
    ("6.10", 3),
    ("6.11", 5),
    ("6.12", 8),
    ("6.13", 5),
    ("6.14", 10),
    ("6.15", 1),
    ("6.16", 3),
    ("6.17", 5),
    ("6.18", 5),
    ("6.19", 5),
    ("6.20", 7),
    ("6.21", 8),
    ("6.22", 34),
    ("6.23", 7),
    ("7.1", 6),
    ("7.3", 6),
    ("7.5", 1),
    ("7.7", 13),
    ("7.9", 9),
    ("7.13", 2),
    ("9.1", 6),
    ("9.2", 6),
    ("9.3", 9),
    ("9.4", 9),
    ("9.5", 6),
    ("9.6", 6),
    ("9.7", 6),
    ("9.8", 6),
    ("10.1", 1),
    ("12.1", 18),
    ("12.2", 18),
    ("12.3", 18),
    ("12.4", 18),
    ("12.5", 18),
    ("13.1", 18),
    ("13.2", 18),
    ("13.3", 18),
    ("13.4", 18),
    ("13.5", 18),
    ("13.6", 18),
    ("13.7", 18),
];

#[test]
fn every_case_of_the_suite_has_its_counterpart() {
    let of_the_suite: BTreeSet<String> = CHAPTERS
        .into_iter()
        .flat_map(|(chapter, count)| (1..=count).map(move |number| format!("{chapter}.{number}")))
        .collect();
    let mut ours = BTreeSet::new();
    for case in (1..=10).flat_map(cases::chapter) {
        assert!(
            case.suite.is_empty() || ours.insert(case.suite.clone()),
            "{} twice",
            case.suite
        );
        assert!(!case.section.is_empty(), "{}", case.name);
    }
    let compressed = [cases::deflate::kinds(), cases::deflate::agreements()].concat();
    for exchange in compressed {
        assert!(
            ours.insert(exchange.suite.clone()),
            "{} twice",
            exchange.suite
        );
    }
    assert_eq!(of_the_suite, ours);
}

/// docs/conformance.md tells of every chapter, and the tests that it names exist.
#[test]
fn the_tests_that_the_docs_name_exist() {
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let docs = std::fs::read_to_string(format!("{crates}/../docs/conformance.md")).unwrap();
    let mut named = 0;
    for name in docs.split('`').filter(|text| text.contains(".rs::")) {
        let (file, test) = name.split_once("::").unwrap();
        let source = std::fs::read_to_string(format!("{crates}/wiretalk-{file}"));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            source.contains(&format!("fn {test}(")),
            "{name} is not there"
        );
        named += 1;
    }
    assert!(named > 90, "only {named} tests are named");

    // The suite's numbers stand in the third of four columns.
    let told: Vec<&str> = docs
        .lines()
        .filter_map(|line| {
            let columns: Vec<_> = line.trim_matches('|').split(" | ").collect();
            (columns.len() == 4).then(|| columns[2])
        })
        .flat_map(|column| column.split(',').map(str::trim))
        .collect();
    for (chapter, _) in CHAPTERS {
        let is_told = |told: &&str| {
            chapter
                .strip_prefix(*told)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let told = told.iter().filter(|told| !told.is_empty());
        assert!(
            told.into_iter().any(is_told),
            "nothing is said of {chapter}"
        );
    }
}
