//! Masking: RFC 6455 section 5.3.

use multiversion::multiversion;

/// Where masking keys come from. Section 5.3 wants them fresh for every frame and not to be guessed by whoever chose
/// the payload, so outside tests the source must be a strong one.
///
/// Any `FnMut() -> [u8; 4]` is a source.
pub trait MaskKeys {
    /// The key of the next frame.
    fn next_key(&mut self) -> [u8; 4];
}

impl<F: FnMut() -> [u8; 4]> MaskKeys for F {
    fn next_key(&mut self) -> [u8; 4] {
        self()
    }
}

/// Bytes that are worked on at once: two of the widest vector registers in wide use.
const BLOCK: usize = 64;

/// Payloads of this many bytes or more are worth the call that asks which vector registers the machine has.
const LONG: usize = 2048;

/// Masks or unmasks `payload` in place; the two are the same operation. `offset` is how many bytes of the frame's
/// payload came before `payload`, so that a frame can be worked on in pieces.
pub fn apply(payload: &mut [u8], key: [u8; 4], offset: u64) {
    let mut key = key;
    key.rotate_left((offset % 4) as usize);
    if payload.len() < LONG {
        apply_blocks(payload, key);
    } else {
        apply_long(payload, key);
    }
}

/// The same loop, compiled for wider vector registers, too.
#[multiversion(targets("x86_64+avx2", "x86_64+avx512f+avx512bw"))]
fn apply_long(payload: &mut [u8], key: [u8; 4]) {
    apply_blocks(payload, key);
}

#[inline(always)]
fn apply_blocks(payload: &mut [u8], key: [u8; 4]) {
    let mut wide = [0; BLOCK];
    for lane in wide.as_chunks_mut::<4>().0 {
        *lane = key;
    }
    let (blocks, rest) = payload.as_chunks_mut::<BLOCK>();
    for block in blocks {
        // Arrays of a known length: the compiler turns this into whole vector operations.
        for (byte, mask) in block.iter_mut().zip(&wide) {
            *byte ^= mask;
        }
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(key) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests;
