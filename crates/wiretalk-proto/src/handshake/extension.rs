//! `Sec-WebSocket-Extensions`: RFC 6455 section 9.1.

use super::head::{is_token, is_token_byte};

/// One extension of an offer or an answer, with its parameters in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The extension's registered name.
    pub name: String,
    /// Parameters: name, and value if there is one. Quotes are taken off.
    pub parameters: Vec<(String, Option<String>)>,
}

impl Extension {
    /// The extensions of one header value; `None` if it does not follow the grammar.
    pub(crate) fn parse_list(value: &[u8]) -> Option<Vec<Self>> {
        let mut scanner = Scanner { rest: value };
        let mut extensions = Vec::new();
        loop {
            // RFC 9110 section 5.6.1: a list may have empty elements.
            while scanner.take(b',') {}
            if scanner.is_at_end() {
                return if extensions.is_empty() {
                    None
                } else {
                    Some(extensions)
                };
            }
            extensions.push(scanner.extension()?);
            if !scanner.is_at_end() && !scanner.take(b',') {
                return None;
            }
        }
    }
}

/// What has not been read, without space in front of it.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    fn extension(&mut self) -> Option<Extension> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.take(b';') {
            let name = self.token()?;
            let value = if self.take(b'=') {
                Some(self.value()?)
            } else {
                None
            };
            parameters.push((name, value));
        }
        Some(Extension { name, parameters })
    }

    /// A token, bare or in quotes. Section 9.1: within the quotes there must be a token too.
    fn value(&mut self) -> Option<String> {
        if !self.take(b'"') {
            return self.token();
        }
        let mut value = Vec::new();
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => break,
                b'\\' => {
                    let (escaped, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    value.push(*escaped);
                }
                byte => value.push(*byte),
            }
        }
        self.skip_space();
        if is_token(&value) {
            String::from_utf8(value).ok()
        } else {
            None
        }
    }

    fn token(&mut self) -> Option<String> {
        self.skip_space();
        let end = self
            .rest
            .iter()
            .position(|byte| !is_token_byte(*byte))
            .unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.skip_space();
        if token.is_empty() {
            None
        } else {
            String::from_utf8(token.to_vec()).ok()
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.rest.is_empty()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

#[cfg(test)]
mod tests;
