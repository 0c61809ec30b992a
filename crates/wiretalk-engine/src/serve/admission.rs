//! How newcomers are received: what stands before their request, who of them is let in, and how the others are told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::time::{MissedTickBehavior, interval, timeout};
use wiretalk_net::server::{Incoming, Reply, Request, ServeOptions, Upgrade};
use wiretalk_net::{Blame, Error, ErrorKind, WebSocket};
use wiretalk_server::Slot;
use wiretalk_server::guard::{
    Admitted, Asked, First, Guard, GuardOptions, Networks, Newcomer, Reason, Refusal, Refused,
    few_words, first_text, read_proxy_header, see_off, upgrade_to_close,
};

use super::trace::{Traced, TracedRefusal};
use super::{Event, Life, Opening};

/// What a TLS record begins with that begins a handshake (RFC 8446 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// How often it is looked whether keys of tokens are to be read anew.
const LOOKS: Duration = Duration::from_secs(5);

/// How newcomers are received.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Who is let in, and what each may cost.
    pub guard: Arc<Guard>,
    /// A handshake is refused by an upgrade and a close at once, which pages in browsers can read, not by an HTTP status.
    pub refuse_by_close: bool,
    /// How long a client may take for what a proxy says of it, for TLS, for the head of a request, and for its token in a
    /// first message: each.
    pub handshake_timeout: Duration,
    /// The proxies that begin each connection with a PROXY header; nobody else is served then. `None`: nobody does.
    pub proxies: Option<Networks>,
    /// What a client is told that speaks plain HTTP to a server of TLS; `None`: nothing, for that is no TLS.
    pub plain: Option<Plain>,
}

/// What a client is told that speaks plain HTTP to a server of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// To come by TLS, to the same host and path: 308.
    Redirect,
    /// That TLS is needed: 426.
    Refuse,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            guard: Guard::new(GuardOptions::default()),
            refuse_by_close: false,
            handshake_timeout: ServeOptions::default().handshake_timeout,
            proxies: None,
            plain: None,
        }
    }
}

/// A stream that speaks as it should, or one that speaks plain HTTP to a server of TLS.
pub(super) enum Received {
    Fine(Incoming, Newcomer),
    Plain(Incoming, Plain, Newcomer),
    /// It is not wanted, whatever it says.
    Unwanted(Incoming, Refusal),
    /// It came and went without a word.
    Nothing,
}

impl Admission {
    pub(super) fn serve_options(&self) -> ServeOptions {
        ServeOptions {
            handshake_timeout: self.handshake_timeout,
            ..ServeOptions::default()
        }
    }

    /// Takes what a proxy says of the client, and looks whether it is wanted, and whether TLS begins where it should.
    pub(super) async fn receive(&self, incoming: Incoming) -> Result<Received, Error> {
        let incoming = match &self.proxies {
            Some(proxies) if proxies.contains(incoming.peer_addr().ip()) => {
                read_proxy_header(incoming, self.handshake_timeout).await?
            }
            Some(_) => {
                let sentence = "only proxies that are trusted may connect";
                return Err(Error::new(ErrorKind::Handshake, Blame::Peer, sentence));
            }
            None => incoming,
        };
        let newcomer = match self.guard.begin(incoming.peer_addr().ip(), Instant::now()) {
            Ok(newcomer) => newcomer,
            Err(refusal) => return Ok(Received::Unwanted(incoming, refusal)),
        };
        let Some(plain) = self.plain.filter(|_| incoming.is_secure()) else {
            return Ok(Received::Fine(incoming, newcomer));
        };
        let mut first = [0];
        match timeout(self.handshake_timeout, incoming.peek(&mut first)).await {
            Ok(Ok(1)) if first[0] != TLS_HANDSHAKE => {
                Ok(Received::Plain(incoming.without_tls(), plain, newcomer))
            }
            Ok(Ok(1)) => Ok(Received::Fine(incoming, newcomer)),
            // One that only looks whether somebody is there.
            Ok(_) => Ok(Received::Nothing),
            Err(_) => {
                let sentence = format!(
                    "the client said nothing within {:?}",
                    self.handshake_timeout
                );
                Err(Error::new(ErrorKind::Timeout, Blame::Peer, sentence))
            }
        }
    }

    /// Whether a handshake is let in.
    pub(super) fn admit(&self, request: &Request) -> Result<Admitted, Refused> {
        self.guard.admit(&Asked::of(request))
    }

    /// The same after [`Reason::TokenUnchecked`]: the keys of tokens are read anew before.
    pub(super) async fn admit_by_new_keys(
        &self,
        request: &Request,
        refused: Refused,
    ) -> Result<Admitted, Refused> {
        match self.guard.refresh().await {
            Ok(_) => self.admit(request),
            Err(error) => Err(Refused {
                refusal: Refusal {
                    why: error.to_string(),
                    ..refused.refusal
                },
                ..refused
            }),
        }
    }

    /// Whether a plain request is answered, and where it comes from.
    pub(super) fn admit_plain(&self, request: &Request) -> Result<SocketAddr, Refused> {
        self.guard.admit_plain(&Asked::of(request))
    }

