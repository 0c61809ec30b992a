use sha2::{Digest, Sha256};

use super::super::tests::{passed, written};
use super::{MOST_FAILED, MOST_PASSED, SCRIPT, SCRIPT_HASH, STYLE, STYLE_HASH};
use crate::record::{Direction, Kind};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[test]
fn the_page_lets_its_own_style_and_script_run() {
    for (name, text, hash) in [
        ("STYLE_HASH", STYLE, STYLE_HASH),
        ("SCRIPT_HASH", SCRIPT, SCRIPT_HASH),
    ] {
        assert_eq!(STANDARD.encode(Sha256::digest(text)), hash, "{name}");
        assert!(!text.contains("</"), "{name}: it would end there");
    }
}

#[test]
fn the_page_asks_for_nothing() {
    let page = written("html", &[passed("a test")]);
    assert!(page.contains("default-src &#39;none&#39;"), "{page}");
    for attribute in ["src=", "srcset=", "action=", "ping=", "@import", "url("] {
        assert!(!page.contains(attribute), "{attribute}");
    }
    for link in page.split("href=\"").skip(1) {
        assert!(
            link.starts_with('#') || link.starts_with("data:,"),
            "{link}"
        );
    }
}

#[test]
fn a_test_shows_the_first_and_the_last_messages() {
    let mut result = passed("many messages");
    let payloads: Vec<String> = (0..1000)
        .map(|number| format!("message {number}."))
        .collect();
    result.log = super::super::tests::log(
        payloads
            .iter()
            .map(|payload| (Direction::Sent, Kind::Text, payload.as_bytes(), 5)),
    );
    let page = written("html", &[result]);
    for (number, there) in [
        (0, true),
        (19, true),
        (20, false),
        (819, false),
        (820, true),
        (999, true),
    ] {
        assert_eq!(
            page.contains(&format!("message {number}.")),
            there,
            "{number}"
        );
    }
    assert!(page.contains("800 messages are not in this report"));
}

#[test]
fn a_long_payload_is_folded_and_cut() {
    let mut result = passed("a long message");
    let payload = vec![b'a'; 1024 * 1024];
    result.log = super::super::tests::log([
        (Direction::Sent, Kind::Text, &payload[..], 5),
        (Direction::Sent, Kind::Binary, &payload[..], 6),
    ]);
    let page = written("html", &[result]);
    assert!(page.len() < 64 * 1024, "{} bytes", page.len());
    assert!(page.contains("and 1020.1 KiB more, not in this report"));
    assert!(page.contains("and 1023.5 KiB more, not in this report"));
}

#[test]
fn a_page_of_many_tests_is_bounded_and_counts_them_all() {
    let payload = vec![b'<'; 3000];
    let results: Vec<_> = (0..2000)
        .map(|number| {
            let mut result = passed(&format!("test {number}"));
            result.line = number + 1;
            result.log = super::super::tests::log([(Direction::Sent, Kind::Text, &payload[..], 5)]);
            result
        })
        .collect();
    let page = written("html", &results);
    assert!(
        page.len() < MOST_PASSED + MOST_FAILED,
        "{} bytes",
        page.len()
    );
    assert!(page.contains("All 2000 tests passed"));
    assert_eq!(page.matches("class=\"test passed\"").count(), 2000);
    assert!(page.contains("would grow too large"));
}
