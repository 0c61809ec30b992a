//! What the URL of a broker says.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

pub(crate) use crate::UrlError;

/// How much of a log a broker keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// `None`: however old.
    pub(crate) age: Option<Duration>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            records: 100_000,
            bytes: 256 * 1024 * 1024,
            age: None,
        }
    }
}

/// A URL taken apart: the server, and what is asked of it behind the question mark.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The URL without its query.
    pub(crate) server: Url,
    query: BTreeMap<String, String>,
}

#[cfg_attr(not(any(feature = "nats", feature = "amqp")), allow(dead_code))]
impl Parts {
    /// Parses a URL with one of these schemes.
    pub(crate) fn parse(url: &str, schemes: &[&str]) -> Result<Self, UrlError> {
        let example = format!("{}://HOST:PORT", schemes[0]);
        let mut server = Url::parse(url)
            .map_err(|error| UrlError::new(format_args!("{error}: write {example}")))?;
        if !schemes.contains(&server.scheme()) {
            let scheme = server.scheme();
            return Err(UrlError::new(format_args!(
                "{scheme}:// is not the scheme of this broker: write {example}"
            )));
        }
        if server.host_str().is_none_or(str::is_empty) {
            return Err(UrlError::new(format_args!(
                "no host is named: write {example}"
            )));
        }
        let mut query = BTreeMap::new();
        for (name, value) in server.query_pairs() {
            if query
                .insert(name.clone().into_owned(), value.into_owned())
                .is_some()
            {
                return Err(UrlError::new(format_args!("{name} is given twice")));
            }
        }
        server.set_query(None);
        server.set_fragment(None);
        Ok(Self { server, query })
    }

    /// The server's host and port, for errors.
    pub(crate) fn place(&self, default_port: u16) -> String {
        let host = self.server.host_str().unwrap_or_default();
        format!("{host}:{}", self.server.port().unwrap_or(default_port))
    }

    /// Takes `history=COUNT`.
    pub(crate) fn records(&mut self, default: u64) -> Result<u64, UrlError> {
        self.number("history", default)
    }

    /// Takes `history-bytes=SIZE`.
    pub(crate) fn bytes(&mut self) -> Result<u64, UrlError> {
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        self.amount("history-bytes", "a size, such as 256MiB", &units, true)
            .map(|found| found.unwrap_or(Kept::default().bytes))
    }

    /// Takes `history-age=AGE`.
    pub(crate) fn age(&mut self) -> Result<Option<Duration>, UrlError> {
        let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
        let seconds = self.amount("history-age", "an age, such as 24h", &units, false)?;
        Ok(seconds.map(Duration::from_secs))
    }

    /// Takes an option as it is written.
    #[cfg(feature = "redis")]
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.query.remove(name)
    }

    /// Takes a number that is not 0.
    pub(crate) fn number(&mut self, name: &str, default: u64) -> Result<u64, UrlError> {
        self.amount(name, "a number", &[], true)
            .map(|found| found.unwrap_or(default))
    }

    /// Fails with the first word of the query that nobody has taken.
    pub(crate) fn finish(&self, known: &str) -> Result<(), UrlError> {
        match self.query.keys().next() {
            Some(name) => Err(UrlError::new(format_args!(
                "{name} is not an option of this broker's URL; there are: {known}"
            ))),
            None => Ok(()),
        }
    }

    fn amount(
        &mut self,
        name: &str,
        what: &str,
        units: &[(&str, u64)],
        plain: bool,
    ) -> Result<Option<u64>, UrlError> {
        let Some(value) = self.query.remove(name) else {
            return Ok(None);
        };
        let with_unit = units
            .iter()
            .find_map(|(unit, factor)| Some((value.strip_suffix(unit)?, *factor)));
        let (digits, factor) = match with_unit {
            Some(found) => found,
            None if plain => (&*value, 1),
            None => ("", 0),
        };
        // What the brokers take are signed numbers.
        let most = i64::MAX.unsigned_abs() / 1_000_000_000;
        digits
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(factor))
            .filter(|amount| (1..=most).contains(amount))
            .map(Some)
            .ok_or_else(|| UrlError::new(format_args!("{name}={value} is not {what}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        let read = || {
            let mut parts = Parts::parse(url, &["nats", "tls"])?;
            parts.records(1)?;
            parts.bytes()?;
            parts.age()?;
            parts.finish("history")
        };
        read().expect_err(url).to_string()
    }

    #[test]
    fn options_are_read() {
        let url = "nats://a:b@h?history=7&history-bytes=2MiB&history-age=3h";
        let mut parts = Parts::parse(url, &["nats"]).expect("it is right");
        assert_eq!(parts.records(1), Ok(7));
        assert_eq!(parts.bytes(), Ok(2 << 20));
        assert_eq!(parts.age(), Ok(Some(Duration::from_secs(3 * 3_600))));
        assert_eq!(parts.finish(""), Ok(()));
        assert_eq!(parts.place(4222), "h:4222");
        assert_eq!(parts.server.as_str(), "nats://a:b@h");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, said) in [
            (
                "nats",
                "relative URL without a base: write nats://HOST:PORT",
            ),
            (
                "http://h",
                "http:// is not the scheme of this broker: write nats://HOST:PORT",
            ),
            ("nats://", "no host is named: write nats://HOST:PORT"),
            ("nats://h?history=no", "history=no is not a number"),
            ("nats://h?history=0", "history=0 is not a number"),
            ("nats://h?history=1&history=2", "history is given twice"),
            (
                "nats://h?history-bytes=9999999999GiB",
                "history-bytes=9999999999GiB is not a size, such as 256MiB",
            ),
            (
                "nats://h?history-age=5",
                "history-age=5 is not an age, such as 24h",
            ),
            (
                "nats://u:secret@h?size=5",
                "size is not an option of this broker's URL; there are: history",
            ),
        ] {
            assert_eq!(error(url), said, "{url}");
        }
    }
}
