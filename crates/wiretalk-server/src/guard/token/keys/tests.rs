use super::{Secrets, read_set};

#[test]
fn a_published_secret_is_no_key() {
    let secret = r#"{"kty":"oct","kid":"s","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;
    // The public key of RFC 8037 A.2.
    let public = r#"{"kty":"OKP","crv":"Ed25519","kid":"p","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let both = format!(r#"{{"keys":[{secret},{public}]}}"#);
    let names = |document: &str, secrets| {
        let keys = read_set(document.as_bytes(), secrets);
        keys.map(|keys| {
            keys.into_iter()
                .filter_map(|key| key.id)
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(names(&both, Secrets::Taken).expect("keys"), ["s", "p"]);
    assert_eq!(names(&both, Secrets::Refused).expect("a key"), ["p"]);
    let alone = format!(r#"{{"keys":[{secret}]}}"#);
    assert!(names(&alone, Secrets::Taken).is_ok());
    let refused = names(&alone, Secrets::Refused).expect_err("no key");
    assert!(refused.to_string().contains("`oct`"), "{refused}");
}
