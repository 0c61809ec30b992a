use bytes::Bytes;

use super::{COMPACT, Output, PIECES};
use std::io::IoSlice;

/// What the queue would hand to the stream, all of it.
fn wire(output: &Output) -> Vec<u8> {
    let mut pieces = [IoSlice::new(&[]); PIECES];
    let count = output.pieces(&mut pieces);
    pieces[..count]
        .iter()
        .flat_map(|piece| piece.to_vec())
        .collect()
}

#[test]
fn pieces_leave_in_order_however_they_are_cut() {
    for cut in [1, 2, 3, 5, 7, 100] {
        let mut output = Output::default();
        output.append(|out| out.extend_from_slice(b"ab"));
        output.append_shared(Bytes::from_static(b"CDE"));
        output.append_shared(Bytes::from_static(b"FG"));
        output.append(|out| out.extend_from_slice(b"hi"));
        output.append_shared(Bytes::from_static(b"J"));
        assert_eq!(output.waiting(), 10);

        let mut came = Vec::new();
        while output.waiting() > 0 {
            let all = wire(&output);
            assert_eq!(all.len(), output.waiting(), "cut {cut}");
            let taken = cut.min(all.len());
            came.extend_from_slice(&all[..taken]);
            output.advance(taken);
        }
        assert_eq!(came, b"abCDEFGhiJ", "cut {cut}");
        assert_eq!(output.bytes.capacity(), 0, "the buffer is given back");
    }
}

#[test]
fn what_was_sent_is_cut_off_and_payloads_keep_their_place() {
    let mut output = Output::default();
    output.append(|out| out.resize(COMPACT + 1, b'x'));
    output.append(|out| out.push(b'a'));
    output.append_shared(Bytes::from_static(b"B"));
    output.advance(COMPACT + 1);
    output.append(|out| out.push(b'c'));
    assert_eq!(output.bytes.len(), 2);
    assert_eq!(wire(&output), b"aBc");
}

#[test]
fn an_append_of_nothing_keeps_what_is_queued_by_reference() {
    let mut output = Output::default();
    output.append(|out| out.resize(COMPACT, b'x'));
    for _ in 0..=PIECES {
        output.append_shared(Bytes::from_static(b"y"));
    }
    output.advance(COMPACT);
    output.append(|_| ());
    assert_eq!(output.waiting(), PIECES + 1);
    assert_eq!(wire(&output), vec![b'y'; PIECES]);
}

#[test]
fn what_cannot_be_sent_is_forgotten() {
    let mut output = Output::default();
    output.append(|out| out.extend_from_slice(b"abc"));
    output.append_shared(Bytes::from_static(b"d"));
    output.advance(1);
    output.discard();
    assert_eq!((output.waiting(), output.sent(), output.end()), (0, 1, 1));
}
