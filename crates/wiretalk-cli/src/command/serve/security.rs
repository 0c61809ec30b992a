//! Who is let in, and what a client may cost: the options for it.

pub(super) mod tls;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use wiretalk_engine::serve::{Admission, Server};
use wiretalk_server::Origins;
use wiretalk_server::guard::{
    Countries, ForwardedBy, Guard, GuardOptions, Jwt, Keys, Limit, Networks, Rate, Schema,
    TokenFrom, Tokens,
};

use super::log::Log;
use super::{seconds, some};
use crate::terminal::WARNING;

/// The largest file with a secret, a key or a schema, in bytes.
const MOST: u64 = 1024 * 1024;

#[derive(Debug, Args)]
#[command(next_help_heading = "Security")]
pub(super) struct Security {
    /// Take options from a TOML file, `rate = "10/s"` for `--rate 10/s`; those of the command line win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let pages of this origin connect, as in `https://chat.example` or `https://*.example`; `same` for the server's own,
    /// `any` for all, which is the default. Repeatable
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// Let in who brings this token. Repeatable; others can see it in the list of processes
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    /// Let in who brings a token of this file: one a line, `#` begins a comment
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Let in who brings a JWT that this public key proves (PEM: RSA, P-256, P-384, Ed25519)
    #[arg(long, value_name = "FILE", group = "jwt")]
    jwt_key: Option<PathBuf>,
    /// Let in who brings a JWT signed with a secret of 32 bytes or more: that of an environment variable, or of a file
    #[arg(long, value_name = "VARIABLE|FILE", group = "jwt")]
    jwt_secret: Option<String>,
    /// Let in who brings a JWT that a key of this set proves (JWK Set); it is read anew as keys change
    #[arg(long, value_name = "FILE|URL", group = "jwt")]
    jwks: Option<String>,
    /// The audience that a JWT must be for (`aud`). Repeatable: one of them
    #[arg(long, value_name = "NAME", requires = "jwt")]
    jwt_audience: Vec<String>,
    /// The issuer that a JWT must be of (`iss`). Repeatable: one of them
    #[arg(long, value_name = "NAME", requires = "jwt")]
    jwt_issuer: Vec<String>,
    /// Where the token is: `header` (Authorization: Bearer), `query=NAME`, `cookie=NAME`, `subprotocol` (behind `bearer`),
    /// `message` (the first one). Repeatable; `header` by default
    #[arg(long, value_name = "PLACE", value_parser = token_from)]
    token_from: Vec<TokenFrom>,
    /// Let in only these networks, as in `192.0.2.0/24`. Repeatable
    #[arg(long, value_name = "CIDR")]
    allow: Vec<String>,
    /// Keep these networks out. Repeatable
    #[arg(long, value_name = "CIDR")]
    deny: Vec<String>,
    /// Believe proxies of this network where a client is. Repeatable
    #[arg(long, value_name = "CIDR")]
    trust_proxy: Vec<String>,
    /// The header in which they say so
    #[arg(
        long,
        value_name = "HEADER",
        default_value = "x-forwarded-for",
        requires = "trust_proxy"
    )]
    proxy_header: ProxyHeader,
    /// They begin each connection with a PROXY header, version 1 or 2; nobody else is served
    #[arg(long, requires = "trust_proxy")]
    proxy_protocol: bool,
    /// A MaxMind database that says in which country an address is
    #[arg(long, value_name = "FILE")]
    geo: Option<PathBuf>,
    /// Let in only these countries, as in `DE`. Repeatable
    #[arg(long, value_name = "CC", requires = "geo")]
    geo_allow: Vec<String>,
    /// Keep these countries out. Repeatable
    #[arg(long, value_name = "CC", requires = "geo")]
    geo_deny: Vec<String>,
    /// Connections of one address at a time
    #[arg(long, value_name = "N", value_parser = some)]
    max_per_address: Option<usize>,
    /// Messages on a connection: `10/s`, 10 of them at once; `600/m`, 600 at once; or `10/s:50` for 50 at once
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<Rate>,
    /// Bytes of messages on a connection
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate_bytes: Option<Rate>,
    /// Messages of a user (the `sub` of a JWT) on all connections
    #[arg(long, value_name = "RATE", value_parser = rate, requires = "jwt")]
    user_rate: Option<Rate>,
    /// Bytes of a user's messages on all connections
    #[arg(long, value_name = "RATE", value_parser = rate, requires = "jwt")]
    user_rate_bytes: Option<Rate>,
    /// Messages from an address on all connections
    #[arg(long, value_name = "RATE", value_parser = rate)]
    address_rate: Option<Rate>,
    /// Bytes of messages from an address on all connections
    #[arg(long, value_name = "RATE", value_parser = rate)]
    address_rate_bytes: Option<Rate>,
    /// How long a client may take for TLS, for the head of its request, and for a token in its first message, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = some_seconds)]
    handshake_timeout: Duration,
    /// Close a client that sends no message for so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = some_seconds)]
    idle_timeout: Option<Duration>,
    /// A JSON Schema that each message must meet
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// How a handshake is refused: by an HTTP status, or by an upgrade and a close, which a page in a browser can read
    #[arg(long, value_name = "HOW", default_value = "status")]
    refuse: Refuse,
    #[command(flatten)]
    pub(super) tls: tls::Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProxyHeader {
    /// Addresses, each proxy's peer at the end
    XForwardedFor,
    /// RFC 7239
    Forwarded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Refuse {
    /// 401, 403, 429 or 503
    Status,
    /// 1008 or 1013
    Close,
}

fn rate(text: &str) -> Result<Rate, String> {
    text.parse()
}

fn some_seconds(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("write a number of seconds above 0".to_owned()),
        seconds => Ok(seconds),
    }
}

