use std::net::SocketAddr;

use super::{ConnectTo, Resolve};
use crate::ErrorKind;

#[test]
fn another_host_and_port() {
    // The rule, what is dialed, and where that leads.
    let cases = [
        ("a.com:80:b.com:81", ("a.com", 80), Some(("b.com", 81))),
        ("a.com:80:b.com:81", ("A.COM", 80), Some(("b.com", 81))),
        ("a.com:80:b.com:81", ("a.com", 443), None),
        ("a.com:80:b.com:81", ("x.a.com", 80), None),
        ("::b.com:81", ("any", 1), Some(("b.com", 81))),
        (":80:b.com:", ("any", 80), Some(("b.com", 80))),
        (":80:b.com:", ("any", 81), None),
        ("a.com:::81", ("a.com", 80), Some(("a.com", 81))),
        (":::", ("a.com", 80), Some(("a.com", 80))),
        ("[::1]:80:[::2]:81", ("::1", 80), Some(("::2", 81))),
        // As a URL has it.
        (
            "xn--bcher-kva.example:80:b_c.com:81",
            ("xn--bcher-kva.example", 80),
            Some(("b_c.com", 81)),
        ),
    ];
    for (rule, (host, port), expected) in cases {
        let parsed: ConnectTo = rule.parse().unwrap();
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(parsed.apply(host, port), expected, "{rule}");
        assert_eq!(parsed.to_string(), rule);
    }
}

#[test]
fn known_addresses() {
    let cases = [
        ("a.com:80:127.0.0.1", ("a.com", 80), "127.0.0.1:80"),
        (
            "a.com:80:127.0.0.1,[::1]",
            ("A.com", 80),
            "127.0.0.1:80 [::1]:80",
        ),
        ("a.com:80:127.0.0.1", ("a.com", 81), ""),
        ("a.com:80:127.0.0.1", ("b.com", 80), ""),
        ("*:80:[::1]", ("any", 80), "[::1]:80"),
        ("[::2]:80:[::1]", ("::2", 80), "[::1]:80"),
    ];
    for (rule, (host, port), expected) in cases {
        let parsed: Resolve = rule.parse().unwrap();
        let found: Vec<SocketAddr> = if parsed.is_for(host, port) {
            parsed.addresses(port).collect()
        } else {
            Vec::new()
        };
        let expected: Vec<SocketAddr> = expected
            .split_whitespace()
            .map(|address| address.parse().unwrap())
            .collect();
        assert_eq!(found, expected, "{rule}");
        assert_eq!(parsed.to_string(), rule);
    }
    let same: ConnectTo = "Bücher.example:80:[0:0::1]:".parse().unwrap();
    assert_eq!(same.to_string(), "xn--bcher-kva.example:80:[::1]:");
    let bare: Resolve = "a.com:80:::1".parse().unwrap();
    assert_eq!(bare.to_string(), "a.com:80:[::1]");
}

#[test]
fn what_is_no_rule() {
    let rules = [
        ("", "1 parts"),
        ("a:80:b", "3 parts"),
        ("a:80:b:81:c", "5 parts"),
        ("a:x:b:81", "1 to 65535"),
        ("a:0:b:81", "1 to 65535"),
        ("a:80:b:65536", "1 to 65535"),
        ("[::1:80:b:81", "never closed"),
        ("[::1]x:80:b:81", "between `]`"),
        ("a:80:b\r\nX-Y\r\n:81", "a name or an IP address"),
        ("a:80:b c:81", "a name or an IP address"),
        ("a:80:b%0d%0a:81", "a name or an IP address"),
        ("a:80:me@b:81", "a name or an IP address"),
        ("a/x:80:b:81", "a name or an IP address"),
        ("[a:b]:80:b:81", "a name or an IP address"),
    ];
    for (rule, why) in rules {
        let error = rule.parse::<ConnectTo>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{rule}");
        assert!(error.to_string().contains(why), "{rule}: {error}");
    }
    let rules = [
        ("", "three parts"),
        ("a:80", "three parts"),
        ("a::1.2.3.4", "names no port"),
        (":80:1.2.3.4", "names no host"),
        ("a b:80:1.2.3.4", "a name or an IP address"),
        ("a:80:", "`` is no IP address"),
        ("a:80:1.2.3.4,", "`` is no IP address"),
        ("a:80:b.com", "`b.com` is no IP address"),
    ];
    for (rule, why) in rules {
        let error = rule.parse::<Resolve>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{rule}");
        assert!(error.to_string().contains(why), "{rule}: {error}");
    }
}
