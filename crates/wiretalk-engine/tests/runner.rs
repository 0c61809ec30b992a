//! What the runner does around a test: which are run, how often, what is hidden.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::{SOON, Served, serve, talk};
use tokio::time::timeout;
use wiretalk_engine::runner::{self, Options, Outcome, Selection, Skip, Summary, TestResult};
use wiretalk_engine::{report, serve as server};
use wiretalk_talk::Value;
use wiretalk_talk::player::{Fault, Manner, Plan};

/// A mock of a talk.
async fn mock(text: &str) -> Served {
    serve(&talk(text), server::Options::default()).await
}

/// Sends back what comes.
const ECHO: &str = "listen ws://127.0.0.1:4000\non > {{_}}\n  <echo\n";

/// Runs a talk with `url` set, one test after the other.
async fn run(text: &str, server: &Served, options: Options) -> (Vec<TestResult>, Summary) {
    let plan: Arc<Plan> = talk(text);
    let mut variables = options.variables.clone();
    variables.insert("url".into(), Value::Text(server.url.clone()));
    let options = Options {
        variables,
        jobs: 1,
        ..options
    };
    let mut results = Vec::new();
    let plans = [plan];
    let run = runner::run(&plans, &options, |result| results.push(result));
    let summary = timeout(SOON, run).await.expect("in time");
    (results, summary)
}

/// How each test ended, in a word.
fn endings(results: &[TestResult]) -> Vec<(&str, &'static str)> {
    let word = |result: &TestResult| match result.outcome {
        Outcome::Passed { .. } => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::Skipped(Skip::Deselected) => "deselected",
        Outcome::Skipped(Skip::FailFast) => "not begun",
    };
    let each = results.iter();
    each.map(|result| (result.title.as_str(), word(result)))
        .collect()
}

const THREE: &str = "\
test one
tag fast
connect {{url}}
> a
< a
test two
tag slow
connect {{url}}
> a
< b
test three
tag slow chat
connect {{url}}
> a
< a
";

#[tokio::test]
async fn tests_that_are_not_run_are_told() {
    let server = mock(ECHO).await;
    let (results, summary) = run(THREE, &server, Options::default()).await;
    let ends = [("one", "passed"), ("two", "failed"), ("three", "passed")];
    assert_eq!(endings(&results), ends);
    assert_eq!((summary.passed, summary.failed, summary.skipped), (2, 1, 0));
    assert_eq!(results[2].tags, ["slow", "chat"]);
    assert_eq!(results[2].attempts, 1);

    let mut selection = Selection::default();
    selection.tag("slow");
    selection.title("t");
    selection.tag("!chat");
    let options = Options {
        selection,
        ..Options::default()
    };
    let (results, summary) = run(THREE, &server, options).await;
    // What is not run is told at once, beside what runs.
    let ends = [
        ("one", "deselected"),
        ("three", "deselected"),
        ("two", "failed"),
    ];
    assert_eq!(endings(&results), ends);
    assert_eq!((summary.passed, summary.failed, summary.skipped), (0, 1, 2));

    let options = Options {
        fail_fast: true,
        repeat: 2,
        ..Options::default()
    };
    let (results, _) = run(THREE, &server, options).await;
    let again = [
        ("one", "not begun"),
        ("two", "not begun"),
        ("three", "not begun"),
    ];
    let first = [("one", "passed"), ("two", "failed"), ("three", "not begun")];
    assert_eq!(endings(&results), [first, again].concat());
    server.stop().await;
}

/// A server that answers rightly only the third time.
const THIRD_TIME: &str = "\
listen ws://127.0.0.1:4000
set global.asked = 0
on > {{_}}
  set global.asked = {{ global.asked + 1 }}
  < {{ global.asked }}
";

#[tokio::test]
async fn a_test_is_tried_again_as_often_as_it_may() {
    let again = |retry: &str| format!("test patient\n{retry}connect {{{{url}}}}\n> x\n< 3\n");
    for (line, option, attempts, passes) in [
        ("", None, 1, false),
        ("", Some(1), 2, false),
        ("", Some(5), 3, true),
        ("retry 2 every 1ms\n", None, 3, true),
        ("retry 2 every 1ms\n", Some(0), 1, false),
    ] {
        let server = mock(THIRD_TIME).await;
        let options = Options {
            retry: option,
            ..Options::default()
        };
        let (results, summary) = run(&again(line), &server, options).await;
        let [result] = &results[..] else {
            panic!("{results:?}");
        };
        assert_eq!(
            (result.attempts, result.passed()),
            (attempts, passes),
            "{line} {option:?}:\n{}",
            report::failure(result)
        );
        assert_eq!(summary.flaky, usize::from(passes));
        server.stop().await;
    }
}

