use super::*;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn ceilings_grow_to_the_maximum() {
    for (backoff, ceilings) in [
        (
            Backoff::exponential(),
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000],
        ),
        (Backoff::fixed(ms(2000)), [2000; 8]),
        (
            Backoff::exponential().first(ms(100)).factor(3.0),
            [100, 300, 900, 2700, 8100, 24_300, 30_000, 30_000],
        ),
        (
            Backoff::exponential().first(ms(70)).factor(0.1).max(ms(80)),
            [70; 8],
        ),
        (
            Backoff::exponential().first(ms(70)).factor(f64::NAN),
            [70; 8],
        ),
        (Backoff::exponential().first(ms(70)).max(ms(20)), [20; 8]),
    ] {
        let found: [u64; 8] = std::array::from_fn(|n| {
            u64::try_from(backoff.ceiling(u32::try_from(n).unwrap()).as_millis()).unwrap()
        });
        assert_eq!(found, ceilings, "{backoff:?}");
    }
}

#[test]
fn no_count_of_waits_overflows() {
    let backoff = Backoff::exponential().factor(1e300);
    for n in [1, 2, 1000, u32::MAX] {
        assert_eq!(backoff.ceiling(n), Duration::from_secs(30));
    }
    let forever = Backoff::exponential().max(Duration::MAX);
    assert_eq!(forever.ceiling(u32::MAX), Duration::MAX);
    assert!(forever.delay(u32::MAX) <= Duration::MAX);
}

#[test]
fn full_jitter_takes_any_time_below_the_ceiling() {
    let backoff = Backoff::exponential();
    let mut quarters = [0; 4];
    for _ in 0..1000 {
        let delay = backoff.delay(1);
        assert!(delay <= ms(1000));
        quarters[usize::try_from(delay.as_millis() / 250).unwrap().min(3)] += 1;
    }
    // Of 1,000 draws some 250 fall into each quarter; fewer than 150 in one has a chance below 1e-12.
    assert!(
        quarters.iter().all(|&count| count > 150),
        "evenly: {quarters:?}"
    );
}

#[test]
fn a_success_lasts_for_a_while() {
    assert!(!Backoff::exponential().settles(ms(4999)));
    assert!(Backoff::exponential().settles(ms(5000)));
    assert!(Backoff::fixed(ms(1)).settles(Duration::ZERO));
}
