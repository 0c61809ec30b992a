use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, advance};

use super::{Due, Timers};
use crate::Config;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn timers(ping: Option<u64>, idle: Option<u64>) -> Timers {
    Timers::new(Arc::new(Config {
        ping_interval: ping.map(ms),
        ping_timeout: ms(300),
        idle_timeout: idle.map(ms),
        message_timeout: Some(ms(700)),
        ..Config::default()
    }))
}

/// What is due next, and after how many milliseconds.
async fn next(timers: &mut Timers) -> (Due, u128) {
    let start = Instant::now();
    let due = poll_fn(|cx| timers.poll(cx)).await;
    (due, start.elapsed().as_millis())
}

fn ping(timers: &mut Timers, end: u64) -> [u8; 8] {
    let payload = timers.next_payload();
    timers.on_ping(payload, end);
    payload
}

#[tokio::test(start_paused = true)]
async fn without_clocks_nothing_is_due() {
    let mut timers = timers(None, None);
    advance(Duration::from_secs(1_000_000)).await;
    let due = timers.poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(due, Poll::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_ping_each_interval_while_they_are_answered() {
    let mut timers = timers(Some(1000), None);
    for _ in 0..3 {
        assert_eq!(next(&mut timers).await, (Due::Ping, 1000));
        let payload = ping(&mut timers, 0);
        assert!(timers.on_pong(&payload));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_ping_is_noticed() {
    let mut timers = timers(Some(1000), None);
    assert_eq!(next(&mut timers).await, (Due::Ping, 1000));
    ping(&mut timers, 10);
    timers.on_write(10);
    assert_eq!(next(&mut timers).await, (Due::PingTimeout, 300));
}

#[tokio::test(start_paused = true)]
async fn only_its_own_pong_answers_a_ping() {
    let mut timers = timers(Some(1000), None);
    next(&mut timers).await;
    let first = ping(&mut timers, 0);
    assert!(!timers.on_pong(b""));
    assert!(!timers.on_pong(b"elephant"));
    assert!(timers.on_pong(&first));
    assert!(!timers.on_pong(&first), "it was answered already");
    next(&mut timers).await;
    ping(&mut timers, 0);
    assert!(
        !timers.on_pong(&first),
        "a late pong is not the answer to a new ping"
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_that_come_are_a_sign_of_life() {
    let mut timers = timers(Some(1000), None);
    next(&mut timers).await;
    ping(&mut timers, 0);
    for _ in 0..10 {
        advance(ms(250)).await;
        timers.on_read();
    }
    assert_eq!(next(&mut timers).await, (Due::PingTimeout, 300));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_go_count_only_while_the_ping_waits_behind_them() {
    let mut timers = timers(Some(1000), None);
    next(&mut timers).await;
    ping(&mut timers, 100);
    for written in [40, 80, 100] {
        advance(ms(250)).await;
        timers.on_write(written);
    }
    advance(ms(250)).await;
    timers.on_write(140);
    assert_eq!(next(&mut timers).await, (Due::PingTimeout, 50));
}

#[tokio::test(start_paused = true)]
async fn silence_is_noticed_from_the_last_byte_on() {
    let mut timers = timers(None, Some(500));
    advance(ms(400)).await;
    timers.on_read();
    assert_eq!(next(&mut timers).await, (Due::IdleTimeout, 500));
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_two_clocks_counts() {
    let mut early_ping = timers(Some(100), Some(500));
    assert_eq!(next(&mut early_ping).await, (Due::Ping, 100));
    let mut early_idle = timers(Some(500), Some(100));
    assert_eq!(next(&mut early_idle).await, (Due::IdleTimeout, 100));
}

#[tokio::test(start_paused = true)]
async fn after_our_close_frame_only_its_deadline_counts() {
    let mut timers = timers(Some(100), Some(100));
    timers.close_by(Instant::now() + ms(700));
    assert_eq!(next(&mut timers).await, (Due::CloseTimeout, 700));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_can_be_brought_forward() {
    let mut timers = timers(Some(1000), None);
    let poll = timers.poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(poll, Poll::Pending);
    timers.close_by(Instant::now() + ms(10));
    assert_eq!(next(&mut timers).await, (Due::CloseTimeout, 10));
}

#[tokio::test(start_paused = true)]
async fn an_endless_timeout_does_not_overflow() {
    let mut timers = Timers::new(Arc::new(Config {
        ping_interval: Some(Duration::MAX),
        idle_timeout: Some(Duration::MAX),
        ..Config::default()
    }));
    let due = timers.poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(due, Poll::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_message_has_so_long_from_its_first_byte() {
    let mut timers = timers(None, None);
    timers.on_read();
    timers.on_decoded(true);
    advance(ms(600)).await;
    // More of it comes, which changes nothing.
    timers.on_read();
    timers.on_decoded(true);
    assert_eq!(next(&mut timers).await, (Due::MessageTimeout, 100));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_begins_behind_another_has_its_own_time() {
    let mut timers = timers(None, None);
    timers.on_read();
    timers.on_decoded(true);
    advance(ms(600)).await;
    timers.on_read();
    timers.on_message();
    timers.on_decoded(true);
    assert_eq!(next(&mut timers).await, (Due::MessageTimeout, 700));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_whole_has_no_deadline() {
    let mut timers = timers(Some(5_000), None);
    timers.on_read();
    timers.on_decoded(true);
    advance(ms(600)).await;
    timers.on_read();
    timers.on_message();
    timers.on_decoded(false);
    assert_eq!(next(&mut timers).await, (Due::Ping, 4_400));
}
