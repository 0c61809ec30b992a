use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{interleave, race};

fn addresses(list: &str) -> Vec<SocketAddr> {
    list.split_whitespace()
        .map(|one| match one.parse::<u8>() {
            Ok(number) => SocketAddr::from(([127, 0, 0, number], 80)),
            Err(_) => format!("[::{}]:80", &one[1..]).parse().unwrap(),
        })
        .collect()
}

#[test]
fn families_take_turns() {
    // A number is an IPv4 address, a `v` and a number an IPv6 one.
    let cases = [
        ("", ""),
        ("1", "1"),
        ("v1 v2 1 2", "v1 1 v2 2"),
        ("1 2 v1 v2", "1 v1 2 v2"),
        ("v1 1 v2 2", "v1 1 v2 2"),
        ("v1 v2 v3 1", "v1 1 v2 v3"),
        ("1 v1 v2 v3", "1 v1 v2 v3"),
        ("1 2 3", "1 2 3"),
        ("v1 v1 1 v1 1", "v1 1"),
    ];
    for (given, expected) in cases {
        assert_eq!(interleave(addresses(given)), addresses(expected), "{given}");
    }
}

const NEVER: u64 = u64::MAX;

/// What an address does when it is dialed, and when: after so many milliseconds.
#[derive(Clone, Copy)]
enum Plan {
    Answers(u64),
    Refuses(u64),
}
use Plan::{Answers, Refuses};

/// Who won, or how many failed and how many were silent.
type End = Result<usize, (usize, usize)>;

/// Runs a race at virtual time. Gives when each attempt began, how it ended and when. Checks that nothing is left of the others.
async fn run(plans: &[Plan], limit: u64) -> (Vec<u64>, End, u64) {
    let begin = Instant::now();
    let since = move || u64::try_from(begin.elapsed().as_millis()).unwrap();
    let list: Vec<SocketAddr> = (0..plans.len())
        .map(|index| SocketAddr::from(([127, 0, 0, 1], u16::try_from(index).unwrap())))
        .collect();
    let begun = RefCell::new(Vec::new());
    let alive = Rc::new(());
    let connect = |address: SocketAddr| {
        begun.borrow_mut().push(since());
        let index = usize::from(address.port());
        let (plan, held) = (plans[index], Rc::clone(&alive));
        async move {
            let _held = held;
            let (Answers(after) | Refuses(after)) = plan;
            sleep(Duration::from_millis(after.min(1 << 40))).await;
            match plan {
                Answers(_) => Ok(index),
                Refuses(_) => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            }
        }
    };
    let result = race(&list, begin + Duration::from_millis(limit), connect).await;
    assert_eq!(Rc::strong_count(&alive), 1, "an attempt is still alive");
    let result = result.map_err(|failed| {
        let silent = failed.iter().filter(|one| one.error.is_none()).count();
        (failed.len() - silent, silent)
    });
    (begun.into_inner(), result, since())
}

#[tokio::test(start_paused = true)]
async fn races() {
    // What each address does, the limit, when each attempt begins, the end, and when that is.
    type Case<'a> = (&'a [Plan], u64, &'a [u64], End, u64);
    let cases: [Case<'_>; 12] = [
        (&[Answers(5)], 10_000, &[0], Ok(0), 5),
        // The second is not even tried.
        (&[Answers(249), Answers(0)], 10_000, &[0], Ok(0), 249),
        // One that does not answer holds nobody up for long.
        (&[Answers(NEVER), Answers(5)], 10_000, &[0, 250], Ok(1), 255),
        // The first goes on while the second runs, and may still win.
        (&[Answers(300), Answers(100)], 10_000, &[0, 250], Ok(0), 300),
        // After a failure the next begins at once, and has its time for itself.
        (
            &[Refuses(10), Answers(NEVER), Answers(1)],
            10_000,
            &[0, 10, 260],
            Ok(2),
            261,
        ),
        (
            &[Refuses(0), Refuses(0), Answers(0)],
            10_000,
            &[0, 0, 0],
            Ok(2),
            0,
        ),
        // A failure of one that began earlier hurries the next one, too.
        (
            &[Refuses(300), Answers(NEVER), Answers(1)],
            10_000,
            &[0, 250, 300],
            Ok(2),
            301,
        ),
        (&[Refuses(1), Refuses(2)], 10_000, &[0, 1], Err((2, 0)), 3),
        (
            &[Answers(NEVER), Refuses(2)],
            1000,
            &[0, 250],
            Err((1, 1)),
            1000,
        ),
        // So short a limit that each has only its share.
        (
            &[Answers(NEVER), Answers(NEVER), Answers(NEVER)],
            300,
            &[0, 100, 200],
            Err((0, 3)),
            300,
        ),
        // What could not begin in time is not told as tried.
        (
            &[Answers(NEVER), Answers(NEVER), Answers(NEVER)],
            15,
            &[0, 10],
            Err((0, 2)),
            15,
        ),
        (&[], 100, &[], Err((0, 0)), 0),
    ];
    for (index, (plans, limit, begun, result, ended)) in cases.into_iter().enumerate() {
        let expected = (begun.to_vec(), result, ended);
        assert_eq!(run(plans, limit).await, expected, "case {index}");
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_race_drops_the_attempts() {
    let begun = Cell::new(0);
    let alive = Rc::new(());
    let list = addresses("1 2 3");
    let connect = |_| {
        begun.set(begun.get() + 1);
        let held = Rc::clone(&alive);
        async move {
            let _held = held;
            std::future::pending::<io::Result<()>>().await
        }
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let cut = tokio::time::timeout(Duration::from_millis(400), race(&list, deadline, connect));
    assert!(cut.await.is_err());
    assert_eq!((begun.get(), Rc::strong_count(&alive)), (2, 1));
}
