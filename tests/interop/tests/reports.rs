//! The reports of `wiretalk test`, as files that others read: by their schemas, in Chromium, and where they go.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wiretalk_interop::{Finished, Program, Server, repository};

const TALK: &str = "tests/interop/talks/reported.talk";
const TITLES: [&str; 4] = [
    "seen 1: </script><img src=x onerror=alert(1)>",
    "seen 2: what came is JSON, and differs",
    "a long message",
    "nothing comes",
];

/// Runs the talk against an echo, with these further arguments, and with these variables of the environment.
fn test(arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
    let server = Server::echo(&[]);
    let url = format!("url={}", server.url());
    let program = Program::wiretalk()
        .args(["test", TALK, "--jobs", "1", "--set", &url])
        .args(arguments);
    environment
        .iter()
        .fold(program, |program, (name, value)| program.env(name, value))
        .finish("")
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn reports_are_what_their_schemas_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let [xml, json, tap, html] =
        ["r.xml", "r.json", "r.tap", "r.html"].map(|name| path(folder.path(), name));
    let arguments = [
        "--junit", &xml, "--json", &json, "--tap", &tap, "--html", &html, "--retry", "1",
    ];
    let _ = test(&arguments, &[]).with_code(1);
    let schemas = ["tests/interop/schemas/junit.xsd", "docs/report.schema.json"];
    let checked = Program::peer("report_check.py")
        .args([schemas[0], &xml, schemas[1], &json])
        .finish("")
        .with_code(0);
    assert_eq!(checked.out(), format!("valid {xml}\nvalid {json}\n"));

    let report: Value =
        serde_json::from_slice(&fs::read(&json).expect("it is there")).expect("JSON");
    let titles: Vec<&str> = report["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|test| test["title"].as_str())
        .collect();
    assert_eq!(titles, TITLES);
    let differs = &report["tests"][1];
    assert_eq!(differs["attempts"], 2);
    assert_eq!(differs["tags"], json!(["smoke"]));
    assert_eq!(differs["failure"]["line"], 14);
    assert_eq!(differs["failure"]["differences"][0]["path"], "$.op");
    let tap = fs::read_to_string(&tap).expect("it is there");
    assert!(tap.starts_with("TAP version 14\nok 1 - seen 1"), "{tap}");
    assert!(tap.ends_with("\n1..4\n"), "{tap}");
    let xml = fs::read_to_string(&xml).expect("it is there");
    assert!(xml.contains("<rerunFailure "), "{xml}");
    let left = fs::read_dir(folder.path())
        .expect("it can be listed")
        .count();
    assert_eq!(left, 4, "no other file stays");
}

#[test]
fn the_page_in_a_browser() {
    let folder = tempfile::tempdir().expect("a folder");
    let html = path(folder.path(), "report.html");
    let _ = test(&["--html", &html], &[]).with_code(1);
    let looked = Program::peer("report_page.py")
        .arg(&html)
        .finish("")
        .with_code(0);
    let seen: Value = serde_json::from_slice(&looked.stdout).expect("it prints JSON");
    let [first, second, third, last] = TITLES;
    for width in ["360", "800", "1440", "1920"] {
        assert_eq!(seen["wide"][width], json!([false, []]), "at {width} px");
    }
    assert_eq!(seen["requests"], json!([]));
    assert_eq!(seen["console"], json!([]));
    assert_ne!(seen["light"], seen["dark"]);
    assert_eq!(seen["light by the button"], seen["light"]);
    assert_eq!(seen["opened"], json!([second, last]));
    for all in ["tests", "search ended", "without script"] {
        assert_eq!(seen[all], json!(TITLES), "{all}");
    }
    assert_eq!(seen["tools without script"], json!(false));
    let focus = [first, second, third, second, first, first, first, "find"];
    assert_eq!(seen["focus"], json!(focus));
    assert_eq!(seen["searched"], json!([second]));
    assert_eq!(seen["told"], json!("1 of 4 shown"));
    assert_eq!(seen["focus found"], json!(second));
    assert_eq!(seen["focus is seen"], json!("solid"));
    assert_eq!(seen["failed"], json!([second, last]));
    assert_eq!(seen["a link opens"], json!(true));
}

#[test]
fn a_report_on_standard_output_is_alone_there() {
    let finished = test(&["--json", "-"], &[]).with_code(1);
    let report: Value = serde_json::from_slice(&finished.stdout).expect("nothing else is there");
    assert_eq!(report["summary"]["tests"], 4);
    let finished = finished.saying(&["FAIL", "2 passed, 2 failed"]);
    assert!(!finished.err().contains("wiretalk-test-report"));
}

/// That a run ended before its first test, for this reason.
fn ends_at_once(finished: Finished, reasons: &[&str]) {
    let finished = finished.with_code(2).saying(reasons);
    assert!(!finished.out().contains("FAIL"), "{}", finished.out());
    assert!(!finished.err().contains("FAIL"), "{}", finished.err());
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_tests() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = path(folder.path(), "missing/report.xml");
    let reasons = ["--junit", &missing, "there is no such folder"];
    ends_at_once(test(&["--junit", &missing], &[]), &reasons);
    let itself = path(folder.path(), "");
    ends_at_once(test(&["--html", &itself], &[]), &["it is a folder"]);
    let twice = ["--json", "-", "--tap", "-"];
    ends_at_once(test(&twice, &[]), &["`--json` and `--tap` both write"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_no_success() {
    // All of the tests that it takes pass: the report alone is why.
    let arguments = ["--filter", "long", "--json", "/dev/full"];
    let finished = test(&arguments, &[]).with_code(2);
    let _ = finished.saying(&["`--json /dev/full` cannot be written"]);
}

#[test]
fn github_actions_are_told_by_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = path(folder.path(), "summary.md");
    let workspace = repository().display().to_string();
    let environment = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_STEP_SUMMARY", &summary),
        ("GITHUB_WORKSPACE", &workspace),
    ];
    let finished = test(&[], &environment).with_code(1);
    let out = finished.out();
    let lines: Vec<&str> = out.lines().collect();
    let token = lines[0]
        .strip_prefix("::stop-commands::")
        .expect("commands are stopped before a test prints");
    let again = lines
        .iter()
        .position(|line| *line == format!("::{token}::"))
        .expect("and heard again");
    let errors = &lines[again + 1..];
    assert_eq!(errors.len(), 2, "{errors:?}");
    let start = format!("::error file={TALK},line=14,col=1,title=seen 2%3A");
    assert!(errors[0].starts_with(&start), "{}", errors[0]);
    let summary = fs::read_to_string(&summary).expect("it is written");
    assert!(summary.contains("2 passed, 2 failed"), "{summary}");
    assert!(!summary.contains("<img"), "{summary}");
}
