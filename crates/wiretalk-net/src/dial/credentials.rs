//! A user name and a password, and how HTTP sends them: RFC 7617.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use url::Url;

/// A user name and a password. Neither is shown by `Debug`, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Credentials {
    /// What stands before the `@` of a URL, decoded; `None` if nothing does. The error says what is wrong.
    pub(super) fn of_url(url: &Url) -> Result<Option<Self>, &'static str> {
        if url.username().is_empty() && url.password().is_none() {
            return Ok(None);
        }
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| "its user name or password is not UTF-8 when decoded")
        };
        Self::new(
            decode(url.username())?,
            decode(url.password().unwrap_or_default())?,
        )
        .map(Some)
    }

    /// Judges both by section 2 of RFC 7617. The error says what is wrong.
    pub(super) fn new(user: String, password: String) -> Result<Self, &'static str> {
        if user.contains(':') {
            return Err("its user name has a colon, which Basic authentication cannot send");
        }
        if user
            .chars()
            .chain(password.chars())
            .any(|c| c.is_ascii_control())
        {
            return Err("its user name or password has a control character");
        }
        Ok(Self { user, password })
    }

    /// The value of `Authorization` or `Proxy-Authorization`.
    pub(super) fn basic(&self) -> String {
        let Self { user, password } = self;
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// The scheme of a URL and what stands behind its `://`, if it has one. There may be a `://` in a password, too.
pub(super) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.split_once("://")
        .filter(|(scheme, _)| scheme.bytes().all(is_scheme))
}

/// A URL without what stands before its `@`, for a person who reads an error. It need not be a URL at all.
pub(super) fn without_secrets(text: &str) -> String {
    let begin = split_scheme(text).map_or(0, |(scheme, _)| scheme.len() + 3);
    let rest = &text[begin..];
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password that was not encoded may hold any of those three; then it is the last `@` that counts.
    let at = rest[..authority].rfind('@').or_else(|| {
        let looks_so = rest[..authority].contains(':');
        rest.rfind('@').filter(|_| looks_so)
    });
    match at {
        Some(at) => format!("{}…{}", &text[..begin], &rest[at..]),
        None => text.to_owned(),
    }
}
