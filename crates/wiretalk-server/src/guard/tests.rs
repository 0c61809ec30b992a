use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{hmac, rand::SystemRandom};
use serde_json::json;

use super::*;
use crate::gate::{Pass, Payload};

const SECRET: &[u8] = b"a secret of thirty-two bytes or more";
/// The time at which everything here happens, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let lines = lines.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(name, value);
    }
    map
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token that is signed by a function of what is signed.
fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn by_secret(secret: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

fn hs256(claims: &Value) -> String {
    token(
        &json!({"alg": "HS256", "typ": "JWT"}),
        claims,
        by_secret(SECRET),
    )
}

fn jwt() -> Tokens {
    let jwt = Jwt::new(Keys::secret(SECRET).unwrap());
    Tokens::default().jwt(jwt.audience("chat").issuer("login"))
}

/// What becomes of a handshake: the name of the reason for which it is refused, or `in`.
fn answer(
    guard: &Arc<Guard>,
    peer: &str,
    lines: &[(&str, &str)],
    uri: &'static str,
) -> &'static str {
    let asked = Asked {
        uri: &Uri::from_static(uri),
        headers: &headers(lines),
        peer: peer.parse().unwrap(),
        now: Instant::now(),
        time: time(NOW),
    };
    match guard.admit(&asked) {
        Ok(_) => "in",
        Err(refused) => refused.refusal.reason.name(),
    }
}

#[test]
fn addresses_are_judged_where_clients_really_are() {
    let guard = Guard::new(GuardOptions {
        allow: Networks::list(["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"]).unwrap(),
        deny: Networks::list(["192.0.2.66"]).unwrap(),
        trusted_proxies: Networks::list(["10.0.0.0/8"]).unwrap(),
        ..GuardOptions::default()
    });
    let via = |lines: &[(&str, &str)]| answer(&guard, "10.0.0.1:1", lines, "/");
    assert_eq!(answer(&guard, "192.0.2.1:1", &[], "/"), "in");
    assert_eq!(answer(&guard, "[::ffff:192.0.2.1]:1", &[], "/"), "in");
    assert_eq!(answer(&guard, "[2001:db8::1]:1", &[], "/"), "in");
    assert_eq!(answer(&guard, "192.0.2.66:1", &[], "/"), "address");
    assert_eq!(answer(&guard, "198.51.100.1:1", &[], "/"), "address");
    assert_eq!(via(&[("x-forwarded-for", "192.0.2.1")]), "in");
    assert_eq!(via(&[("x-forwarded-for", "192.0.2.66")]), "address");
    assert_eq!(
        via(&[("x-forwarded-for", "198.51.100.1, 10.9.9.9")]),
        "address"
    );
    // What a client adds itself stands before what the proxy says, on lines of their own as well.
    assert_eq!(
        via(&[("x-forwarded-for", "192.0.2.1, 198.51.100.1")]),
        "address"
    );
    let two = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-for", "198.51.100.1"),
    ];
    assert_eq!(via(&two), "address");
    // Nor does it help to add what is no text.
    let mut lines = HeaderMap::new();
    let value = HeaderValue::from_bytes(b"\xff, 198.51.100.1").unwrap();
    lines.insert("x-forwarded-for", value);
    let asked = Asked {
        uri: &Uri::from_static("/"),
        headers: &lines,
        peer: "10.0.0.1:1".parse().unwrap(),
        now: Instant::now(),
        time: time(NOW),
    };
    let refused = guard.admit(&asked).unwrap_err();
    assert_eq!(refused.peer.ip().to_string(), "198.51.100.1");
    // Only a trusted proxy is believed.
    let forged = [("x-forwarded-for", "192.0.2.1")];
    assert_eq!(answer(&guard, "198.51.100.1:1", &forged, "/"), "address");
}

