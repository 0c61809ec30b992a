use std::collections::HashMap;

use super::{Proxies, Proxy};
use crate::{ErrorKind, dial::url::Target};

#[test]
fn urls() {
    // As it is shown, and the user and password that it has.
    let cases = [
        ("http://proxy", "http://proxy:80", None),
        ("proxy:3128", "http://proxy:3128", None),
        ("HTTP://Proxy:3128/", "http://proxy:3128", None),
        ("https://proxy", "https://proxy:443", None),
        ("http://proxy:80", "http://proxy:80", None),
        ("socks5://proxy", "socks5://proxy:1080", None),
        ("socks5h://Proxy:80", "socks5h://proxy:80", None),
        ("socks5h://[::1]:9", "socks5h://[::1]:9", None),
        ("http://[::1]", "http://[::1]:80", None),
        ("socks5://127.1", "socks5://127.0.0.1:1080", None),
        (
            "http://u:p%40:x@proxy",
            "http://proxy:80",
            Some(("u", "p@:x")),
        ),
        ("u@proxy:1", "http://proxy:1", Some(("u", ""))),
        (
            "socks5://u:p@proxy",
            "socks5://proxy:1080",
            Some(("u", "p")),
        ),
    ];
    for (url, shown, credentials) in cases {
        let proxy: Proxy = url.parse().unwrap();
        assert_eq!(proxy.to_string(), shown, "{url}");
        let found = proxy.credentials.as_ref();
        let found = found.map(|it| (it.user.as_str(), it.password.as_str()));
        assert_eq!(found, credentials, "{url}");
    }
    let proxy: Proxy = "http://u:secret@proxy".parse().unwrap();
    assert_eq!(
        format!("{proxy:?}"),
        "Proxy(http://proxy:80 with credentials)"
    );
}

#[test]
fn what_is_no_proxy() {
    let long = format!("socks5://{}:secret@proxy", "u".repeat(256));
    let cases = [
        ("", "empty host"),
        ("http://", "empty host"),
        ("socks5://", "no host"),
        ("socks4://proxy", "`socks4:` is none of"),
        ("ftp://me:secret@proxy", "`ftp:` is none of"),
        ("http://proxy:99999", "port"),
        ("http://proxy/path", "follows the host"),
        ("http://proxy?q", "follows the host"),
        ("http://a%3Ab:secret@proxy", "colon"),
        ("socks5://:secret@proxy", "no empty user name"),
        (&long, "over 255 bytes"),
        ("http://me:secret\n@proxy", "control character"),
    ];
    for (url, why) in cases {
        let error = url.parse::<Proxy>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        let sentence = error.to_string();
        assert!(sentence.contains(why), "{url}: {sentence}");
        assert!(!sentence.contains("secret"), "{url}: {sentence}");
    }
    let proxy: Proxy = "http://proxy".parse().unwrap();
    let with = proxy.credentials("me", "sec:ret").unwrap();
    assert_eq!(with.to_string(), "http://proxy:80");
    let error = with.credentials("m:e", "secret").unwrap_err();
    assert!(error.to_string().contains("colon"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// Which proxy the environment names for a URL.
fn chosen(environment: &str, url: &str) -> Result<Option<String>, String> {
    let variables: HashMap<_, _> = environment
        .split(';')
        .filter_map(|line| line.split_once('='))
        .collect();
    let value = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let proxies = Proxies::from_variables(value).map_err(|error| error.to_string())?;
    let target = Target::parse(url).unwrap();
    Ok(proxies.for_target(&target).map(ToString::to_string))
}

#[test]
fn the_environment() {
    // The variables, the port of the proxy for `ws:` and of that for `wss:`.
    let cases = [
        ("", None, None),
        ("http_proxy=p:1", Some(1), None),
        ("HTTP_PROXY=p:1", None, None),
        ("https_proxy=p:1", None, Some(1)),
        ("HTTPS_PROXY=p:1", None, Some(1)),
        ("https_proxy=p:1;HTTPS_PROXY=p:2", None, Some(1)),
        ("all_proxy=p:1", Some(1), Some(1)),
        ("ALL_PROXY=p:1", Some(1), Some(1)),
        ("all_proxy=p:1;http_proxy=p:2", Some(2), Some(1)),
        ("ws_proxy=p:1;http_proxy=p:2", Some(1), None),
        ("WS_PROXY=p:1", Some(1), None),
        ("wss_proxy=p:1;https_proxy=p:2", None, Some(1)),
        ("http_proxy=;all_proxy= ", None, None),
        ("http_proxy=;all_proxy=p:1", Some(1), Some(1)),
        ("all_proxy=p:1;no_proxy=*", None, None),
        ("all_proxy=p:1;NO_PROXY=example.com:80", None, Some(1)),
        ("all_proxy=p:1;no_proxy=other;NO_PROXY=*", Some(1), Some(1)),
    ];
    for (environment, plain, secure) in cases {
        let shown = |port: Option<u16>| port.map(|port| format!("http://p:{port}"));
        let plain_found = chosen(environment, "ws://example.com/");
        assert_eq!(plain_found, Ok(shown(plain)), "{environment}");
        let secure_found = chosen(environment, "wss://example.com/");
        assert_eq!(secure_found, Ok(shown(secure)), "{environment}");
    }
}

#[test]
fn a_variable_that_cannot_be_read_is_named() {
    let error = chosen("http_proxy=socks4://p", "ws://a/").unwrap_err();
    assert!(
        error.starts_with("the environment's variable http_proxy: `socks4://p`"),
        "{error}"
    );
    let error = chosen("NO_PROXY=10.0.0.0/33", "ws://a/").unwrap_err();
    assert!(
        error.starts_with("the environment's variable NO_PROXY: "),
        "{error}"
    );
}
