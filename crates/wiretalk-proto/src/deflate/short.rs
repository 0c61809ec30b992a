//! A compressor for short messages that stand for themselves: RFC 1951, one block with the fixed codes.
//!
//! zlib and its kin clear tables of 128 KiB or more before each message, which takes longer than to compress 1 KiB. This
//! one has a table of 8 KiB, looks only at the newest place where four bytes came before, and writes in one go.

/// The longest message that this is for, in bytes. For longer ones a larger table pays.
pub(super) const LONGEST: usize = 16 << 10;

const HASH_BITS: u32 = 12;
const LEAST_MATCH: usize = 4;
const MOST_MATCH: usize = 258;

/// Bytes that are read at once to see how far two places are the same.
const LOOK: usize = 8;

/// Room for the bits of a match or four literals over the output's end, and for the message's end.
const SLACK: usize = 32;

/// Where each hash of four bytes was seen last. Allocated when it is first used.
#[derive(Default)]
pub(super) struct Table(Option<Box<[u16; 1 << HASH_BITS]>>);

/// Bytes of output that [`compress`] needs room for.
pub(super) const fn room(payload: usize) -> usize {
    // A literal takes nine bits at most, and a match no more than its bytes would.
    payload + payload / 8 + SLACK
}

/// Compresses a payload of at most [`LONGEST`] bytes, without looking back further than 2^`window_bits`. Gives the
/// length of what is in `output`: a message's data as they are on the wire (RFC 7692 section 7.2.1).
pub(super) fn compress(
    payload: &[u8],
    window_bits: u8,
    table: &mut Table,
    output: &mut [u8],
) -> usize {
    let table = table.0.get_or_insert_with(|| Box::new([0; 1 << HASH_BITS]));
    table.fill(0);
    let window = 1usize << window_bits;
    let mut bits = Bits {
        output,
        at: 0,
        held: 0,
        count: 0,
    };
    bits.put(FIXED_BLOCK);
    // The first byte that is not written yet, and the place that is looked at.
    let (mut from, mut at) = (0, 1);
    if let Some(word) = word(payload, 0) {
        table[hash(word)] = 0;
    }
    while let Some(here) = word(payload, at) {
        let slot = &mut table[hash(here)];
        let before = usize::from(*slot);
        *slot = at as u16;
        if word(payload, before) != Some(here) || at - before > window {
            at += 1;
            continue;
        }
        bits.literals(&payload[from..at]);
        let length = LEAST_MATCH + same(payload, before + LEAST_MATCH, at + LEAST_MATCH);
        bits.copy(length, at - before);
        let end = at + length;
        // Most of what comes again comes again in the same order: a place near the end leads to the longest match.
        for place in [at + 1, end - 2, end - 1] {
            if let Some(word) = word(payload, place) {
                table[hash(word)] = place as u16;
            }
        }
        (from, at) = (end, end);
    }
    bits.literals(&payload[from..]);
    bits.put(END_OF_BLOCK);
    bits.put(STORED_BLOCK);
    bits.finish()
}

fn word(payload: &[u8], at: usize) -> Option<u32> {
    payload
        .get(at..)?
        .first_chunk()
        .map(|word| u32::from_le_bytes(*word))
}

