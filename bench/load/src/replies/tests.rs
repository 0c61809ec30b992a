use super::*;
use crate::script::Kind;

/// The replies to two rounds of a script, as a server would send them.
fn replies(script: &Script) -> Vec<u8> {
    let messages = 0..2 * script.count();
    messages.flat_map(|at| script.reply(at).to_vec()).collect()
}

/// Takes `bytes` in pieces of `step`.
fn take(script: &Script, bytes: &[u8], step: usize) -> Result<usize, Failure> {
    let mut replies = Replies::new(0);
    let mut complete = 0;
    for chunk in bytes.chunks(step) {
        complete += replies.handle(script, chunk)?;
    }
    Ok(complete)
}

#[test]
fn replies_may_come_in_any_pieces() {
    for kind in [Kind::Text, Kind::Binary, Kind::Raw] {
        for size in [0, 1, 125, 126, 1000] {
            let script = Script::new(kind, size, 4).unwrap();
            let bytes = replies(&script);
            for step in [1, 2, 3, 7, 129, bytes.len()] {
                let complete = take(&script, &bytes, step).unwrap();
                assert_eq!(complete, 2 * script.count(), "{kind:?} {size} by {step}");
            }
        }
    }
}

#[test]
fn pings_between_replies_are_passed_over() {
    let script = Script::new(Kind::Text, 10, 1).unwrap();
    let ping = [PING, 3, 1, 2, 3];
    let bytes = [&ping, script.reply(0), &ping, &[PING, 0], script.reply(1)].concat();
    for step in 1..bytes.len() {
        assert_eq!(take(&script, &bytes, step).unwrap(), 2, "by {step}");
    }
}

#[test]
fn a_wrong_byte_is_found() {
    let script = Script::new(Kind::Text, 100, 1).unwrap();
    let good = replies(&script);
    for at in [0, 1, 2, 50, 101, 102, 150] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        take(&script, &bad, 64).unwrap_err();
    }
}

#[test]
fn of_a_long_reply_the_ends_are_compared() {
    let script = Script::new(Kind::Binary, 100_000, 1).unwrap();
    let good = script.reply(0).to_vec();
    for at in [0, 9, 63, good.len() - 64, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        take(&script, &bad, 1000).unwrap_err();
    }
}

#[test]
fn compressed_replies_are_inflated_and_compared() {
    let script = Script::new(Kind::Deflate, 1024, 1).unwrap();
    // What a client sends, without its mask, is what a server might send back.
    let unmasked = |message: usize| {
        let mut wire = script.wire(message, 1).to_vec();
        let header = if wire[1] & 0x7F == 126 { 4 } else { 2 };
        wire[1] &= 0x7F;
        let mask: Vec<u8> = wire.drain(header..header + 4).collect();
        let payload = wire[header..].iter_mut().zip(mask.iter().cycle());
        payload.for_each(|(byte, mask)| *byte ^= mask);
        wire
    };
    let bytes = [unmasked(0), unmasked(1), unmasked(2)].concat();
    for step in [1, 5, 333, bytes.len()] {
        assert_eq!(take(&script, &bytes, step).unwrap(), 3);
    }
    take(&script, &unmasked(1), 100).unwrap_err();
}
