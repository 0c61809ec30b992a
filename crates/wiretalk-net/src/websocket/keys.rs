//! Masking keys that nobody can guess: RFC 6455 section 10.3.

use std::cell::RefCell;

use wiretalk_proto::MaskKeys;

/// Random bytes that are fetched at once, so that a system call serves many frames.
const FETCHED: usize = 1024;

/// The keys of this thread. They come straight from the operating system's generator and each is used once, so that no
/// frame tells anything about the next; no connection has to hold a generator of its own.
pub(super) struct SystemKeys;

struct Pool {
    bytes: [u8; FETCHED],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; FETCHED], used: FETCHED }) };
}

impl MaskKeys for SystemKeys {
    fn next_key(&mut self) -> [u8; 4] {
        POOL.with_borrow_mut(Pool::next)
    }
}

impl Pool {
    fn next(&mut self) -> [u8; 4] {
        if self.used == FETCHED {
            getrandom::fill(&mut self.bytes).expect(
                "the system's random source has worked for this connection's opening handshake",
            );
            self.used = 0;
        }
        let mut key = [0; 4];
        let taken = &mut self.bytes[self.used..self.used + 4];
        key.copy_from_slice(taken);
        // What was used is forgotten, so that it cannot be read from memory later.
        taken.fill(0);
        self.used += 4;
        key
    }
}
