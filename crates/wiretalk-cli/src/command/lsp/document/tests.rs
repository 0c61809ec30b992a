use super::*;

fn document(text: &str, encoding: Encoding) -> Document {
    let uri = "file:///a/b.talk".parse().expect("an address");
    Document::new(&uri, text, encoding)
}

#[test]
fn positions_are_counted_as_agreed() {
    let text = "> é😀x\r\n<x";
    for (encoding, of_x) in [(Encoding::Utf8, 8), (Encoding::Utf16, 5)] {
        let document = document(text, encoding);
        let offset = text.find('x').expect("an x");
        let position = document.position(offset);
        assert_eq!(position, Position::new(0, of_x));
        assert_eq!(document.offset(position), offset);
        assert_eq!(document.offset(Position::new(1, 1)), text.len() - 1);
        assert_eq!(document.offset(Position::new(1, 99)), text.len());
        assert_eq!(document.offset(Position::new(99, 0)), text.len());
    }
}

#[test]
fn what_is_written_is_taken_over() {
    let mut document = document("> a\n> 😀b\n", Encoding::Utf16);
    let change = |range: Option<(Position, Position)>, text: &str| TextDocumentContentChangeEvent {
        range: range.map(|(start, end)| Range::new(start, end)),
        range_length: None,
        text: text.to_owned(),
    };
    let (start, end) = (Position::new(1, 4), Position::new(1, 5));
    document.change(change(Some((start, end)), "c\n< d"));
    assert_eq!(document.source().text(), "> a\n> 😀c\n< d\n");
    document.change(change(None, "> all anew\n"));
    assert_eq!(document.source().text(), "> all anew\n");
}

#[test]
fn mistakes_are_told_with_their_mends() {
    let document = document("conect ws://127.0.0.1:1\n", Encoding::Utf16);
    let found = document.findings();
    assert_eq!(
        found[0].message,
        "`conect` is not a directive\ndid you mean `connect`?"
    );
    assert_eq!(
        found[0].range,
        Range::new(Position::new(0, 0), Position::new(0, 6))
    );
}