#[test]
fn proxies_write_addresses_in_several_ways() {
    let trusted = Networks::list(["10.0.0.0/8"]).unwrap();
    let cases = [
        (ForwardedBy::XForwardedFor, "192.0.2.1:4711", "192.0.2.1"),
        (
            ForwardedBy::XForwardedFor,
            "[2001:db8::1]:4711",
            "2001:db8::1",
        ),
        (ForwardedBy::XForwardedFor, "2001:db8::1", "2001:db8::1"),
        (ForwardedBy::XForwardedFor, "unknown", "10.0.0.1"),
        (
            ForwardedBy::XForwardedFor,
            "192.0.2.1, unknown, 10.0.0.2",
            "10.0.0.2",
        ),
        (
            ForwardedBy::Forwarded,
            "for=192.0.2.1;proto=https",
            "192.0.2.1",
        ),
        (
            ForwardedBy::Forwarded,
            r#"for="[2001:db8::1]:47""#,
            "2001:db8::1",
        ),
        (
            ForwardedBy::Forwarded,
            "proto=https;For=192.0.2.1, for=10.0.0.2",
            "192.0.2.1",
        ),
        (ForwardedBy::Forwarded, "for=_hidden", "10.0.0.1"),
        (ForwardedBy::Forwarded, "proto=https", "10.0.0.1"),
    ];
    for (by, value, expected) in cases {
        let lines = headers(&[match by {
            ForwardedBy::XForwardedFor => ("x-forwarded-for", value),
            ForwardedBy::Forwarded => ("forwarded", value),
        }]);
        let peer = "10.0.0.1".parse().unwrap();
        let real = networks::real_address(peer, &lines, &trusted, by);
        assert_eq!(real.to_string(), expected, "{value}");
    }
    let lines = headers(&[
        ("forwarded", "for=192.0.2.1"),
        ("x-forwarded-for", "192.0.2.2"),
    ]);
    let peer = "10.0.0.1".parse().unwrap();
    let real = networks::real_address(peer, &lines, &trusted, ForwardedBy::Forwarded);
    assert_eq!(
        real.to_string(),
        "192.0.2.1",
        "the other header is the client's own"
    );
}

#[test]
fn tokens_are_checked_by_signature_time_audience_and_issuer() {
    let fine = json!({"sub": "ada", "aud": "chat", "iss": "login", "exp": NOW + 60});
    let with = |name: &str, value: Value| {
        let mut claims = fine.clone();
        claims[name] = value;
        hs256(&claims)
    };
    let without = |name: &str| {
        let mut claims = fine.clone();
        claims.as_object_mut().unwrap().remove(name);
        hs256(&claims)
    };
    let signed = |header: Value, sign: &[u8]| token(&header, &fine, by_secret(sign));
    let hs = || json!({"alg": "HS256"});
    let cases = [
        ("fine", hs256(&fine), "in"),
        (
            "one of several audiences",
            with("aud", json!(["shop", "chat"])),
            "in",
        ),
        ("a fraction", with("exp", json!(NOW as f64 + 0.5)), "in"),
        ("within the leeway", with("exp", json!(NOW - 9)), "in"),
        ("expired", with("exp", json!(NOW - 10)), "token-expired"),
        ("without an end", without("exp"), "token-invalid"),
        (
            "an end that is no number",
            with("exp", json!("soon")),
            "token-invalid",
        ),
        ("not yet", with("nbf", json!(NOW + 11)), "token-invalid"),
        ("for others", with("aud", json!("shop")), "token-invalid"),
        ("for nobody", without("aud"), "token-invalid"),
        ("of others", with("iss", json!("evil")), "token-invalid"),
        ("of nobody", without("iss"), "token-invalid"),
        (
            "forged",
            signed(hs(), b"another secret of thirty-two bytes"),
            "token-invalid",
        ),
        (
            "alg none",
            token(&json!({"alg": "none"}), &fine, |_| Vec::new()),
            "token-invalid",
        ),
        (
            "alg None",
            token(&json!({"alg": "nOnE"}), &fine, |_| Vec::new()),
            "token-invalid",
        ),
        (
            "no signature",
            token(&hs(), &fine, |_| Vec::new()),
            "token-invalid",
        ),
        (
            "too weak for the name",
            signed(json!({"alg": "HS512"}), SECRET),
            "token-invalid",
        ),
        (
            "critical",
            signed(
                json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
                SECRET,
            ),
            "token-invalid",
        ),
        (
            "its own key",
            signed(
                json!({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}),
                b"\0\0\0",
            ),
            "token-invalid",
        ),
        ("no token", "x.y.z".to_owned(), "token-invalid"),
        ("nothing", String::new(), "token-invalid"),
    ];
    let guard = Guard::new(GuardOptions {
        tokens: Some(jwt()),
        ..GuardOptions::default()
    });
    for (name, token, expected) in cases {
        let bearer = format!("Bearer {token}");
        let lines = [("authorization", &*bearer)];
        assert_eq!(
            answer(&guard, "192.0.2.1:1", &lines, "/"),
            expected,
            "{name}"
        );
    }
    assert_eq!(answer(&guard, "192.0.2.1:1", &[], "/"), "token-missing");
    let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    assert_eq!(answer(&guard, "192.0.2.1:1", &twice, "/"), "token-invalid");
}