fn token_from(text: &str) -> Result<TokenFrom, String> {
    match text.split_once('=') {
        None if text == "header" => Ok(TokenFrom::Header),
        None if text == "subprotocol" => Ok(TokenFrom::Subprotocol),
        None if text == "message" => Ok(TokenFrom::Message),
        Some(("query", name)) if !name.is_empty() => Ok(TokenFrom::Query(name.to_owned())),
        Some(("cookie", name)) if !name.is_empty() => Ok(TokenFrom::Cookie(name.to_owned())),
        _ => Err(
            "write `header`, `query=NAME`, `cookie=NAME`, `subprotocol` or `message`".to_owned(),
        ),
    }
}

impl Security {
    /// How newcomers are received.
    pub(super) fn admission(&self) -> Result<Admission, String> {
        let trusted = networks("--trust-proxy", &self.trust_proxy)?;
        let guard = Guard::new(GuardOptions {
            origins: self.origins()?,
            allow: networks("--allow", &self.allow)?,
            deny: networks("--deny", &self.deny)?,
            trusted_proxies: trusted.clone(),
            forwarded_by: match self.proxy_header {
                ProxyHeader::XForwardedFor => ForwardedBy::XForwardedFor,
                ProxyHeader::Forwarded => ForwardedBy::Forwarded,
            },
            countries: self.countries()?,
            tokens: self.tokens()?,
            most_per_address: self.max_per_address,
            connection: limit(self.rate, self.rate_bytes),
            user: limit(self.user_rate, self.user_rate_bytes),
            address: limit(self.address_rate, self.address_rate_bytes),
            idle: self.idle_timeout,
            schema: self.schema()?,
        });
        Ok(Admission {
            guard,
            refuse_by_close: self.refuse == Refuse::Close,
            handshake_timeout: self.handshake_timeout,
            proxies: self.proxy_protocol.then_some(trusted),
            plain: self.tls.plain(),
        })
    }

    /// Says what is left open to everybody, on an address that others can reach.
    pub(super) fn warn(&self, server: &Server, log: &Log) {
        let is_open = |address: IpAddr| !address.to_canonical().is_loopback();
        let places = server.local_addrs().unwrap_or_default();
        if self.origin.is_empty() && places.iter().any(|at| is_open(at.ip())) {
            log.line(&format!(
                "{WARNING}pages of any origin may connect{WARNING:#}: name those that may with `--origin https://…`"
            ));
        }
    }

