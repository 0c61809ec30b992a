//! UTF-8 that comes in pieces: RFC 6455 section 8.1.

/// Where text stops being UTF-8: the number of bytes before the ill-formed (or, at the end, unfinished) sequence, as
/// [`std::str::Utf8Error::valid_up_to`] counts them, from the beginning of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not valid UTF-8 at byte {at}")]
pub struct InvalidUtf8 {
    /// Valid bytes before.
    pub at: u64,
}

/// Decodes text that is cut anywhere. Every piece is checked once, when it comes; a fault is told with the first byte
/// that shows it.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// The beginning of a sequence whose end has not come.
    pending: [u8; 4],
    pending_length: u8,
    /// Bytes of whole characters so far.
    valid: u64,
}

impl Decoder {
    /// A decoder at the beginning of a text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands the whole characters that `piece` ends or holds to `take`, in order; at most two calls. What remains is
    /// the beginning of a character (up to three bytes), and is kept for the next piece.
    ///
    /// # Errors
    /// Where the text stops being UTF-8. The decoder is of no use after that.
    pub fn decode(&mut self, piece: &[u8], mut take: impl FnMut(&str)) -> Result<(), InvalidUtf8> {
        let piece = self.finish_pending(piece, &mut take)?;
        match simdutf8::compat::from_utf8(piece) {
            Ok(text) => self.pass(text, &mut take),
            Err(error) => {
                let (valid, rest) = piece.split_at(error.valid_up_to());
                if error.error_len().is_some() {
                    return Err(InvalidUtf8 {
                        at: self.valid + valid.len() as u64,
                    });
                }
                let text = simdutf8::basic::from_utf8(valid)
                    .map_err(|_| InvalidUtf8 { at: self.valid })?;
                self.pass(text, &mut take);
                self.pending[..rest.len()].copy_from_slice(rest);
                self.pending_length = rest.len() as u8;
            }
        }
        Ok(())
    }

    /// Checks that the text does not end within a character.
    ///
    /// # Errors
    /// Where the unfinished character begins.
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        if self.pending_length == 0 {
            Ok(())
        } else {
            Err(InvalidUtf8 { at: self.valid })
        }
    }

    /// Ends the sequence that the last piece began, byte by byte, and gives back the rest of `piece`.
    fn finish_pending<'p>(
        &mut self,
        mut piece: &'p [u8],
        take: &mut impl FnMut(&str),
    ) -> Result<&'p [u8], InvalidUtf8> {
        while self.pending_length > 0 {
            let Some((byte, rest)) = piece.split_first() else {
                break;
            };
            piece = rest;
            // Never over: three bytes at most are pending, since four are a character or a fault.
            self.pending[usize::from(self.pending_length)] = *byte;
            self.pending_length += 1;
            let pending = self.pending;
            match std::str::from_utf8(&pending[..usize::from(self.pending_length)]) {
                Ok(text) => {
                    self.pending_length = 0;
                    self.pass(text, take);
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(InvalidUtf8 { at: self.valid }),
            }
        }
        Ok(piece)
    }

    fn pass(&mut self, text: &str, take: &mut impl FnMut(&str)) {
        if !text.is_empty() {
            self.valid += text.len() as u64;
            take(text);
        }
    }
}

/// The text of `bytes`, checked at once.
///
/// # Errors
/// Where they stop being UTF-8.
pub fn decode_whole(bytes: &[u8]) -> Result<&str, InvalidUtf8> {
    // The quick check does not know where; only a text that fails it is looked at twice.
    simdutf8::basic::from_utf8(bytes).or_else(|_| {
        simdutf8::compat::from_utf8(bytes).map_err(|error| InvalidUtf8 {
            at: error.valid_up_to() as u64,
        })
    })
}

#[cfg(test)]
mod tests;