    /// Whether a plain request may have what the talk answers to it.
    pub(super) fn admit_answer(&self, request: &Request) -> Result<(), Refusal> {
        self.guard.admit_answer(&Asked::of(request))
    }

    /// Refuses a handshake: by this reply, or if that is how it is done here, by an upgrade and a close. Gives the reply, its
    /// status or close code, and what is left to do.
    pub(super) fn refuse(
        &self,
        upgrade: Upgrade,
        reply: Reply,
        close: (u16, &'static str),
    ) -> (Reply, u16, Option<Opening>) {
        if self.refuse_by_close
            && let Ok((reply, opening)) = refuse_by_close(upgrade, close)
        {
            return (reply, close.0, Some(opening));
        }
        let status = reply.status().as_u16();
        (reply, status, None)
    }

    /// Reads keys of tokens anew, whenever they are old; never ends.
    pub(super) async fn keep_keys(&self, tell: impl Fn(&Event<'_>)) {
        let mut looks = interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if self.guard.is_due()
                && let Err(error) = self.guard.refresh().await
            {
                tell(&Event::NoKeys {
                    why: &error.to_string(),
                });
            }
        }
    }
}

/// A client that comes in: what it was let in with.
pub(crate) struct Entry {
    /// What it was let in with.
    pub(crate) admitted: Admitted,
    pub(super) admission: Arc<Admission>,
    /// Its place among all clients, if they are counted: whatever serves it holds that to its end.
    pub(crate) slot: Option<Slot>,
    pub(super) traced: Traced,
}

impl Entry {
    /// Takes the first message of a client whose token is in it. One that brings none is closed, and told of.
    ///
    /// Until then it is nobody: no talk knows of it.
    pub(crate) async fn prove(
        self,
        socket: &mut WebSocket,
        tell: &(dyn Fn(&Event<'_>) + Sync),
        target: &str,
    ) -> Option<Self> {
        let Self {
            admitted,
            admission,
            slot,
            traced,
        } = self;
        if !admitted.unproven {
            return Some(Self {
                admitted,
                admission,
                slot,
                traced,
            });
        }
        let Admitted { peer, mut gate, .. } = admitted;
        let admitted = Admitted {
            gate: None,
            ..admitted
        };
        let limits = socket.limits();
        socket.set_limits(few_words(limits));
        let first = first_text(socket, gate.as_deref_mut());
        let first = timeout(admission.handshake_timeout, first).await;
        let missing = |why: String| Refusal {
            reason: Reason::TokenMissing,
            why,
        };
        let (refusal, close_by) = match first {
            Ok(First::Text(text)) => {
                let admitted = Admitted { gate, ..admitted };
                let guard = &admission.guard;
                match guard.prove(admitted, &text, Instant::now(), SystemTime::now()) {
                    Ok(admitted) => {
                        socket.set_limits(limits);
                        return Some(Self {
                            admitted,
                            admission,
                            slot,
                            traced,
                        });
                    }
                    Err(refused) => (refused.refusal, None),
                }
            }
            // Nobody is left to tell.
            Ok(First::Gone) => return None,
            Ok(First::Broken(error, code)) => (missing(error.to_string()), Some(code.as_u16())),
            Ok(First::Expelled(expelled)) => (missing(expelled.reason.into_owned()), None),
            Err(_) => {
                let why = format!("no token came within {:?}", admission.handshake_timeout);
                (missing(why), None)
            }
        };
        let reason = refusal.reason;
        let status = close_by.unwrap_or(reason.close_code());
        tell(&Event::Refused {
            peer,
            target,
            status,
            reason: reason.name(),
            why: &refusal.why,
        });
        traced.refused(&TracedRefusal {
            peer,
            status,
            reason: reason.name(),
            why: &refusal.why,
        });
        see_off(socket, reason.close_code(), reason.told()).await;
        None
    }
}

/// What a client gets that speaks plain HTTP to a server of TLS.
pub(super) fn reply_plain(request: &Request, plain: Plain) -> Reply {
    let host = request
        .headers
        .get("host")
        .and_then(|host| host.to_str().ok());
    let path = request
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str());
    // Nothing but a host and a port may stand there: what else there is would lead elsewhere.
    let is_host = |host: &&str| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        !host.is_empty() && host.bytes().all(fine)
    };
    match (plain, host.filter(is_host)) {
        (Plain::Redirect, Some(host)) if path.starts_with('/') => {
            Reply::text(308, "this server speaks TLS only\n")
                .header("Location", format!("https://{host}{path}"))
                .unwrap_or_else(|_| Reason::Plain.reply())
        }
        _ => Reason::Plain.reply(),
    }
}

/// Upgrades, and closes at once.
fn refuse_by_close(
    upgrade: Upgrade,
    (code, why): (u16, &'static str),
) -> Result<(Reply, Opening), Error> {
    let (reply, socket) = upgrade_to_close(upgrade)?;
    let opening = async move {
        let mut socket = socket.await.ok()?;
        let life: Life = Box::pin(async move { see_off(&mut socket, code, why).await });
        Some(life)
    };
    Ok((reply, Box::pin(opening)))
}
