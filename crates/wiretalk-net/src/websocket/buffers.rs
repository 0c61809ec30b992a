//! Buffers that the connections of a thread share: one that is silent holds none.

use std::cell::RefCell;

use wiretalk_proto::{Assembled, Codecs};

/// The size of a read. Large enough that a batch of messages, or a good part of a big one, comes in one system call.
pub(super) const READ_SIZE: usize = 128 * 1024;

/// The room of a new buffer for writing: enough for a burst of small messages, so that it need not grow meanwhile.
const WRITE_SIZE: usize = 2048;

/// Buffers above this are not kept: one big message should not hold its memory for ever.
const KEPT_CAPACITY: usize = 256 * 1024;

/// Buffers that a thread keeps. More are in use only while many connections are in the middle of something.
const KEPT: usize = 16;

thread_local! {
    static READ: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static WRITE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static CODECS: RefCell<Codecs> = RefCell::new(Codecs::new());
}

/// Lends the compressors of this thread.
pub(super) fn with_codecs<T>(lend: impl FnOnce(&mut Codecs) -> T) -> T {
    CODECS.with_borrow_mut(lend)
}

/// Gives back the buffer of a message. When the thread ends, there may be nobody left to take it.
pub(super) fn give_message(message: Assembled) {
    let _ = CODECS.try_with(|codecs| codecs.borrow_mut().give_back(message));
}

/// An empty buffer with room for [`READ_SIZE`] bytes.
pub(super) fn take_read() -> Vec<u8> {
    READ.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(READ_SIZE))
}

/// An empty buffer with some room.
pub(super) fn take_write() -> Vec<u8> {
    WRITE
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(WRITE_SIZE))
}

/// Gives back a buffer of [`take_read`].
pub(super) fn give_read(buffer: Vec<u8>) {
    if buffer.capacity() >= READ_SIZE {
        READ.with_borrow_mut(|kept| keep(kept, buffer));
    }
}

/// Gives back a buffer of [`take_write`].
pub(super) fn give_write(buffer: Vec<u8>) {
    WRITE.with_borrow_mut(|kept| keep(kept, buffer));
}

fn keep(kept: &mut Vec<Vec<u8>>, mut buffer: Vec<u8>) {
    if buffer.capacity() > 0 && buffer.capacity() <= KEPT_CAPACITY && kept.len() < KEPT {
        buffer.clear();
        kept.push(buffer);
    }
}
