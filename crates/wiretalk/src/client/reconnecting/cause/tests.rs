use std::time::SystemTime;

use super::*;

#[test]
fn statuses_that_tell_of_a_moment() {
    let found: Vec<u16> = (100..600)
        .filter(|&status| is_of_a_moment(status))
        .collect();
    let expected: Vec<u16> = [408, 425, 429, 500]
        .into_iter()
        .chain(502..505)
        .chain(506..600)
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn seconds_or_a_date() {
    for (value, wait) in [
        ("0", Some(0)),
        ("120", Some(120)),
        (" 7 ", Some(7)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", Some(0)),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("99999999999999999999", None),
    ] {
        assert_eq!(
            retry_after(value.as_bytes()),
            wait.map(Duration::from_secs),
            "{value}"
        );
    }
    assert_eq!(retry_after(b"\xff"), None);
}

#[test]
fn a_date_to_come() {
    let date = SystemTime::now() + Duration::from_secs(1000);
    let wait = retry_after(httpdate::fmt_http_date(date).as_bytes()).expect("it is a date");
    // The date is cut to the second.
    assert!((900..=1000).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn a_close_is_told_with_its_code_and_reason() {
    let closed = |reason: &str| {
        Cause::Closed(CloseFrame {
            code: 1001.into(),
            reason: reason.into(),
        })
        .to_string()
    };
    assert_eq!(
        closed(""),
        "the server closed the connection with 1001 (going away)"
    );
    assert_eq!(
        closed("back soon"),
        "the server closed the connection with 1001 (going away): back soon"
    );
}
