//! The text of a talk's bytes.

/// The text of a talk's bytes: UTF-8, with or without a byte order mark.
///
/// # Errors
/// Where the first byte is that is not UTF-8, and a hint how to mend it.
pub fn decode(bytes: &[u8]) -> Result<&str, NotUtf8> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        let line_start = valid
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        NotUtf8 {
            line: valid.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: String::from_utf8_lossy(&valid[line_start..])
                .chars()
                .count()
                + 1,
            byte: bytes.get(error.valid_up_to()).copied().unwrap_or_default(),
        }
    })
}

/// A talk must be UTF-8, and this one is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8 {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The byte found there.
    pub byte: u8,
}

impl std::fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "line {}, column {}: the byte 0x{:02x} is not UTF-8; save the talk as UTF-8 (from Latin-1: `iconv -f LATIN1 -t UTF-8`)",
            self.line, self.column, self.byte
        )
    }
}

impl std::error::Error for NotUtf8 {}
