//! `wiretalk test` as a whole: which tests it runs, against whom, what it says, and with which code it ends.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use wiretalk_interop::{Finished, Process, Program, Server, Signal, Stream};

/// A folder with these files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).expect("a file")
}

/// `wiretalk test` with these arguments in the folder.
fn program(folder: &TempDir, arguments: &[&str]) -> Program {
    Program::wiretalk()
        .arg("test")
        .args(arguments)
        .in_folder(folder.path())
        .without_env("GITHUB_ACTIONS")
}

fn test(folder: &TempDir, arguments: &[&str]) -> Finished {
    program(folder, arguments).finish("")
}

/// A server of others that sends back what comes.
fn echo() -> Server {
    Server::peer("server.py", &["echo"])
}

const ECHO: &str = "listen ws://127.0.0.1:4000/echo\non > {{_}}\n  <echo\n";

const TALK: &str = "\
test says a
tag quick
connect {{url}}
> a
< a
test says b (again)
tag quick odd
connect {{url}}
> b
< b
test is wrong
tag odd
connect {{url}}
> c
< d
";

/// The titles of the tests that passed and failed, in the order of the alphabet.
fn ran(finished: &Finished) -> Vec<String> {
    let out = finished.out();
    let lines = out.lines().filter_map(|line| {
        let (word, rest) = line.split_once(' ')?;
        matches!(word, "PASS" | "FAIL").then(|| {
            let title = rest.rsplit_once(" (").expect("a place").0;
            format!("{word} {title}")
        })
    });
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn titles_and_tags_choose_and_the_exit_code_tells() {
    let server = echo();
    let url = format!("url={}", server.origin);
    let folder = folder(&[("a.talk", TALK)]);
    let (a, b, wrong) = ("PASS says a", "PASS says b (again)", "FAIL is wrong");
    for (arguments, code, expected) in [
        (&[][..], 1, &[wrong, a, b][..]),
        (&["--filter", "says"], 0, &[a, b]),
        (&["--filter", "^says b"], 0, &[b]),
        (&["--filter", "b (again"], 0, &[b]),
        (&["--tag", "quick"], 0, &[a, b]),
        (&["--tag", "odd", "--tag", "!quick"], 1, &[wrong]),
        (&["--tag", "!odd", "--repeat", "2"], 0, &[a, a]),
        (&["--quiet"], 1, &[wrong]),
        (
            &["--filter", "says a", "--filter", "wrong", "--fail-fast"],
            1,
            &[wrong, a],
        ),
    ] {
        let arguments = [&["a.talk", "--set", &url][..], arguments].concat();
        let finished = test(&folder, &arguments).with_code(code);
        assert_eq!(
            ran(&finished),
            expected,
            "{arguments:?}\n{}",
            finished.out()
        );
    }
    let none = test(&folder, &["a.talk", "--set", &url, "--filter", "no such"]);
    assert_eq!(
        none.with_code(8)
            .saying(&["no test has such a title"])
            .out(),
        ""
    );
    let listed = test(
        &folder,
        &["a.talk", "--set", &url, "--tag", "odd", "--list"],
    );
    assert_eq!(
        listed.with_code(0).out(),
        "says b (again) (a.talk:6) [quick odd]\nis wrong (a.talk:11) [odd]\n"
    );
}

#[test]
fn a_mock_is_served_for_the_run() {
    let folder = folder(&[("mock.talk", ECHO), ("a.talk", TALK)]);
    let finished = test(
        &folder,
        &["a.talk", "--serve", "mock.talk", "-v", "--tag", "!odd"],
    );
    let out = finished.with_code(0).out();
    assert!(out.contains("/echo)"), "{out}");
    assert!(out.contains("> a  (1 B)"), "{out}");
    test(
        &folder,
        &["a.talk", "--serve", "mock.talk", "--set", "url=ws://x"],
    )
    .with_code(2)
    .saying(&["`--serve` sets `url`"]);
    test(&folder, &["a.talk", "--serve", "nowhere.talk"])
        .with_code(2)
        .saying(&["there is no such file"]);
}

#[test]
fn folders_give_every_talk_in_order() {
    let one = |title: &str| format!("test {title}\nconnect {{{{url}}}}\n> a\n< a\n");
    let folder = folder(&[
        ("suite/b.talk", &one("b")),
        ("suite/a/z.talk", &one("z")),
        ("suite/.hidden/x.talk", &one("x")),
        ("suite/notes.txt", "no talk"),
        ("empty/notes.txt", "no talk"),
        ("mock.talk", ECHO),
    ]);
    let finished = test(&folder, &["suite", "--serve", "mock.talk", "--list"]).with_code(0);
    assert_eq!(finished.out(), "z (suite/a/z.talk:1)\nb (suite/b.talk:1)\n");
    test(&folder, &["empty", "--serve", "mock.talk"])
        .with_code(2)
        .saying(&["there is no talk in the folder `empty`"]);
}

const DOCUMENT: &str = "\
# Chat

## Saying hello

```talk
connect {{url}}
> hello
< hello
```

1. A step with a wrong answer:

   ```talk
   connect {{url}}
   > hello
   < good-bye
   ```

~~~talk no-run
connect {{url}}
> only looked at
< ...
~~~

```talk ignore
this is no talk
```
";

#[test]
fn the_talks_of_a_document_keep_its_lines() {
    let folder = folder(&[("README.md", DOCUMENT), ("mock.talk", ECHO)]);
    let finished = test(&folder, &["README.md", "--serve", "mock.talk"]).with_code(1);
    assert_eq!(
        ran(&finished),
        ["FAIL Saying hello (2)", "PASS Saying hello (1)"]
    );
    let out = finished.out();
    assert!(out.contains("  > 16 | < good-bye"), "{out}");
    let broken = DOCUMENT.replace("> only looked at", "> {{nobody}}");
    write(folder.path(), "README.md", &broken);
    test(&folder, &["README.md", "--serve", "mock.talk"])
        .with_code(2)
        .saying(&["README.md:21:"]);
    Program::wiretalk()
        .args(["check", "README.md", "--set", "url=ws://x"])
        .in_folder(folder.path())
        .finish("")
        .with_code(1)
        .saying(&["README.md:21:"]);
    write(folder.path(), "README.md", "# nothing here\n");
    test(&folder, &["README.md", "--set", "url=ws://x"])
        .with_code(2)
        .saying(&["there is no talk in `README.md`"]);
}

#[test]
fn what_came_is_written_into_the_talks() {
    let mock = "\
listen ws://127.0.0.1:4000
on > order
  < {\"id\":\"{{_:uuid}}\",\"state\":\"open\",\"total\":12.5,\"items\":[1,2]}
  < thank you, ann
";
    let talk = "\
connect {{url}}
> order
<(within 2s) {\"id\": \"{{_:uuid}}\", \"state\": \"new\", \"total\": {{_:number}}, \"items\": [1, 2]}
  ? $.total > 10
< thanks, {{_:word}}
  ? text endsWith \"ann\"
";
    let updated = talk
        .replace("\"new\"", "\"open\"")
        .replace("thanks,", "thank you,");
    let folder = folder(&[
        ("mock.talk", mock),
        ("a.talk", talk),
        ("crlf.talk", &talk.replace('\n', "\r\n")),
    ]);
    let arguments = ["a.talk", "crlf.talk", "--serve", "mock.talk"];
    test(&folder, &arguments).with_code(1);
    let said = test(&folder, &[&arguments[..], &["--update"]].concat())
        .with_code(0)
        .out();
    assert_eq!(read(&folder, "a.talk"), updated);
    assert_eq!(read(&folder, "crlf.talk"), updated.replace('\n', "\r\n"));
    assert!(
        said.contains("UPDATE a.talk:3") && said.contains("  + < thank you,"),
        "{said}"
    );
    test(&folder, &arguments).with_code(0);
    // Nothing is written where nothing differs, nor where the talk has mistakes.
    test(&folder, &[&arguments[..], &["--update"]].concat()).with_code(0);
    assert_eq!(read(&folder, "a.talk"), updated);
    let broken = format!("{talk}nonsense\n");
    write(folder.path(), "a.talk", &broken);
    test(&folder, &[&arguments[..], &["--update"]].concat()).with_code(2);
    assert_eq!(read(&folder, "a.talk"), broken);
}

#[test]
fn a_document_is_updated_behind_its_margins() {
    let folder = folder(&[("README.md", DOCUMENT), ("mock.talk", ECHO)]);
    test(&folder, &["README.md", "--serve", "mock.talk", "--update"]).with_code(0);
    assert_eq!(
        read(&folder, "README.md"),
        DOCUMENT.replace("   < good-bye", "   < hello")
    );
}

#[test]
fn watching_runs_again_when_a_file_changes() {
    let wrong = "connect {{url}}\n> a\n< b\n";
    let folder = folder(&[("a.talk", wrong), ("mock.talk", ECHO)]);
    let mut watching: Process =
        program(&folder, &["a.talk", "--serve", "mock.talk", "--watch"]).start();
    watching.expect("0 passed, 1 failed");
    watching.expect_on(Stream::Err, "waiting for a change");
    write(folder.path(), "a.talk", &wrong.replace('b', "a"));
    watching.expect("1 passed, 0 failed");
    watching.expect_on(Stream::Err, "waiting for a change");
    // The mock is one of its files, too; and what is no talk any more is told, and waited for.
    write(folder.path(), "mock.talk", &ECHO.replace("<echo", "< no"));
    watching.expect("0 passed, 1 failed");
    watching.expect_on(Stream::Err, "waiting for a change");
    write(folder.path(), "mock.talk", "nonsense\n");
    watching.expect_on(Stream::Err, "nonsense");
    watching.expect_on(Stream::Err, "waiting for a change");
    write(folder.path(), "mock.talk", ECHO);
    watching.expect("1 passed, 0 failed");
    watching.expect_on(Stream::Err, "waiting for a change");
    watching.signal(Signal::INT);
    assert_eq!(watching.exit_code(), 0);
}

#[test]
fn a_failure_with_random_values_tells_its_seed() {
    let folder = folder(&[
        ("mock.talk", ECHO),
        ("a.talk", "connect {{url}}\n> {{_:uuid}}\n< {{_:int}}\n"),
    ]);
    let arguments = ["a.talk", "--serve", "mock.talk"];
    let out = test(&folder, &arguments).with_code(1).out();
    let seed = out.split_once("`--seed ").expect("a seed").1;
    let seed = seed.split_once('`').expect("its end").0;
    let came = |out: &str| {
        let line = out.lines().find(|line| line.contains("came  "));
        line.expect("what came").to_owned()
    };
    let again = test(&folder, &[&arguments[..], &["--seed", seed]].concat()).with_code(1);
    assert_eq!(came(&out), came(&again.out()));
    let other = test(&folder, &arguments).with_code(1);
    assert_ne!(came(&out), came(&other.out()));
}

/// Nothing of the live view is written where nobody sees it.
#[test]
fn lines_are_plain_off_a_terminal() {
    let folder = folder(&[("mock.talk", ECHO), ("a.talk", TALK)]);
    let finished = test(
        &folder,
        &["a.talk", "--serve", "mock.talk", "--tag", "!odd"],
    )
    .with_code(0);
    assert_eq!(finished.err(), "");
    assert!(!finished.out().contains('\u{1b}'));
    assert!(finished.out().ends_with('\n'));
}

#[test]
fn an_interrupted_run_tells_what_it_knows() {
    let talk =
        "test quick\nconnect {{url}}\n> a\n< a\ntest endless\nconnect {{url}}\nwait 1h\n> a\n< a\n";
    let folder = folder(&[("mock.talk", ECHO), ("a.talk", talk)]);
    let arguments = ["a.talk", "--serve", "mock.talk", "--tap", "out.tap"];
    let mut running = program(&folder, &arguments).start();
    running.expect("PASS quick");
    running.signal(Signal::INT);
    running.expect("1 passed, 0 failed");
    assert_eq!(running.exit_code(), 130);
    let report = read(&folder, "out.tap");
    assert!(
        report.contains("quick") && !report.contains("endless"),
        "{report}"
    );
}
