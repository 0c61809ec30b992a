use super::{Duration, Instant, Newcomers, PAUSE, Seldom};

#[test]
fn what_happens_often_is_told_seldom_and_counted_in_full() {
    let often = Seldom::default();
    let start = Instant::now();
    assert_eq!(often.add(start), Some(1));
    for milliseconds in 1..1000 {
        assert_eq!(often.add(start + Duration::from_millis(milliseconds)), None);
    }
    assert_eq!(often.add(start + PAUSE), Some(1000));
    assert_eq!(often.add(start + 5 * PAUSE), Some(1));
}

#[test]
fn places_are_given_back() {
    let newcomers = Newcomers::new(2);
    let one = newcomers.try_enter().expect("a place");
    let two = newcomers.try_enter().expect("a place");
    assert!(newcomers.try_enter().is_none());
    assert_eq!(newcomers.count(), 2);
    drop(one);
    assert_eq!(newcomers.count(), 1);
    let three = newcomers.try_enter();
    assert!(three.is_some());
    drop((two, three));
    assert_eq!(newcomers.count(), 0);
    assert_eq!(Newcomers::new(0).most(), 1);
}
