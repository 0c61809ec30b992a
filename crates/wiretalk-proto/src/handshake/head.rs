//! What the two heads, the request's and the response's, have in common: RFC 9110 and 9112.

use std::fmt;

/// The longest head that is taken, in bytes.
pub const HEAD_LIMIT: usize = 64 << 10;

/// The most header lines that are taken.
pub const HEADER_COUNT_LIMIT: usize = 128;

/// How far the parsing of a head came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// The empty line that ends the head has not come. Ask again with all bytes from the start and more behind them.
    Partial,
    /// The head is whole.
    Complete {
        /// Bytes of the head; what is behind it belongs to the connection.
        consumed: usize,
        /// What the head says.
        head: T,
    },
}

/// Bytes that are not the head that was awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// Not HTTP/1. Says what was wrong.
    #[error("not an HTTP/1 head: {0}")]
    Malformed(&'static str),
    /// Over [`HEAD_LIMIT`] or [`HEADER_COUNT_LIMIT`].
    #[error("the head has over {HEAD_LIMIT} bytes or {HEADER_COUNT_LIMIT} header lines")]
    TooLarge,
}

/// A header that must not be written, for it would not be read as what it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Empty, or with a character that no header name has.
    #[error("`{}` is not a header name", .0.escape_debug())]
    InvalidName(String),
    /// With a line break, a NUL or another control character, or with space around it.
    #[error("the value of header `{name}` has a control character or space at an end")]
    InvalidValue {
        /// The header.
        name: String,
    },
}

/// Headers that prove who somebody is.
const SECRETS: [&str; 4] = [
    "Authorization",
    "Cookie",
    "Proxy-Authorization",
    "Set-Cookie",
];

/// Header lines in the order in which they came. `Debug` does not show the values of those that prove who somebody is:
/// `Authorization`, `Cookie`, `Proxy-Authorization` and `Set-Cookie`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    lines: Vec<(String, Vec<u8>)>,
}

impl Headers {
    /// The value of the first line of that name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The values of all lines of that name, in any case.
    pub fn get_all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All lines: name, as it was written, and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        self.lines.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn parsed(lines: &[httparse::Header<'_>]) -> Self {
        Self {
            lines: lines
                .iter()
                .map(|line| (line.name.to_owned(), unfolded(line.value)))
                .collect(),
        }
    }
}

impl<N: Into<String>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(lines: I) -> Self {
        Self {
            lines: lines
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| {
            let is_secret = SECRETS
                .iter()
                .any(|secret| secret.eq_ignore_ascii_case(name));
            let value = if is_secret {
                "…".into()
            } else {
                String::from_utf8_lossy(value)
            };
            (name, value)
        };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

/// RFC 9112 section 5.2: the line breaks of a folded value mean one space each.
fn unfolded(value: &[u8]) -> Vec<u8> {
    if !value.contains(&b'\n') {
        return value.to_owned();
    }
    let lines: Vec<_> = value
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(&b' ')
}

/// As much of `input` as is looked at: no byte beyond the limit, so that the verdict does not hang on how much came at
/// once.
pub(super) fn bounded(input: &[u8]) -> &[u8] {
    &input[..input.len().min(HEAD_LIMIT)]
}

/// The verdict on a [`bounded`] input: the length of the head, or `None` if more must come.
pub(super) fn verdict(
    result: httparse::Result<usize>,
    input: &[u8],
) -> Result<Option<usize>, HeadError> {
    match result {
        Ok(httparse::Status::Complete(length)) => Ok(Some(length)),
        Ok(httparse::Status::Partial) if input.len() < HEAD_LIMIT => Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Err(HeadError::TooLarge)
        }
        Err(error) => Err(HeadError::Malformed(match error {
            httparse::Error::HeaderName => "a header's name has a character that none may have",
            httparse::Error::HeaderValue => "a header's value has a control character",
            httparse::Error::NewLine => "a line does not end with CR LF",
            httparse::Error::Status => "the status is not three digits and a reason",
            httparse::Error::Version => "the HTTP version is not 1.0 or 1.1",
            httparse::Error::Token | httparse::Error::TooManyHeaders => {
                "the first line has a character that does not belong there"
            }
        })),
    }
}

/// Header lines of any source, for judging.
pub(super) struct Lines<'h>(Vec<(&'h str, &'h [u8])>);

impl<'h> Lines<'h> {
    pub(super) fn new(lines: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        Self(lines.into_iter().collect())
    }

    /// The values of all lines of that name, without the space around them.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_ascii())
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The value of a header that may come once; an error if it came more often.
    pub(super) fn single(&self, name: &'static str) -> Result<Option<&'h [u8]>, Repeated> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_some() {
            Err(Repeated(name))
        } else {
            Ok(value)
        }
    }

    /// The elements of a comma-separated list, over all its lines; empty ones do not count (RFC 9110 section 5.6.1).
    pub(super) fn elements(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|element| !element.is_empty())
    }

    /// Whether a list has that token, in any case.
    pub(super) fn has_token(&self, name: &str, token: &str) -> bool {
        self.elements(name)
            .any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// All values of a header as one, for a message.
    pub(super) fn shown(&self, name: &str) -> String {
        let values: Vec<_> = self.values(name).map(String::from_utf8_lossy).collect();
        values.join(", ")
    }
}

/// A header that may come once came more often.
pub(super) struct Repeated(pub(super) &'static str);

/// Whether `bytes` are a token of RFC 9110 section 5.6.2, as header names and subprotocols are.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a line of that name and value is read as just that.
pub(super) fn check_line(name: &str, value: &[u8]) -> Result<(), HeaderError> {
    if !is_token(name.as_bytes()) {
        return Err(HeaderError::InvalidName(name.to_owned()));
    }
    if !is_field_text(value) || value.trim_ascii().len() != value.len() {
        return Err(HeaderError::InvalidValue {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// Whether `bytes` can stand in `Host` (RFC 9110 section 7.2): a name or an address, perhaps with a port. Which of them
/// is for whoever resolves it to find out.
pub(super) fn is_host(bytes: &[u8]) -> bool {
    let in_host = |byte: &u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'/' | b'?' | b'#' | b'@' | b'\\' | b',')
    };
    !bytes.is_empty() && bytes.iter().all(in_host)
}

/// Whether `bytes` hold no control character but the tab.
pub(super) fn is_field_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

pub(super) fn write_line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
