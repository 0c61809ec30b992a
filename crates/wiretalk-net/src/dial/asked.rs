//! What is asked of one of the servers on the way: the caller's request, without what only the first may see.

use super::{request::Request, url::Target};
use crate::error::Error;

/// Headers that prove who the caller is. They stay at home when a server sends the client elsewhere.
const SECRETS: [&str; 3] = ["Authorization", "Cookie", "Proxy-Authorization"];

/// The request for `target`, where `first` is the server that the caller named.
///
/// A user name and a password become an `Authorization` header (RFC 7617), unless the caller set one. A `Host` header
/// of the caller's takes the place of the URL's authority. Both, and all [`SECRETS`], go only to the caller's server:
/// not if scheme, host or port differ.
///
/// # Errors
/// `InvalidInput` for two `Host` headers.
pub(super) fn asked(
    request: &Request,
    target: &mut Target,
    first: &Target,
) -> Result<Request, Error> {
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let home = target.same_origin(first);
    let mut asked = request.clone();
    if !home {
        asked.headers.retain(|(name, _)| !is_secret(name));
    }
    let mut hosts = asked.headers.extract_if(.., |(name, _)| is(name, "Host"));
    let (host, another) = (hosts.next(), hosts.next());
    drop(hosts);
    if another.is_some() {
        return Err(Error::invalid("header `Host` is set twice"));
    }
    if let Some((_, host)) = host.filter(|_| home) {
        target.authority = host;
    }
    let own = target.credentials.as_ref();
    let credentials = own.or(first.credentials.as_ref().filter(|_| home));
    if let Some(credentials) = credentials
        && !asked
            .headers
            .iter()
            .any(|(name, _)| is(name, "Authorization"))
    {
        let line = ("Authorization".to_owned(), credentials.basic());
        asked.headers.push(line);
    }
    Ok(asked)
}

/// Whether it is one of the headers that prove who the caller is.
pub(crate) fn is_secret(name: &str) -> bool {
    SECRETS
        .iter()
        .any(|secret| secret.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