#[tokio::test]
async fn each_repetition_is_a_result() {
    let server = mock(ECHO).await;
    let options = Options {
        repeat: 3,
        ..Options::default()
    };
    let (results, summary) = run("connect {{url}}\n> a\n< a\n", &server, options).await;
    let numbers: Vec<_> = results.iter().map(|result| result.repetition).collect();
    assert_eq!((numbers, summary.passed), (vec![1, 2, 3], 3));
    server.stop().await;
}

#[tokio::test]
async fn a_test_that_takes_too_long_fails_at_its_line() {
    let server = mock(ECHO).await;
    let options = Options {
        max_time: Some(Duration::from_millis(50)),
        ..Options::default()
    };
    let text =
        "test quick\nconnect {{url}}\n> a\n< a\ntest slow\nconnect {{url}}\n> a\n< a\nwait 1h\n";
    let (results, _) = run(text, &server, options).await;
    assert_eq!(endings(&results), [("quick", "passed"), ("slow", "failed")]);
    let Outcome::Failed(failure) = &results[1].outcome else {
        panic!("it failed");
    };
    assert!(matches!(failure.fault, Fault::Impossible { .. }));
    assert_eq!(results[1].position(failure.span), (5, 1));
    server.stop().await;
}

#[tokio::test]
async fn a_seed_makes_the_same_values_whatever_runs_beside() {
    let server = mock(ECHO).await;
    let sent = |result: &TestResult| -> Vec<u8> {
        let record = result
            .log
            .iter()
            .find(|record| record.kind == wiretalk_engine::record::Kind::Text)
            .expect("a message");
        record.payload.to_vec()
    };
    let text = "\
test a
connect {{url}}
> {{_:uuid}}
<any
  ? size > 0
test b
connect {{url}}
> {{_:uuid}}
<any
  ? size > 0
test c
connect {{url}}
> fixed
< fixed
";
    let seeded = |seed, title: &str| {
        let mut selection = Selection::default();
        selection.title(title);
        Options {
            seed,
            selection,
            ..Options::default()
        }
    };
    let (first, _) = run(text, &server, seeded(7, "")).await;
    let (again, _) = run(text, &server, seeded(7, "")).await;
    let (alone, _) = run(text, &server, seeded(7, "b")).await;
    let (other, _) = run(text, &server, seeded(8, "")).await;
    assert_eq!(sent(&first[0]), sent(&again[0]));
    let alone = alone.iter().find(|result| result.title == "b");
    assert_eq!(sent(&first[1]), sent(alone.expect("it was run")));
    assert_ne!(sent(&first[0]), sent(&first[1]));
    assert_ne!(sent(&first[0]), sent(&other[0]));
    let seeds: Vec<_> = first.iter().map(|result| result.seed).collect();
    assert_eq!(seeds, [Some(7), Some(7), None]);
    server.stop().await;
}

#[tokio::test]
async fn a_manner_wins_over_the_talk() {
    let twice = "listen ws://127.0.0.1:4000\non > {{_}}\n  <echo\n  < more\n  <close 1000\n";
    let server = mock(twice).await;
    let text = "connect {{url}}\n> a\n< a\n";
    for strict in [false, true] {
        let options = Options {
            manner: Manner {
                strict,
                ..Manner::default()
            },
            ..Options::default()
        };
        let (results, _) = run(text, &server, options).await;
        assert_eq!(results[0].passed(), !strict, "{results:?}");
    }
    server.stop().await;
}

/// Neither what was given, nor what was set, nor what was captured is in anything that a result tells, in any form.
#[tokio::test]
async fn secrets_are_nowhere_in_a_result() {
    let server = mock(
        "\
listen ws://127.0.0.1:4000
on > login
  < {\"token\":\"captured secret\"}
on > {{_}}
  <echo
",
    )
    .await;
    let text = "\
test with given secret
connect {{url}}
  Authorization: Bearer {{given}}
set own = set-secret
> login
< {\"token\":\"{{token:string}}\"}
> {{given}} {{own}}
< {{given}} {{own}}
> {\"a\":\"{{token}}\"}
<text set-secret, captured secret
";
    let options = Options {
        variables: BTreeMap::from([("given".to_owned(), Value::Text("given secret".into()))]),
        secrets: ["given", "own", "token"].map(str::to_owned).into(),
        ..Options::default()
    };
    let (results, _) = run(text, &server, options).await;
    let result = &results[0];
    assert!(result.failed());
    assert_eq!(result.title, "with ***");
    let mut told = report::failure(result);
    told.push_str(&report::messages(result));
    told.push_str(result.source.text());
    for record in result.log.iter() {
        told.push_str(&String::from_utf8_lossy(&record.payload));
    }
    told.push_str(&format!("{:?}", result.outcome));
    assert!(told.contains("***"), "{told}");
    for secret in ["given secret", "set-secret", "captured secret"] {
        assert!(!told.contains(secret), "{secret} in\n{told}");
    }
    server.stop().await;
}
