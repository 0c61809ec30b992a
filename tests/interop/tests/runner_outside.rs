//! What talks are given from outside, and what of it is shown nowhere.

use std::fs;

use tempfile::TempDir;
use wiretalk_interop::{Finished, Program};

const ECHO: &str = "listen ws://127.0.0.1:4000\non > {{_}}\n  <echo\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn program(folder: &TempDir, arguments: &[&str]) -> Program {
    Program::wiretalk()
        .args(["test", "a.talk", "--serve", "mock.talk"])
        .args(arguments)
        .in_folder(folder.path())
}

fn passes(finished: Finished) {
    let out = finished.with_code(0).out();
    assert!(out.contains("1 passed, 0 failed"), "{out}");
}

#[test]
fn what_is_nearer_wins() {
    let talk =
        |value: &str| format!("set v = of the talk\nconnect {{{{url}}}}\n> {{{{v}}}}\n< {value}\n");
    let folder = folder(&[
        ("mock.talk", ECHO),
        (
            "of.env",
            "# a comment\nexport WIRETALK_SET_v='of the file'\n",
        ),
    ]);
    let run = |value: &str, arguments: &[&str], environment: bool| {
        fs::write(folder.path().join("a.talk"), talk(value)).expect("a file");
        let mut program = program(&folder, arguments).without_env("WIRETALK_SET_v");
        if environment {
            program = program.env("WIRETALK_SET_v", "of the environment");
        }
        passes(program.finish(""));
    };
    run("of the talk", &[], false);
    run("of the file", &["--env-file", "of.env"], false);
    run("of the environment", &["--env-file", "of.env"], true);
    run(
        "of the option",
        &["--env-file", "of.env", "--set", "v=of the option"],
        true,
    );
}

#[test]
fn an_env_file_is_an_environment() {
    let folder = folder(&[
        ("mock.talk", ECHO),
        (
            "a.talk",
            "connect {{url}}\n> {{ env.GREETING }} {{ env.PATH|length > 0 }}\n< hello there true\n",
        ),
        ("of.env", "GREETING=\"hello there\"\nPATH=\n"),
        ("broken.env", "GOOD=1\nBAD LINE\n"),
    ]);
    passes(program(&folder, &["--env-file", "of.env"]).finish(""));
    program(&folder, &["--env-file", "broken.env"])
        .finish("")
        .with_code(2)
        .saying(&["broken.env", "line 2"]);
    program(&folder, &["--env-file", "nowhere.env"])
        .finish("")
        .with_code(2)
        .saying(&["there is no such file"]);
}

