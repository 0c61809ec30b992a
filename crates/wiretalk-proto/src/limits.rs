//! What a peer may make us hold: RFC 6455 section 10.4.

/// Bounds on what is received. A frame that breaks one is refused when its header has come, before its payload; a
/// compressed message that becomes too long, while it is decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, in bytes of payload, all fragments together and decompressed. Default: 64 MiB.
    pub message_size: usize,
    /// The longest frame, in bytes of payload as they are on the wire. Default: 64 MiB.
    pub frame_size: u64,
    /// The most frames that one message may consist of. They cost time, not memory. Default: 1,048,576, so that 64 MiB
    /// may come in fragments of 64 bytes.
    pub fragments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 64 << 20,
            frame_size: 64 << 20,
            fragments: 1 << 20,
        }
    }
}
