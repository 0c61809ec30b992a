use super::NoProxy;

#[test]
fn who_is_in_the_list() {
    // The list, who is in it, who is not: each a host and perhaps a port behind a slash (80 if none).
    let cases = [
        ("", "", "a.com 127.0.0.1 localhost"),
        ("*", "a.com ::1 localhost/1", ""),
        (
            "a.com",
            "a.com A.COM x.a.com x.y.A.com a.com.",
            "xa.com com b.com",
        ),
        (".a.com", "a.com x.a.com", "xa.com"),
        ("*.a.com", "a.com x.a.com", "xa.com"),
        ("a.com.", "a.com x.a.com", "xa.com"),
        ("b.com, a.com", "a.com b.com", "c.com"),
        ("b.com a.com\tc.com,,", "a.com b.com c.com", "d.com"),
        ("a.com:81", "a.com/81 x.a.com/81", "a.com a.com/8"),
        ("*:81", "a.com/81 ::1/81", "a.com"),
        ("localhost", "localhost x.localhost", "127.0.0.1 ::1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.2 localhost x.127.0.0.1"),
        ("127.0.0.1:81", "127.0.0.1/81", "127.0.0.1"),
        (
            "10.0.0.0/8",
            "10.0.0.0 10.255.255.255",
            "11.0.0.0 9.9.9.9 ::a00:0",
        ),
        ("10.1.2.3/8", "10.9.9.9", "11.1.2.3"),
        ("0.0.0.0/0", "1.2.3.4 255.255.255.255", "::1"),
        ("1.2.3.4/32", "1.2.3.4", "1.2.3.5"),
        ("::1", "::1", "::2 127.0.0.1"),
        ("[::1]", "::1", "::2"),
        ("[::1]:81", "::1/81", "::1"),
        ("fd00::/8", "fd00::1 fdff::1", "fe00::1"),
        ("[fd00::/8]:81", "fd12::1/81", "fd12::1"),
        ("::/0", "::1 ffff::", "1.2.3.4"),
    ];
    for (list, inside, outside) in cases {
        let parsed: NoProxy = list.parse().unwrap();
        for (servers, expected) in [(inside, true), (outside, false)] {
            for server in servers.split_whitespace() {
                let (host, port) = server.split_once('/').unwrap_or((server, "80"));
                let has = parsed.has(host, port.parse().unwrap());
                assert_eq!(has, expected, "`{list}` and {server}");
            }
        }
    }
}

#[test]
fn what_is_no_list() {
    let cases = [
        ("10.0.0.0/33", "more bits"),
        ("10.0.0.0/x", "more bits"),
        ("::/129", "more bits"),
        ("a.com/8", "no IP address"),
        ("a.com:x", "no number"),
        ("a.com:99999", "no number"),
        ("[::1", "never closed"),
        ("[::1]x", "follows its bracket"),
        (".", "not empty"),
        ("a.*.com", "no `*`"),
        ("*a.com", "no `*`"),
        ("*.", "not empty"),
    ];
    for (list, why) in cases {
        let error = list.parse::<NoProxy>().unwrap_err();
        assert!(error.to_string().contains(why), "{list}: {error}");
    }
}