/// A secret that is given, one that the talk sets, one that a file has, one that the server sends: in no output.
#[test]
fn secrets_are_shown_nowhere() {
    let mock = "\
listen ws://127.0.0.1:4000
on > login
  < {\"token\":\"captured/secret\"}
on > {{_}}
  <echo
";
    let talk = "\
set own = \"set secret\"
test with given-secret in its title
connect {{url}}?token={{given}}
  Authorization: Basic {{basic}}
> login
< {\"token\":\"{{token:string}}\"}
> {{given}} {{own}} {{ env.FILED }}
<any
  ? size > 0
> {\"all\":\"{{token}} {{own}}\"}
< set secret and given-secret and captured/secret and filed-secret
";
    let folder = folder(&[
        ("mock.talk", mock),
        ("a.talk", talk),
        ("of.env", "FILED=filed-secret\n"),
    ]);
    let arguments = [
        "--env-file",
        "of.env",
        "--set",
        "given=given-secret",
        // user:given-secret
        "--set",
        "basic=dXNlcjpnaXZlbi1zZWNyZXQ=",
        "--secret",
        "given",
        "--secret",
        "own",
        "--secret",
        "FILED",
        "--secret",
        "token",
        "--junit",
        "out.xml",
        "--json",
        "out.json",
        "--html",
        "out.html",
        "--tap",
        "out.tap",
        "-v",
    ];
    let finished = program(&folder, &arguments).finish("").with_code(1);
    let mut told = vec![("stdout", finished.out()), ("stderr", finished.err())];
    for file in ["out.xml", "out.json", "out.html", "out.tap"] {
        let text = fs::read_to_string(folder.path().join(file)).expect("a report");
        assert!(text.contains("***"), "{file}: {text}");
        told.push((file, text));
    }
    for (place, text) in &told {
        for secret in [
            "given-secret",
            "set secret",
            "captured/secret",
            "captured\\/secret",
            "filed-secret",
            "dXNlcjpnaXZlbi1zZWNyZXQ",
        ] {
            assert!(!text.contains(secret), "{secret} in {place}:\n{text}");
        }
    }
    assert!(
        finished.out().contains("with *** in its title"),
        "{}",
        finished.out()
    );
}

#[test]
fn a_diagnostic_shows_no_secret() {
    let folder = folder(&[
        ("mock.talk", ECHO),
        (
            "a.talk",
            "set own = hunter2\nset other = {{nobody}} hunter2\nconnect {{url}}\n> {{own}}\n< {{other}}\n",
        ),
    ]);
    let finished = program(&folder, &["--secret", "own"])
        .finish("")
        .with_code(2);
    let said = finished.err();
    assert!(said.contains("***") && !said.contains("hunter2"), "{said}");
}

/// A name that is mistyped would hide nothing, and a value is not told again.
#[test]
fn a_secret_that_nothing_names_is_refused() {
    let talk = "set token = hunter2\nconnect {{url}}\n> {{token}}\n< {{token}} {{nobody}}\n";
    let folder = folder(&[
        ("mock.talk", ECHO),
        ("a.talk", talk),
        ("of.env", "IN_FILE=x\n"),
        ("users.csv", "password\nhunter2\n"),
        (
            "each.talk",
            "each users.csv\nconnect {{url}}\n> {{password}}\n< {{password}}\n",
        ),
    ]);
    let refused: [(&[&str], &str); 5] = [
        (&["--secret", "tokne"], "did you mean `token`?"),
        (
            &["--set", "api_key=hunter2", "--secret", "apikey"],
            "did you mean `api_key`?",
        ),
        (
            &["--secret", "nothing_like_it"],
            "`--secret nothing_like_it` would hide nothing",
        ),
        (
            &["--secret", "token=hunter2"],
            "takes a name, not a value: write `--secret token`",
        ),
        (&["--secret", "hunter2!"], "takes a name, not a value"),
    ];
    for command in ["test", "serve"] {
        for (arguments, said) in refused {
            let finished = Program::wiretalk()
                .args([command, "a.talk"])
                .args(arguments)
                .in_folder(folder.path())
                .finish("")
                .with_code(2)
                .saying(&[said]);
            let all = finished.out() + &finished.err();
            assert!(!all.contains("hunter2"), "{all}");
        }
    }
    let known: [&[&str]; 3] = [
        &["--set", "x=unseen", "--secret", "x"],
        &["--env-file", "of.env", "--secret", "IN_FILE"],
        &["--secret", "password"],
    ];
    for arguments in known {
        passes(
            Program::wiretalk()
                .args(["test", "each.talk", "--serve", "mock.talk"])
                .args(arguments)
                .in_folder(folder.path())
                .finish(""),
        );
    }
}

/// What a test sends and its mock does not know stands beside the failure, with the line that came nearest; of many
/// such messages not each.
#[test]
fn a_message_that_the_mock_does_not_know_is_told() {
    let mock = "on > {\"op\":\"ping\"}\n  < pong\non > go\n  < gone\n";
    let talk = "connect {{url}}\nrepeat 25\n  > {\"op\":\"pnig\"}\n> go\n< gone\n";
    let folder = folder(&[("mock.talk", mock), ("a.talk", talk)]);
    let finished = program(&folder, &[]).finish("").with_code(0);
    let said = finished.err();
    let of_rule = "unmatched: no line of the talk takes this message; nearest is mock.talk:1 ";
    assert_eq!(said.matches(of_rule).count(), 20, "{said}");
    assert!(said.contains("pnig"), "{said}");
    assert!(said.contains("mock: 5 lines more of this kind"), "{said}");
}

/// One sentence instead of a mistake for each line of prose.
#[test]
fn a_document_is_no_talk() {
    let folder = folder(&[("README.md", "# Talks\n\n```talk\n> a\n```\n")]);
    for command in ["serve", "fmt"] {
        let finished = Program::wiretalk()
            .args([command, "README.md"])
            .in_folder(folder.path())
            .finish("")
            .with_code(2)
            .saying(&["`README.md` is a Markdown document", "a file of its own"]);
        assert_eq!(finished.err().matches("error").count(), 1);
    }
}

#[test]
fn a_block_of_a_document_is_told_by_its_line() {
    let document = "# Talks\n\n```talk\nconnect {{url}}\n> a\n< a\n```\n";
    let folder = folder(&[("mock.talk", ECHO), ("README.md", document)]);
    for arguments in [&["--list"][..], &[]] {
        let finished = Program::wiretalk()
            .args(["test", "README.md", "--serve", "mock.talk"])
            .args(arguments)
            .in_folder(folder.path())
            .finish("")
            .with_code(0);
        let out = finished.out();
        assert!(out.contains("Talks (README.md:4)"), "{out}");
    }
}