#[test]
fn a_public_key_is_no_secret() {
    let pem = rcgen::KeyPair::generate().unwrap().public_key_pem();
    let keys = Keys::pem(pem.as_bytes()).unwrap();
    let guard = Guard::new(GuardOptions {
        tokens: Some(Tokens::default().jwt(Jwt::new(keys))),
        ..GuardOptions::default()
    });
    let claims = json!({"exp": NOW + 60});
    // The attack of CVE-2015-9235: what everybody may know is used as the secret.
    let forged = token(&json!({"alg": "HS256"}), &claims, by_secret(pem.as_bytes()));
    let bearer = format!("Bearer {forged}");
    let lines = [("authorization", &*bearer)];
    assert_eq!(answer(&guard, "192.0.2.1:1", &lines, "/"), "token-invalid");
}

#[tokio::test(start_paused = true)]
async fn sets_of_keys_are_read_anew_for_a_key_that_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let pair = || {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()
    };
    let (old, new) = (pair(), pair());
    let jwk = |id: &str, pair: &Ed25519KeyPair| {
        let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x, "use": "sig"})
    };
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"});
    let set = json!({"keys": [unknown, jwk("old", &old)]});
    std::fs::write(&file, set.to_string()).unwrap();
    let keys = Keys::file(&file).unwrap();
    let guard = Guard::new(GuardOptions {
        tokens: Some(Tokens::default().jwt(Jwt::new(keys))),
        ..GuardOptions::default()
    });
    let try_in = |id: &str, pair: &Ed25519KeyPair| {
        let header = json!({"alg": "EdDSA", "kid": id});
        let sign = |message: &[u8]| pair.sign(message).as_ref().to_vec();
        let token = token(&header, &json!({"exp": NOW + 60}), sign);
        let bearer = format!("Bearer {token}");
        answer(&guard, "192.0.2.1:1", &[("authorization", &*bearer)], "/")
    };
    assert_eq!(try_in("old", &old), "in");
    assert_eq!(try_in("old", &new), "token-invalid", "signed by another");
    assert_eq!(try_in("new", &new), "token-unchecked");
    let set = json!({"keys": [jwk("new", &new)]});
    std::fs::write(&file, set.to_string()).unwrap();
    assert!(guard.refresh().await.unwrap());
    assert_eq!(try_in("new", &new), "in");
    assert_eq!(
        try_in("old", &old),
        "token-invalid",
        "it is not there any more"
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!guard.refresh().await.unwrap(), "that was done just now");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(
        try_in("old", &old),
        "token-unchecked",
        "it may be there again"
    );
    std::fs::write(&file, "{}").unwrap();
    assert!(guard.refresh().await.is_err());
    assert_eq!(try_in("new", &new), "in", "what was there stays");
}

