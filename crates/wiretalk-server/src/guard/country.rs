//! Which countries may connect: by a MaxMind database.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::{PathElement, Reader};
use wiretalk_net::{Blame, Error, ErrorKind};

use super::refusal::{Reason, Refusal};

/// Which countries may connect, by a database that says where addresses are (MaxMind DB, such as GeoLite2 Country).
pub struct Countries {
    database: Reader<Vec<u8>>,
    allow: BTreeSet<String>,
    deny: BTreeSet<String>,
}

impl Countries {
    /// Reads a database of addresses (`.mmdb`), and lets in all countries until some are named.
    ///
    /// ```
    /// assert!(wiretalk_server::guard::Countries::open("/no/such.mmdb".as_ref()).is_err());
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be read, or is none.
    pub fn open(file: &Path) -> Result<Self, Error> {
        let database = Reader::open_readfile(file).map_err(|error| {
            let sentence = format!(
                "`{}` is not to be had as a MaxMind database: {error}",
                file.display()
            );
            Error::new(ErrorKind::InvalidInput, Blame::Us, sentence)
        })?;
        Ok(Self {
            database,
            allow: BTreeSet::new(),
            deny: BTreeSet::new(),
        })
    }

    /// Lets this country in (ISO 3166-1: `DE`), and no other that is not named so, nor addresses of which the database
    /// knows nothing.
    ///
    /// # Errors
    /// `InvalidInput` for what is no code of two letters.
    pub fn allow(mut self, country: &str) -> Result<Self, Error> {
        self.allow.insert(code(country)?);
        Ok(self)
    }

    /// Keeps this country out.
    ///
    /// # Errors
    /// `InvalidInput` for what is no code of two letters.
    pub fn deny(mut self, country: &str) -> Result<Self, Error> {
        self.deny.insert(code(country)?);
        Ok(self)
    }

    /// The country of an address; `None` if the database does not know.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Option<&str> {
        let found = self.database.lookup(address.to_canonical()).ok()?;
        let path = ["country", "iso_code"].map(PathElement::Key);
        found.decode_path(&path).ok()?
    }

    pub(super) fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        let country = self.of(address);
        let denied = country.is_some_and(|country| self.deny.contains(country));
        let allowed =
            self.allow.is_empty() || country.is_some_and(|country| self.allow.contains(country));
        if allowed && !denied {
            return Ok(());
        }
        let why = match country {
            Some(country) => format!("{address} is in {country}"),
            None => format!("the database does not know where {address} is"),
        };
        Err(Refusal::new(Reason::Country, why))
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Countries")
            .field("allow", &self.allow)
            .field("deny", &self.deny)
            .finish_non_exhaustive()
    }
}

fn code(country: &str) -> Result<String, Error> {
    if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Ok(country.to_ascii_uppercase());
    }
    let country = country.escape_debug();
    let sentence =
        format!("`{country}` is no country: write its two letters (ISO 3166-1), as in `DE`");
    Err(Error::new(ErrorKind::InvalidInput, Blame::Us, sentence))
}
