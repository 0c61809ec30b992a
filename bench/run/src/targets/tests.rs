use super::*;
use crate::peers::PEERS;

/// What a peer cost in each round.
fn measured(id: &str, costs: &[f64]) -> Outcome {
    let sample = |&cost: &f64| Sample { cost, report: None };
    Outcome {
        peer: PEERS.iter().find(|peer| peer.id == id).unwrap(),
        samples: Ok(costs.iter().map(sample).collect()),
    }
}

/// The verdicts on a row, as far as they are about costs.
fn verdicts(outcomes: &[Outcome]) -> Vec<Verdict> {
    let row = Table::Echo.row("1KiB-P16").unwrap();
    let all = judge(&row, outcomes).into_iter();
    all.filter(|verdict| verdict.target.contains("µs/message"))
        .collect()
}

#[test]
fn ratios_are_taken_round_by_round() {
    // The machine gets slower by half from round to round; the ratio stays.
    let outcomes = [
        measured("wiretalk", &[1.6, 2.4, 3.6]),
        measured("sockudo-ws", &[2.0, 3.0, 4.5]),
        measured("tokio-websockets", &[4.0, 6.0, 9.0]),
        measured("uws", &[1.6, 2.4, 3.6]),
    ];
    let [best, uws] = &verdicts(&outcomes)[..] else {
        panic!("two targets");
    };
    assert!(best.target.contains("(sockudo-ws)"), "{}", best.target);
    assert!((best.result.as_ref().unwrap() - 0.8).abs() < 1e-9);
    assert!((uws.result.as_ref().unwrap() - 1.0).abs() < 1e-9);
}

#[test]
fn what_was_not_measured_is_no_verdict() {
    let mut failed = measured("sockudo-ws", &[]);
    failed.samples = Err("it broke".to_owned());
    let outcomes = [measured("wiretalk", &[1.0]), failed];
    for verdict in verdicts(&outcomes) {
        verdict.result.expect_err(&verdict.target);
    }
}
