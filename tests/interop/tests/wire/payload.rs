//! Messages of any size.

use wiretalk_net::Message;

/// More than the largest window, so that no repetition of it is found; and odd, so that its boundaries fall together
/// with none of masks or buffers.
const BLOCK: usize = 61_001;

/// A message of so many bytes; a text is UTF-8 of all lengths, and half of what is binary can be compressed.
pub(crate) fn message(kind: &str, size: usize) -> Message {
    match kind {
        "text" => text(size).into(),
        _ => binary(size).into(),
    }
}

/// A text of so many bytes, all in one line: a character that would be cut at its end gives way to dots.
pub(crate) fn text(size: usize) -> String {
    let mut chance = Chance(1);
    let mut block = String::new();
    while block.len() < BLOCK {
        let name = ["Zoë", "你好", "🎈", "plain"][chance.next() as usize % 4];
        block += &format!(r#"{{"n":{},"name":"{name}"}},"#, chance.next());
    }
    let mut text = block.repeat(size / block.len() + 1);
    let whole = (0..=size).rev().find(|end| text.is_char_boundary(*end));
    let whole = whole.expect("0 is a boundary");
    text.truncate(whole);
    text + &".".repeat(size - whole)
}

fn binary(size: usize) -> Vec<u8> {
    let mut chance = Chance(2);
    let mut block = vec![0; BLOCK];
    block[..BLOCK / 2].fill_with(|| chance.next().to_le_bytes()[0]);
    let mut bytes = block.repeat(size / BLOCK + 1);
    bytes.truncate(size);
    bytes
}

/// Numbers that are the same in every run, and look like chance.
struct Chance(u32);

impl Chance {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The low bits of such a generator are no chance at all.
        self.0 >> 8
    }
}
