//! `wiretalk fmt`: what it lays out, and what it leaves alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use wiretalk_interop::{Finished, Program};

/// Payloads with all that a careless tool would spoil; the layout around them is as bad.
const MESSY: &str = "\
# A comment   stays

connect    bob     ws://127.0.0.1:4000


bob >   two spaces before, two behind\x20\x20
bob >{}
bob   <   {\"a\":  [1,2 ],   ...}\x20
\t? $.a   isEmpty
bob >
    | first
    |   second\x20
    |
bob <(within   1s)  x
wait    500ms";

/// The line of it that is none.
const MISTAKE: &str = "bob >{}\n";

fn fmt(arguments: &[&str], input: &str) -> Finished {
    Program::wiretalk().arg("fmt").args(arguments).finish(input)
}

/// What stands behind an arrow or a bar.
fn payloads(talk: &str) -> Vec<&str> {
    let mut payloads = Vec::new();
    for line in talk.lines() {
        let line = line.trim_start();
        if let Some(frame) = line.strip_prefix("bob") {
            let frame = frame.trim_start_matches([' ', '>', '<']);
            let options = frame
                .strip_prefix('(')
                .and_then(|frame| frame.split_once(") "));
            payloads.push(options.map_or(frame, |(_, payload)| payload));
        } else if let Some(more) = line.strip_prefix('|') {
            payloads.push(more);
        }
    }
    payloads
}

#[test]
fn a_file_is_laid_out_in_place_and_its_payloads_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("messy.talk");
    let talk = path.to_str().expect("its name is UTF-8");
    let messy = MESSY.replace(MISTAKE, "");
    fs::write(&path, &messy).expect("it is written");

    let check = fmt(&["--check", talk], "").with_code(1);
    assert!(
        check.out().contains("messy.talk is not laid out"),
        "{check:?}"
    );
    assert_eq!(fs::read_to_string(&path).expect("it is there"), messy);

    let _ = fmt(&[talk], "").with_code(0);
    let laid_out = fs::read_to_string(&path).expect("it is there");
    assert_ne!(laid_out, messy);
    assert_eq!(payloads(&laid_out), payloads(&messy), "{laid_out}");
    assert!(
        laid_out.contains("connect bob ws://127.0.0.1:4000\n"),
        "{laid_out}"
    );
    assert!(laid_out.contains("wait 500ms\n"), "{laid_out}");

    let _ = fmt(&["--check", talk], "").with_code(0);
    let _ = fmt(&[talk], "").with_code(0);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), laid_out);

    let piped = fmt(&["-"], &messy).with_code(0);
    assert_eq!(piped.out(), laid_out);
}

#[test]
fn what_cannot_be_read_as_a_talk_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wrong.talk");
    fs::write(&path, MESSY).expect("it is written");
    let talk = path.to_str().expect("its name is UTF-8");
    let refused = fmt(&[talk], "").with_code(2);
    let _ = refused.saying(&["wrong.talk:7:"]);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), MESSY);
    assert_eq!(fmt(&["-"], MESSY).with_code(2).out(), "");
}

#[test]
fn standard_input_is_checked_as_a_file_is() {
    let messy = MESSY.replace(MISTAKE, "");
    let check = fmt(&["--check", "-"], &messy).with_code(1);
    assert_eq!(check.out(), "standard input is not laid out\n");
    let laid_out = fmt(&["-"], &messy).with_code(0).out();
    assert_eq!(fmt(&["--check", "-"], &laid_out).with_code(0).out(), "");
}

#[test]
fn a_file_keeps_its_permissions() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret.talk");
    fs::write(&path, MESSY.replace(MISTAKE, "")).expect("it is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let _ = fmt(&[path.to_str().expect("its name is UTF-8")], "").with_code(0);
    let mode = fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
}