#[test]
fn tokens_are_looked_for_where_they_may_be() {
    let guard = |places: &[TokenFrom]| {
        Guard::new(GuardOptions {
            tokens: Some(
                Tokens::from_places(places.to_vec())
                    .known("s3cret")
                    .known("other"),
            ),
            ..GuardOptions::default()
        })
    };
    let header = ("authorization", "bearer s3cret");
    let cookie = ("cookie", "a=b; session=s3cret");
    let protocol = ("sec-websocket-protocol", "chat, bearer, s3cret");
    type Lines<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&[TokenFrom], Lines<'_>, &str, &str); 9] = [
        (&[], &[header], "/", "in"),
        (
            &[TokenFrom::Header],
            &[("authorization", "Basic s3cret")],
            "/",
            "token-missing",
        ),
        (
            &[TokenFrom::Query("access_token".into())],
            &[],
            "/?access_token=s3cret",
            "in",
        ),
        (
            &[TokenFrom::Query("t".into())],
            &[],
            "/?t=s3cret&t=x",
            "token-invalid",
        ),
        (
            &[TokenFrom::Query("t".into())],
            &[header],
            "/",
            "token-missing",
        ),
        (&[TokenFrom::Cookie("session".into())], &[cookie], "/", "in"),
        (
            &[TokenFrom::Cookie("s".into())],
            &[cookie],
            "/",
            "token-missing",
        ),
        (&[TokenFrom::Subprotocol], &[protocol], "/", "in"),
        (
            &[TokenFrom::Header, TokenFrom::Subprotocol],
            &[("authorization", "Bearer x"), protocol],
            "/",
            "token-invalid",
        ),
    ];
    for (places, lines, uri, expected) in cases {
        let got = answer(&guard(places), "192.0.2.1:1", lines, uri);
        assert_eq!(got, expected, "{places:?} {lines:?} {uri}");
    }
}

