//! Servers that send the client elsewhere: RFC 9110 15.4, RFC 6455 4.1.

use std::time::Duration;

use url::Url;

use super::{
    credentials::without_secrets,
    handshake::{Redirect, Timings},
    url::Target,
};
use crate::error::{Error, RefusedHandshake};

/// The way so far.
pub(super) struct Way {
    max: u32,
    hops: Vec<Redirect>,
}

impl Way {
    pub(super) fn new(max: u32) -> Self {
        Self {
            max,
            hops: Vec::new(),
        }
    }

    /// The redirects, in their order.
    pub(super) fn into_hops(self) -> Vec<Redirect> {
        self.hops
    }

    /// Where to go on after this error of a server.
    ///
    /// # Errors
    /// The error itself, if it is no redirect or redirects are not followed; else why this one cannot be. It tells the
    /// whole way.
    pub(super) fn next(
        &mut self,
        error: Error,
        from: &Target,
        timings: Timings,
    ) -> Result<Target, Error> {
        let Some((refusal, location)) = redirect(&error).filter(|_| self.max > 0) else {
            return Err(if self.hops.is_empty() {
                error
            } else {
                let way = self.told(&from.url());
                error.extended(&format!(" (redirected: {way})"))
            });
        };
        let cannot = |why: &str| {
            let sentence = format!(
                "the server redirects to `{}`, which cannot be followed: {why}",
                without_secrets(&location).escape_debug()
            );
            Error::redirect(sentence, refusal.clone())
        };
        let to = resolve(from, &location).map_err(|why| cannot(&why))?;
        if from.secure && !to.secure {
            return Err(cannot(
                "it leads from TLS to a connection that anybody on the way can read",
            ));
        }
        self.hops.push(Redirect {
            url: from.url(),
            response: refusal.response.clone(),
            location: to.url(),
            timings,
        });
        if self.hops.len() > usize::try_from(self.max).unwrap_or(usize::MAX) {
            let sentence = format!(
                "more than {} redirect{}: {}",
                self.max,
                if self.max == 1 { "" } else { "s" },
                self.told(&to.url())
            );
            return Err(Error::redirect(sentence, refusal.clone()));
        }
        Ok(to)
    }

    fn told(&self, last: &str) -> String {
        let mut way = String::new();
        for hop in &self.hops {
            way.push_str(&hop.url);
            way.push_str(" -> ");
        }
        way + last
    }

    /// How long the hops before took.
    pub(super) fn spent(&self) -> Duration {
        self.hops.iter().map(|hop| hop.timings.total).sum()
    }
}

/// The answer and its `Location`, if it is a redirect.
fn redirect(error: &Error) -> Option<(RefusedHandshake, String)> {
    let refusal = error.refusal()?;
    let is_redirect = matches!(refusal.response.status, 301 | 302 | 303 | 307 | 308);
    let location = refusal.response.headers.get("Location")?;
    is_redirect.then(|| {
        (
            refusal.clone(),
            String::from_utf8_lossy(location).into_owned(),
        )
    })
}

/// Where a `Location` leads, which may be relative (RFC 9110 10.2.2). A fragment is not part of a request. The error
/// says what is wrong.
fn resolve(from: &Target, location: &str) -> Result<Target, String> {
    let scheme = if from.secure { "wss" } else { "ws" };
    let base = format!("{scheme}://{}{}", from.authority, from.resource);
    let base = Url::parse(&base).map_err(|error| error.to_string())?;
    // Relative to what was asked for; HTTP's schemes stand for WebSocket's.
    let mut to = base.join(location).map_err(|error| error.to_string())?;
    to.set_fragment(None);
    if !matches!(to.scheme(), "ws" | "wss" | "http" | "https") {
        return Err(format!("it leads to `{}:`", to.scheme()));
    }
    let to = Target::parse(to.as_str()).map_err(|error| error.to_string())?;
    let stays = to.authority == from.authority && to.secure == from.secure;
    Ok(if stays {
        // The server that is behind the same socket, address or name, whatever it is called in `Host`.
        Target {
            host: from.host.clone(),
            port: from.port,
            unix: from.unix.clone(),
            ..to
        }
    } else {
        to
    })
}

#[cfg(test)]
mod tests;
