//! Where servers listen.

use std::collections::VecDeque;

use wiretalk_engine::serve::Server;

use super::log::Log;
use super::security::tls::Ready;
use crate::exit::Exit;
use crate::terminal;

/// Where servers listen if nothing else is said.
pub(super) const DEFAULT: &str = "127.0.0.1:4000";

/// How clients speak to a server.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    ws: &'static str,
    http: &'static str,
}

impl Scheme {
    pub(super) fn of(tls: Option<&Ready>) -> Self {
        match tls {
            Some(_) => Self {
                ws: "wss",
                http: "https",
            },
            None => Self {
                ws: "ws",
                http: "http",
            },
        }
    }

    /// The URLs of a path of a server, one for each address.
    pub(super) fn urls(self, server: &Server, path: &str) -> Vec<String> {
        let url = |at: &dyn std::fmt::Display| format!("{}://{at}{path}", self.ws);
        match server.local_addrs() {
            Ok(all) => all.iter().map(|at| url(at)).collect(),
            Err(error) => vec![url(&error)],
        }
    }

    /// Says where something is found.
    pub(super) fn announce(self, log: &Log, url: &str, what: &str) {
        let page = url.replacen(self.ws, self.http, 1);
        log.line(&format!("listening on {url} ({what})"));
        log.line(&format!("  join it with: wiretalk connect {url}"));
        log.line(&format!("  or in a browser: {page}"));
    }
}

/// How sockets to listen with are come by.
pub(super) struct Listening {
    /// Those that were handed over and nobody has taken yet.
    given: VecDeque<std::net::TcpListener>,
    reuse_port: bool,
}

impl Listening {
    pub(super) fn new(given: Vec<std::net::TcpListener>, reuse_port: bool) -> Self {
        let given = given.into();
        Self { given, reuse_port }
    }

    /// Listens at all of these addresses, one at the least.
    pub(super) async fn listen(
        &mut self,
        addresses: &[String],
        tls: Option<&Ready>,
    ) -> Result<Server, Exit> {
        let (first, others) = match addresses {
            [first, others @ ..] => (first.as_str(), others),
            [] => (DEFAULT, addresses),
        };
        let mut server = self.listen_at(first, tls).await?;
        for address in others {
            server = server.and(self.listen_at(address, tls).await?);
        }
        Ok(server)
    }

    /// Listens: with the next socket that was handed over, whatever its address, else at this one.
    async fn listen_at(&mut self, address: &str, tls: Option<&Ready>) -> Result<Server, Exit> {
        let tls = tls.map(|tls| tls.config.clone());
        let server = if let Some(given) = self.given.pop_front() {
            Server::from_std(given, tls)
        } else if self.reuse_port {
            Server::bind_beside_others(&whole(address), tls).await
        } else {
            Server::bind(&whole(address), tls).await
        };
        server.map_err(|error| cannot_listen(&error))
    }

    /// Whether all that was handed over is in use.
    ///
    /// # Errors
    /// If something is left: then whoever handed it over expects more of this server than it does.
    pub(super) fn all_taken(&self) -> Result<(), String> {
        match self.given.len() {
            0 => Ok(()),
            left => Err(format!(
                "{} too many handed over (LISTEN_FDS): one is taken for each address, in their order",
                terminal::count(left, "socket was", "sockets were")
            )),
        }
    }
}

/// Says why a server cannot listen.
fn cannot_listen(error: &wiretalk_net::Error) -> Exit {
    terminal::error(&error.to_string());
    let reason = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .map(std::io::Error::kind);
    match reason {
        // It is no address at all.
        Some(std::io::ErrorKind::InvalidInput) => {
            terminal::err("an address is HOST:PORT, or a port alone: `127.0.0.1:4000`");
            Exit::USAGE
        }
        Some(std::io::ErrorKind::AddrInUse) => {
            terminal::err(
                "another port is taken with `--listen 127.0.0.1:PORT`; port 0 is a free one",
            );
            Exit::NO_CONNECTION
        }
        _ => Exit::NO_CONNECTION,
    }
}

/// An address with its host: a bare port is taken on the loopback address, where nobody else can reach it.
pub(super) fn whole(address: &str) -> String {
    match address.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => address.to_owned(),
    }
}

/// The addresses in `--listen`, each as [`given`] has it.
pub(super) fn all_given(addresses: &[String], tls: bool) -> Result<Vec<String>, String> {
    let each = addresses.iter().map(|address| given(address, tls));
    each.collect()
}

/// The address in `--listen`, which may be written as a URL without a path.
pub(super) fn given(address: &str, tls: bool) -> Result<String, String> {
    let Some((scheme, rest)) = address.split_once("://") else {
        return Ok(whole(address));
    };
    match (scheme, tls) {
        ("ws", false) | ("wss", true) => {}
        ("ws", true) => {
            return Err(format!(
                "`--listen {address}` is without TLS, and there is a certificate: write `wss:`, or the address alone"
            ));
        }
        ("wss", false) => {
            return Err(format!(
                "`--listen {address}` needs a certificate: give `--cert` and `--key`"
            ));
        }
        _ => {
            return Err(format!(
                "`--listen {address}` is not an address: write `127.0.0.1:4000`"
            ));
        }
    }
    if !path_of(address).trim_end_matches('/').is_empty() || rest.contains(['?', '#']) {
        return Err(format!(
            "`--listen {address}` names a path: that is said by `listen` in the talk; write `127.0.0.1:4000`"
        ));
    }
    host_and_port(address, tls)
}

/// The address to listen on in a URL such as `ws://127.0.0.1:4000/path`; without a scheme it is one as `--listen` takes it.
pub(super) fn host_and_port(url: &str, tls: bool) -> Result<String, String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        let end = url.find('/').unwrap_or(url.len());
        return Ok(whole(&url[..end]));
    };
    match scheme {
        "ws" if !tls => {}
        "wss" if tls => {}
        "ws" => {
            return Err(format!(
                "the talk listens on `{url}`, which is without TLS; write `wss:`"
            ));
        }
        "wss" => {
            return Err(format!(
                "the talk listens on `{url}`, which needs a certificate: give `--cert` and `--key`"
            ));
        }
        _ => {
            return Err(format!(
                "`{url}` is not an address: write `ws://127.0.0.1:4000/path`"
            ));
        }
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    if authority.is_empty() {
        return Err(format!(
            "`{url}` has no host: write `ws://127.0.0.1:4000/path`"
        ));
    }
    Ok(match (has_port, tls) {
        (true, _) => authority.to_owned(),
        (false, false) => format!("{authority}:80"),
        (false, true) => format!("{authority}:443"),
    })
}

/// The path of a URL, if it names one, without its query.
pub(super) fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

#[cfg(test)]
mod tests;
