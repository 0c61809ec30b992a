//! Broken talks, each with what is told of it: `tests/broken/NAME.talk` and `NAME.err`.
//!
//! A talk is looked over as `wiretalk check` does: it is read, its files are linked (from `tests/broken/files`), and it is
//! checked for a test, or for a mock if its first line is `# A mock.`. With `BLESS=1` in the environment the goldens are
//! written anew; look at what changed before it is kept.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wiretalk_talk::{Diagnostic, Role, Source, check, format, parse};

/// As many talks there are at the least.
const LEAST: usize = 60;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken")
}

/// What is told of a talk, plainly.
fn told(name: &str, text: &str) -> String {
    let parsed = parse(name, text);
    let mut talk = parsed.talk;
    let mut found = parsed.diagnostics;
    match format(name, text) {
        Ok(_) => assert!(!found.iter().any(Diagnostic::is_error), "{name}"),
        Err(told) => assert_eq!(told, found, "{name}"),
    }
    found.extend(talk.link(&mut |path| {
        fs::read_to_string(folder().join("files").join(path))
            .map(String::into_bytes)
            .map_err(|_| "there is no such file".to_owned())
    }));
    let role = match text.starts_with("# A mock.") {
        true => Role::Mock,
        false => Role::Test,
    };
    for finding in check(&talk, role, &[]) {
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found.sort_by_key(|finding| finding.span);
    let mut out = String::new();
    for finding in &found {
        render(&mut out, talk.source(), finding);
    }
    out
}

fn render(out: &mut String, source: &Source, finding: &Diagnostic) {
    let (line, column) = source.position(finding.span.start);
    let severity = match finding.is_error() {
        true => "error",
        false => "warning",
    };
    let Diagnostic { what, mend, .. } = finding;
    writeln!(out, "{line}:{column}: {severity}: {what}\n  mend: {mend}").expect("a string");
}

#[test]
fn each_broken_talk_is_told_what_is_wrong_and_how_to_mend_it() {
    let bless = std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let mut talks: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the folder of broken talks")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "talk"))
        .collect();
    talks.sort();
    assert!(talks.len() >= LEAST, "{} broken talks", talks.len());
    let mut wrong = Vec::new();
    for path in &talks {
        let name = path.file_name().expect("a name").to_string_lossy();
        let text = fs::read_to_string(path).expect("a talk");
        let found = told(&name, &text);
        assert!(!found.is_empty(), "{name} is not broken");
        let golden = path.with_extension("err");
        if bless {
            fs::write(&golden, &found).expect("the golden is written");
        }
        let expected = fs::read_to_string(&golden)
            .unwrap_or_else(|_| panic!("{name} has no golden: run with BLESS=1, and look at it"));
        if found != expected {
            wrong.push(std::format!("{name}\n{found}instead of\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A golden of a talk that is gone says nothing.
#[test]
fn each_golden_has_its_talk() {
    for entry in fs::read_dir(folder()).expect("the folder of broken talks") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "err") {
            assert!(path.with_extension("talk").exists(), "{}", path.display());
        }
    }
}
