//! Which log a hub is put on: a broker's URL, and a namespace.

use std::fmt;
use std::sync::Arc;

use wiretalk_hub::{Hub, HubOptions};

use crate::{Line, Running};

/// Why a URL of a broker cannot be used: a sentence that says what to write, without the URL's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError(String);

impl UrlError {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UrlError {}

/// The longest namespace, in bytes.
const LONGEST: usize = 64;

/// Where the logs of a server's talks are: at which broker, and in which namespace of it. Nothing is connected yet.
///
/// ```
/// use wiretalk_backplane::Location;
///
/// let error = Location::new("nuts://127.0.0.1", "wiretalk").expect_err("a slip");
/// assert!(error.to_string().starts_with("there is no backplane of the scheme nuts://"));
/// ```
#[derive(Clone)]
pub struct Location {
    kind: Kind,
    #[cfg_attr(
        not(any(feature = "redis", feature = "nats", feature = "amqp")),
        allow(dead_code)
    )]
    url: Arc<str>,
    namespace: Arc<str>,
}

/// The brokers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    #[cfg(feature = "redis")]
    Redis,
    #[cfg(feature = "nats")]
    Nats,
    #[cfg(feature = "amqp")]
    Amqp,
}

/// A scheme of URLs, and the broker behind it if this program was built with it.
struct Scheme {
    name: &'static str,
    feature: &'static str,
    kind: Option<Kind>,
}

impl Scheme {
    const fn new(name: &'static str, feature: &'static str, kind: Option<Kind>) -> Self {
        Self {
            name,
            feature,
            kind,
        }
    }
}

macro_rules! kind {
    ($feature:literal, $kind:ident) => {{
        #[cfg(feature = $feature)]
        {
            Some(Kind::$kind)
        }
        #[cfg(not(feature = $feature))]
        {
            None
        }
    }};
}

const SCHEMES: [Scheme; 10] = [
    Scheme::new("redis", "redis", kind!("redis", Redis)),
    Scheme::new("rediss", "redis", kind!("redis", Redis)),
    Scheme::new("redis+cluster", "redis", kind!("redis", Redis)),
    Scheme::new("rediss+cluster", "redis", kind!("redis", Redis)),
    Scheme::new("redis+sentinel", "redis", kind!("redis", Redis)),
    Scheme::new("rediss+sentinel", "redis", kind!("redis", Redis)),
    Scheme::new("nats", "nats", kind!("nats", Nats)),
    Scheme::new("tls", "nats", kind!("nats", Nats)),
    Scheme::new("amqp", "amqp", kind!("amqp", Amqp)),
    Scheme::new("amqps", "amqp", kind!("amqp", Amqp)),
];

impl Location {
    /// The broker that a URL names, and the namespace of it: letters, digits, `-`, `_` and `.`.
    ///
    /// # Errors
    /// If the URL is none of a broker that this program was built with, or says something that the broker does not know;
    /// or if the namespace is none. The error shows no password.
    pub fn new(url: &str, namespace: &str) -> Result<Self, UrlError> {
        let Some((scheme, _)) = url.split_once("://") else {
            return Err(UrlError::new(
                "a backplane is named by a URL, such as redis://HOST:PORT, nats://HOST:PORT or amqp://HOST:PORT",
            ));
        };
        let known = SCHEMES.iter().find(|known| known.name == scheme);
        let kind = match known {
            Some(Scheme {
                kind: Some(kind), ..
            }) => *kind,
            Some(Scheme { feature, .. }) => {
                return Err(UrlError::new(format_args!(
                    "this program was built without {scheme}://: build it with the feature `{feature}`"
                )));
            }
            None => return Err(unknown(scheme)),
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if namespace.is_empty() || namespace.len() > LONGEST || !namespace.bytes().all(is_plain) {
            return Err(UrlError::new(format_args!(
                "a namespace has 1 to {LONGEST} letters, digits, `-`, `_` or `.`"
            )));
        }
        let location = Self {
            kind,
            url: url.into(),
            namespace: namespace.into(),
        };
        location.check()?;
        Ok(location)
    }

    /// Puts a hub on the log of one talk, and drives it: see [`connect`](crate::connect). Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// If the broker cannot have a log of this name.
    #[cfg_attr(
        not(any(feature = "redis", feature = "nats", feature = "amqp")),
        allow(unused_variables, clippy::needless_pass_by_value)
    )]
    pub fn connect<C: Send + 'static>(
        &self,
        talk: &str,
        options: HubOptions,
        make: impl FnOnce(HubOptions, Line) -> Hub<C>,
    ) -> Result<(Hub<C>, Running), UrlError> {
        let log = self.log(talk);
        match self.kind {
            #[cfg(feature = "redis")]
            Kind::Redis => Ok(crate::connect(
                crate::Redis::new(&self.url, &log)?,
                options,
                make,
            )),
            #[cfg(feature = "nats")]
            Kind::Nats => Ok(crate::connect(
                crate::Nats::new(&self.url, &log)?,
                options,
                make,
            )),
            #[cfg(feature = "amqp")]
            Kind::Amqp => Ok(crate::connect(
                crate::Amqp::new(&self.url, &log)?,
                options,
                make,
            )),
        }
    }

    #[cfg_attr(
        not(any(feature = "redis", feature = "nats", feature = "amqp")),
        allow(unused_variables)
    )]
    fn check(&self) -> Result<(), UrlError> {
        let log = self.log("/");
        match self.kind {
            #[cfg(feature = "redis")]
            Kind::Redis => crate::Redis::new(&self.url, &log).map(drop),
            #[cfg(feature = "nats")]
            Kind::Nats => crate::Nats::new(&self.url, &log).map(drop),
            #[cfg(feature = "amqp")]
            Kind::Amqp => crate::Amqp::new(&self.url, &log).map(drop),
        }
    }

    /// The name of a talk's log. A namespace has no colon, so no two talks of two namespaces share one.
    fn log(&self, talk: &str) -> String {
        format!("{}:{talk}", self.namespace)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Location")
            .field("kind", &self.kind)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

fn unknown(scheme: &str) -> UrlError {
    let built = SCHEMES.iter().filter(|known| known.kind.is_some());
    let names: Vec<_> = built.map(|known| format!("{}://", known.name)).collect();
    UrlError::new(format_args!(
        "there is no backplane of the scheme {scheme}://; there are {}",
        names.join(", ")
    ))
}

#[cfg(all(test, feature = "nats", feature = "amqp"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let long = "n".repeat(65);
        for (url, namespace, said) in [
            ("memory", "w", "a backplane is named by a URL"),
            (
                "http://u:secret@h",
                "w",
                "there is no backplane of the scheme http://",
            ),
            (
                "nats://u:secret@h?history=x",
                "w",
                "history=x is not a number",
            ),
            ("amqp://u:secret@", "w", "write amqp://HOST:PORT"),
            ("nats://h", "", "a namespace has 1 to 64"),
            ("nats://h", "a:b", "a namespace has 1 to 64"),
            ("nats://h", &long, "a namespace has 1 to 64"),
        ] {
            let error = Location::new(url, namespace).expect_err(url).to_string();
            assert!(error.contains(said), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
        let location = Location::new("nats://u:secret@h", "w").expect("it is right");
        assert!(!format!("{location:?}").contains("secret"));
        assert_eq!(location.log("/chat"), "w:/chat");
    }
}