    fn origins(&self) -> Result<Origins, String> {
        match &self.origin.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] | ["any"] => Ok(Origins::any()),
            ["same"] => Ok(Origins::same()),
            list if list.contains(&"any") || list.contains(&"same") => {
                Err("`--origin any` and `--origin same` stand alone".to_owned())
            }
            list => Origins::list(list).map_err(|error| format!("--origin: {error}")),
        }
    }

    fn countries(&self) -> Result<Option<Countries>, String> {
        let Some(file) = &self.geo else {
            return Ok(None);
        };
        let told = |error: wiretalk_net::Error| format!("--geo: {error}");
        let mut countries = Countries::open(file).map_err(told)?;
        for country in &self.geo_allow {
            countries = countries.allow(country).map_err(told)?;
        }
        for country in &self.geo_deny {
            countries = countries.deny(country).map_err(told)?;
        }
        Ok(Some(countries))
    }

    fn tokens(&self) -> Result<Option<Tokens>, String> {
        let keys = self.keys()?;
        // A variable that is not set, most likely.
        if self.token.iter().any(String::is_empty) {
            return Err("--token: the token is empty".to_owned());
        }
        let listed = match &self.token_file {
            Some(file) => read("--token-file", file)?,
            None => Vec::new(),
        };
        let listed = String::from_utf8(listed)
            .map_err(|_| "--token-file: the file is not UTF-8".to_owned())?;
        let is_token = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let listed = listed.lines().map(str::trim).filter(is_token);
        let known: Vec<_> = self
            .token
            .iter()
            .map(String::as_str)
            .chain(listed)
            .collect();
        if known.is_empty() && keys.is_none() {
            return match (&self.token_file, &self.token_from[..]) {
                (Some(file), _) => Err(format!("--token-file: there is no token in `{}`", file.display())),
                (None, []) => Ok(None),
                (None, _) => Err("--token-from: say which tokens, with `--token`, `--token-file`, `--jwt-key`, `--jwt-secret` or `--jwks`".to_owned()),
            };
        }
        let tokens = Tokens::from_places(self.token_from.iter().cloned());
        let tokens = known.into_iter().fold(tokens, Tokens::known);
        let Some(keys) = keys else {
            return Ok(Some(tokens));
        };
        let jwt = self.jwt_audience.iter().fold(Jwt::new(keys), Jwt::audience);
        Ok(Some(
            tokens.jwt(self.jwt_issuer.iter().fold(jwt, Jwt::issuer)),
        ))
    }

    fn keys(&self) -> Result<Option<Keys>, String> {
        if let Some(file) = &self.jwt_key {
            let pem = read("--jwt-key", file)?;
            return keys("--jwt-key", Keys::pem(&pem));
        }
        if let Some(name) = &self.jwt_secret {
            let secret = match std::env::var_os(name) {
                Some(secret) => secret.into_encoded_bytes(),
                None => read("--jwt-secret", Path::new(name)).map_err(|why| {
                    format!("{why}, and there is no environment variable of that name")
                })?,
            };
            // Editors end a file with a line break, which is no part of the secret.
            return keys("--jwt-secret", Keys::secret(secret.trim_ascii_end()));
        }
        match &self.jwks {
            None => Ok(None),
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
                Ok(Some(Keys::url(url)))
            }
            Some(file) => keys("--jwks", Keys::file(Path::new(file))),
        }
    }

    fn schema(&self) -> Result<Option<Schema>, String> {
        let Some(file) = &self.schema else {
            return Ok(None);
        };
        let schema = Schema::parse(&read("--schema", file)?);
        schema
            .map(Some)
            .map_err(|error| format!("--schema: {error}"))
    }
}

fn keys(option: &str, keys: Result<Keys, wiretalk_net::Error>) -> Result<Option<Keys>, String> {
    keys.map(Some).map_err(|error| format!("{option}: {error}"))
}

fn limit(messages: Option<Rate>, bytes: Option<Rate>) -> Limit {
    Limit { messages, bytes }
}

fn networks(option: &str, list: &[String]) -> Result<Networks, String> {
    Networks::list(list).map_err(|error| format!("{option}: {error}"))
}

fn read(option: &str, file: &Path) -> Result<Vec<u8>, String> {
    let cannot = |why: String| format!("{option}: cannot read `{}`: {why}", file.display());
    let length = fs::metadata(file).map_err(|error| cannot(error.to_string()))?;
    if length.len() > MOST {
        return Err(cannot("it is longer than 1 MiB".to_owned()));
    }
    fs::read(file).map_err(|error| cannot(error.to_string()))
}