#[test]
fn a_token_in_the_first_message_is_taken_as_text_or_as_json() {
    let guard = Guard::new(GuardOptions {
        tokens: Some(Tokens::from_places([TokenFrom::Message]).known("s3cret")),
        most_per_address: Some(1),
        ..GuardOptions::default()
    });
    let first = |text: &str| {
        let asked = Asked {
            uri: &Uri::from_static("/"),
            headers: &HeaderMap::new(),
            peer: "192.0.2.1:1".parse().unwrap(),
            now: Instant::now(),
            time: time(NOW),
        };
        let admitted = guard
            .admit(&asked)
            .map_err(|refused| refused.refusal.reason.name())?;
        assert!(admitted.unproven);
        let proven = guard.prove(admitted, text, Instant::now(), time(NOW));
        proven
            .map(|proven| proven.unproven)
            .map_err(|refused| refused.refusal.reason.name())
    };
    for text in [
        "s3cret",
        " s3cret\n",
        r#"{"token":"s3cret","type":"hello"}"#,
    ] {
        assert_eq!(first(text), Ok(false), "{text}");
    }
    assert_eq!(first("wrong"), Err("token-invalid"));
    assert_eq!(first(r#"{"type":"hello"}"#), Err("token-missing"));
}

#[test]
fn rates_hold_for_a_connection_a_user_and_an_address() {
    let rate = |text: &str| Some(text.parse().unwrap());
    let limit = |text| Limit {
        messages: rate(text),
        bytes: None,
    };
    let guard = Guard::new(GuardOptions {
        connection: Limit {
            messages: rate("10/s:3"),
            bytes: rate("100/s:1000"),
        },
        user: limit("1/s:4"),
        address: limit("1/s:5"),
        tokens: Some(jwt()),
        ..GuardOptions::default()
    });
    let enter = |user: &str, address: &str| {
        let claims = json!({"sub": user, "aud": "chat", "iss": "login", "exp": NOW + 3600});
        let bearer = format!("Bearer {}", hs256(&claims));
        let asked = Asked {
            uri: &Uri::from_static("/"),
            headers: &headers(&[("authorization", &bearer)]),
            peer: address.parse().unwrap(),
            now: guard.began,
            time: time(NOW),
        };
        guard.admit(&asked).unwrap().gate.unwrap()
    };
    let at = |ms: u64| guard.began + Duration::from_millis(ms);
    let hi = Payload::Text("hi");
    let why = |gate: &mut Box<dyn Gate>, payload, ms| match gate.message(payload, at(ms)) {
        Ok(pass) => {
            assert_eq!(pass, Pass::On);
            "on"
        }
        Err(expelled) => {
            assert_eq!(expelled.code, 1008);
            expelled.kind
        }
    };
    let mut ada = enter("ada", "192.0.2.1:1");
    let got = [0, 0, 0, 0].map(|ms| why(&mut ada, hi, ms));
    assert_eq!(got, ["on", "on", "on", "rate"]);
    assert_eq!(
        why(&mut ada, hi, 100),
        "on",
        "a tenth of a second brings one back"
    );
    let mut again = enter("ada", "192.0.2.2:1");
    assert_eq!(
        why(&mut again, hi, 100),
        "user-rate",
        "four of hers came already"
    );
    let mut bob = enter("bob", "192.0.2.1:2");
    assert_eq!(why(&mut bob, hi, 100), "on");
    let mut eve = enter("eve", "192.0.2.1:3");
    assert_eq!(
        why(&mut eve, hi, 100),
        "address-rate",
        "the sixth from there"
    );
    let mut big = enter("big", "192.0.2.9:1");
    let bytes = [0; 600];
    assert_eq!(why(&mut big, Payload::Binary(&bytes), 0), "on");
    assert_eq!(why(&mut big, Payload::Binary(&bytes), 1000), "rate");
    assert_eq!(why(&mut big, Payload::Binary(&bytes), 3000), "on");
}

#[test]
fn what_is_counted_is_let_go_once_it_would_make_no_difference() {
    let counts = Counts::<u32>::default();
    let rate = Rate::new(1.0, None).unwrap();
    let second = 1_000_000_000;
    let buckets = counts.enter(7, Some(2), 0).unwrap();
    assert!(counts.enter(7, Some(2), 0).is_some());
    assert!(counts.enter(7, Some(2), 0).is_none(), "two are the most");
    assert!(rate.take(&buckets.messages, 1, 0));
    counts.leave(&7, 0);
    counts.leave(&7, 0);
    assert_eq!(counts.len(), 1, "it would come back with a full bucket");
    let buckets = counts.enter(7, None, 0).unwrap();
    assert!(!rate.take(&buckets.messages, 1, 0));
    counts.leave(&7, second);
    assert_eq!(counts.len(), 0);
    // A flood of addresses that each take something and vanish: only those of the last second are there.
    for key in 0..100_000 {
        let now = u64::from(key) * second / 100;
        let buckets = counts.enter(key, None, now).unwrap();
        assert!(rate.take(&buckets.messages, 1, now));
        counts.leave(&key, now);
    }
    assert!(counts.len() <= 1024, "{}", counts.len());
}

#[test]
fn an_address_has_so_many_connections_and_a_network_of_ipv6_as_many() {
    let guard = Guard::new(GuardOptions {
        most_per_address: Some(1),
        ..GuardOptions::default()
    });
    for (one, same, other) in [
        ("192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"),
        ("[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1"),
    ] {
        let enter = |peer: &str| {
            guard.admit(&Asked {
                uri: &Uri::from_static("/"),
                headers: &HeaderMap::new(),
                peer: peer.parse().unwrap(),
                now: Instant::now(),
                time: time(NOW),
            })
        };
        let first = enter(one).unwrap();
        assert_eq!(
            enter(same).err().unwrap().refusal.reason,
            Reason::AddressFull
        );
        assert!(enter(other).is_ok());
        drop(first);
        assert!(enter(same).is_ok(), "the place is free again");
    }
}

#[test]
fn tokens_and_silences_end_connections() {
    let guard = Guard::new(GuardOptions {
        tokens: Some(jwt()),
        idle: Some(Duration::from_secs(30)),
        ..GuardOptions::default()
    });
    let claims = json!({"aud": "chat", "iss": "login", "exp": NOW + 40});
    let bearer = format!("Bearer {}", hs256(&claims));
    let now = guard.began;
    let asked = Asked {
        uri: &Uri::from_static("/"),
        headers: &headers(&[("authorization", &bearer)]),
        peer: "192.0.2.1:1".parse().unwrap(),
        now,
        time: time(NOW),
    };
    let mut gate = guard.admit(&asked).unwrap().gate.unwrap();
    let at = |seconds| now + Duration::from_secs(seconds);
    assert_eq!(gate.deadline(), Some(at(30)));
    assert!(gate.message(Payload::Text("hi"), at(20)).is_ok());
    assert_eq!(gate.over(at(30)), Ok(()), "it was not silent");
    assert_eq!(gate.deadline(), Some(at(50)));
    assert_eq!(
        gate.over(at(50)).unwrap_err().kind,
        "token-expired",
        "40 s, and 10 s for clocks that are wrong"
    );
    let expelled = gate.message(Payload::Text("hi"), at(50)).unwrap_err();
    assert_eq!(expelled.kind, "token-expired", "it never stops talking");
    let mut gate = guard.admit(&asked).unwrap().gate.unwrap();
    gate.unread(at(25));
    assert_eq!(gate.over(at(30)), Ok(()), "nobody read what it sent");
    let mut gate = guard.admit(&asked).unwrap().gate.unwrap();
    let expelled = gate.over(at(30)).unwrap_err();
    assert_eq!((expelled.code, expelled.kind), (1001, "idle"));
}

#[test]
fn nothing_is_kept_for_a_client_of_which_nothing_is_watched() {
    let guard = Guard::new(GuardOptions::default());
    let asked = Asked {
        uri: &Uri::from_static("/"),
        headers: &HeaderMap::new(),
        peer: "192.0.2.1:1".parse().unwrap(),
        now: Instant::now(),
        time: time(NOW),
    };
    assert!(guard.admit(&asked).unwrap().gate.is_none());
}

#[cfg(feature = "schema")]
#[test]
fn messages_are_as_the_schema_wants() {
    let schema =
        json!({"type": "object", "required": ["type"], "properties": {"type": {"enum": ["say"]}}});
    let guard = Guard::new(GuardOptions {
        schema: Some(Schema::parse(schema.to_string().as_bytes()).unwrap()),
        ..GuardOptions::default()
    });
    let now = Instant::now();
    let admit = || {
        let asked = Asked {
            uri: &Uri::from_static("/"),
            headers: &HeaderMap::new(),
            peer: "192.0.2.1:1".parse().unwrap(),
            now,
            time: time(NOW),
        };
        guard.admit(&asked).unwrap().gate.unwrap()
    };
    let why = |payload| {
        admit()
            .message(payload, now)
            .map_err(|expelled| expelled.reason.to_string())
    };
    assert_eq!(why(Payload::Text(r#"{"type":"say"}"#)), Ok(Pass::On));
    assert_eq!(
        why(Payload::Text(r#"{"type":"shout"}"#)),
        Err("`/type` breaks `/properties/type/enum`".into())
    );
    assert_eq!(
        why(Payload::Text("[]")),
        Err("the message breaks `/type`".into())
    );
    assert_eq!(
        why(Payload::Text("{")),
        Err("the message is no JSON".into())
    );
    assert_eq!(
        why(Payload::Binary(b"{}")),
        Err("the message is binary, and must be JSON".into())
    );
}