fn hash(word: u32) -> usize {
    (word.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}

/// How many bytes from `before` and from `at` on are the same, no more than a match may have.
fn same(payload: &[u8], before: usize, at: usize) -> usize {
    let most = (payload.len() - at).min(MOST_MATCH - LEAST_MATCH);
    let (before, at) = (&payload[before..before + most], &payload[at..at + most]);
    let (before_wide, before_rest) = before.as_chunks::<LOOK>();
    let (at_wide, at_rest) = at.as_chunks::<LOOK>();
    for (i, (before, at)) in before_wide.iter().zip(at_wide).enumerate() {
        let differ = u64::from_le_bytes(*before) ^ u64::from_le_bytes(*at);
        if differ != 0 {
            return LOOK * i + differ.trailing_zeros() as usize / 8;
        }
    }
    let rest = before_rest.iter().zip(at_rest);
    LOOK * before_wide.len() + rest.take_while(|(before, at)| before == at).count()
}

/// Some bits, the first one lowest.
#[derive(Clone, Copy)]
struct Code {
    bits: u32,
    count: u8,
}

/// Not the last block, fixed codes (RFC 1951 section 3.2.3).
const FIXED_BLOCK: Code = Code {
    bits: 0b010,
    count: 3,
};

/// Not the last block, no compression: its length is what is cut off of a message.
const STORED_BLOCK: Code = Code { bits: 0, count: 3 };

const END_OF_BLOCK: Code = fixed(256);

/// Codes of bytes, of lengths from [`LEAST_MATCH`] on, and of the 30 kinds of distances without their extra bits.
static LITERALS: [Code; 256] = literals();
static LENGTHS: [Code; MOST_MATCH - LEAST_MATCH + 1] = lengths();

/// RFC 1951 section 3.2.6, with the bits in the order in which they are written.
const fn fixed(symbol: u32) -> Code {
    let (code, count) = match symbol {
        0..=143 => (0b0011_0000 + symbol, 8),
        144..=255 => (0b1_1001_0000 + symbol - 144, 9),
        256..=279 => (symbol - 256, 7),
        _ => (0b1100_0000 + symbol - 280, 8),
    };
    Code {
        bits: code.reverse_bits() >> (32 - count),
        count: count as u8,
    }
}

const fn literals() -> [Code; 256] {
    let mut codes = [Code { bits: 0, count: 0 }; 256];
    let mut byte = 0;
    while byte < codes.len() {
        codes[byte] = fixed(byte as u32);
        byte += 1;
    }
    codes
}

/// RFC 1951 section 3.2.5: a symbol, and the bits that say which length of those that it stands for.
const fn lengths() -> [Code; MOST_MATCH - LEAST_MATCH + 1] {
    let mut codes = [Code { bits: 0, count: 0 }; MOST_MATCH - LEAST_MATCH + 1];
    let mut i = 0;
    while i < codes.len() {
        let length = (LEAST_MATCH + i) as u32;
        let (symbol, extra, extra_count) = if length == MOST_MATCH as u32 {
            (285, 0, 0)
        } else if length < 11 {
            (254 + length, 0, 0)
        } else {
            // From here on each power of two has four symbols.
            let above = length - 3;
            let extra_count = above.ilog2() - 2;
            let symbol = 257 + 4 * extra_count + (above >> extra_count);
            (symbol, above & ((1 << extra_count) - 1), extra_count)
        };
        let Code { bits, count } = fixed(symbol);
        codes[i] = Code {
            bits: bits | extra << count,
            count: count + extra_count as u8,
        };
        i += 1;
    }
    codes
}

/// RFC 1951 section 3.2.5: five bits, and those that say which distance.
fn distance(distance: usize) -> Code {
    let above = distance as u32 - 1;
    let (symbol, extra, extra_count) = if above < 4 {
        (above, 0, 0)
    } else {
        // Each power of two has two symbols.
        let extra_count = above.ilog2() - 1;
        let symbol = 2 * extra_count + (above >> extra_count);
        (symbol, above & ((1 << extra_count) - 1), extra_count)
    };
    Code {
        bits: symbol.reverse_bits() >> 27 | extra << 5,
        count: 5 + extra_count as u8,
    }
}

/// Bits on their way to bytes.
struct Bits<'o> {
    output: &'o mut [u8],
    /// Bytes of output that are whole.
    at: usize,
    held: u64,
    /// Bits of `held`; less than eight between calls.
    count: u32,
}

impl Bits<'_> {
    fn put(&mut self, code: Code) {
        self.hold(code);
        self.flush();
    }

    fn literals(&mut self, bytes: &[u8]) {
        let (fours, rest) = bytes.as_chunks::<4>();
        for four in fours {
            for byte in four {
                self.hold(LITERALS[usize::from(*byte)]);
            }
            self.flush();
        }
        for byte in rest {
            self.hold(LITERALS[usize::from(*byte)]);
        }
        self.flush();
    }

    fn copy(&mut self, length: usize, from: usize) {
        self.hold(LENGTHS[length - LEAST_MATCH]);
        self.hold(distance(from));
        self.flush();
    }

    fn hold(&mut self, code: Code) {
        self.held |= u64::from(code.bits) << self.count;
        self.count += u32::from(code.count);
    }

    fn flush(&mut self) {
        if let Some(room) = self.output.get_mut(self.at..self.at + 8) {
            room.copy_from_slice(&self.held.to_le_bytes());
        }
        self.at += self.count as usize / 8;
        self.held >>= self.count & !7;
        self.count &= 7;
    }

    /// Fills the last byte up with zeros.
    fn finish(mut self) -> usize {
        self.count = self.count.next_multiple_of(8);
        self.flush();
        self.at
    }
}

#[cfg(test)]
mod tests;
