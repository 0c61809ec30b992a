use super::{CloseCode, REASON_LIMIT, shorten_reason};

/// The codes of section 7.4.1 and of the IANA registry: number, meaning, whether a close frame may carry them.
#[test]
fn codes_and_their_meanings() {
    let cases = [
        (CloseCode::NORMAL, 1000, "normal closure", true),
        (CloseCode::GOING_AWAY, 1001, "going away", true),
        (CloseCode::PROTOCOL_ERROR, 1002, "protocol error", true),
        (CloseCode::UNSUPPORTED, 1003, "unsupported data", true),
        (CloseCode::NO_STATUS, 1005, "no status received", false),
        (CloseCode::ABNORMAL, 1006, "abnormal closure", false),
        (CloseCode::INVALID_PAYLOAD, 1007, "invalid payload", true),
        (CloseCode::POLICY, 1008, "policy violation", true),
        (CloseCode::TOO_BIG, 1009, "message too big", true),
        (
            CloseCode::MANDATORY_EXTENSION,
            1010,
            "mandatory extension",
            true,
        ),
        (CloseCode::INTERNAL, 1011, "internal error", true),
        (CloseCode::SERVICE_RESTART, 1012, "service restart", true),
        (CloseCode::TRY_AGAIN_LATER, 1013, "try again later", true),
        (CloseCode::BAD_GATEWAY, 1014, "bad gateway", true),
        (CloseCode::TLS_HANDSHAKE, 1015, "TLS handshake", false),
    ];
    for (code, number, name, may_be_sent) in cases {
        assert_eq!((u16::from(code), CloseCode::from(number)), (number, code));
        assert_eq!(
            (code.name(), code.may_be_sent()),
            (Some(name), may_be_sent),
            "{number}"
        );
        assert_eq!(code.to_string(), format!("{number} ({name})"));
    }
    assert_eq!(
        (
            CloseCode::new(4000).name(),
            CloseCode::new(4000).to_string()
        ),
        (None, "4000".to_owned())
    );
}

#[test]
fn a_reason_is_shortened_between_two_characters() {
    assert_eq!(shorten_reason("short"), "short");
    assert_eq!(shorten_reason(&"x".repeat(200)).len(), REASON_LIMIT);
    assert_eq!(shorten_reason(&"é".repeat(100)), "é".repeat(61));
}
