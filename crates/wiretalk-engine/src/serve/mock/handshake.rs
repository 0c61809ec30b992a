//! What a mock answers to requests: handshakes, and plain HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use wiretalk_hub::Outbox;
use wiretalk_net::server::{AcceptOptions, Reply, Request, Upgrade};
use wiretalk_net::{CloseCode, Error, WebSocket};
use wiretalk_server::gate::Gate;
use wiretalk_server::link::Link;
use wiretalk_server::{Meter, Slot};
use wiretalk_talk::Client;
use wiretalk_talk::player::{
    ConnectionId, HandshakeAnswer, HttpAnswer, Player, Request as PlayerRequest,
};

use super::Mock;
use crate::serve::admission::Entry;
use crate::serve::client::Newcomer;
use crate::serve::command::Command;
use crate::serve::journal::EntryKind;
use crate::serve::operation::Refused;
use crate::serve::seat::Seat;
use crate::serve::trace::{Traced, TracedRefusal};
use crate::serve::{ClientId, Event, Life, Opening, extensions};

/// What became of a handshake: the reply, and the client's coming if it is accepted, or why it is not.
pub(crate) type Answered = (Reply, Result<Opening, Refused>);

impl Mock {
    /// What the talk says to a handshake.
    pub(in crate::serve) fn ask(
        &self,
        request: &Request,
        upgrade: &Upgrade,
        entry: &Entry,
    ) -> HandshakeAnswer {
        let admitted = &entry.admitted;
        let subprotocols = upgrade.subprotocols().map(str::to_owned);
        let asked = PlayerRequest {
            client: Client {
                ip: Some(admitted.peer.ip()),
                token: admitted.claims.clone(),
                ..client_of(request)
            },
            subprotocols: match admitted.subprotocol {
                // It stands before the token, which is no subprotocol.
                Some(bearer) => subprotocols.take_while(|name| name != bearer).collect(),
                None => subprotocols.collect(),
            },
        };
        self.with_player(|player, _| player.handshake(&asked))
    }

    /// Does what the talk says to a handshake.
    pub(in crate::serve) fn answer(
        self: &Arc<Self>,
        request: &Request,
        upgrade: Upgrade,
        entry: Entry,
        answer: HandshakeAnswer,
    ) -> Answered {
        let peer = entry.admitted.peer;
        let (answered, status) = match answer {
            HandshakeAnswer::Refuse(answer) => {
                let why = match answer.status {
                    404 => Refused::new("path", "nothing is served there"),
                    _ => Refused::new("talk", refused_for(&answer.body)),
                };
                ((reply(&answer), Err(why)), answer.status)
            }
            HandshakeAnswer::RefuseByClose { code, reason } => {
                let why = refused_for(&reason);
                let refused = self.refuse_by_close(upgrade, code, reason, entry.slot);
                if refused.1.is_ok() {
                    self.tell(&Event::Refused {
                        peer: request.peer_addr,
                        target: &request.uri.to_string(),
                        status: code,
                        reason: "talk",
                        why: &why,
                    });
                    entry.traced.refused(&TracedRefusal {
                        peer: request.peer_addr,
                        status: code,
                        reason: "talk",
                        why: &why,
                    });
                }
                (refused, code)
            }
            HandshakeAnswer::Accept {
                connection,
                subprotocol,
                headers,
                compression,
            } => {
                let accepted = Accepted {
                    id: connection,
                    subprotocol,
                    headers,
                    compression,
                };
                let answered = self.accept(request, upgrade, entry, accepted);
                if answered.1.is_ok() {
                    return answered;
                }
                (answered, 500)
            }
        };
        let why = match &answered.1 {
            Ok(_) => "the talk refuses it",
            Err(why) => &why.why,
        };
        let mut state = self.lock();
        self.note(&mut state, None, || EntryKind::Refused {
            peer,
            target: request.uri.to_string(),
            status,
            why: why.to_owned(),
        });
        self.file(&mut state);
        answered
    }

    fn accept(
        self: &Arc<Self>,
        request: &Request,
        upgrade: Upgrade,
        entry: Entry,
        accepted: Accepted,
    ) -> Answered {
        let Accepted {
            id,
            subprotocol,
            headers,
            compression,
        } = accepted;
        let options = &self.shared.options;
        let subprotocol = subprotocol.or(entry.admitted.subprotocol.map(str::to_owned));
        let accepted = header_map(&headers).and_then(|headers| {
            upgrade.accept(AcceptOptions {
                subprotocol: subprotocol.clone(),
                headers,
                deflate: options.deflate.filter(|_| compression != Some(false)),
                config: Arc::clone(&self.shared.config),
            })
        });
        match accepted {
            Ok((reply, socket)) => {
                let coming = Coming {
                    mock: Arc::clone(self),
                    id,
                    peer: entry.admitted.peer,
                    target: request.uri.to_string(),
                    subprotocol,
                    extensions: extensions(&reply),
                    traced: entry.traced.clone(),
                };
                let opening: Opening = match entry.admitted.unproven {
                    false => {
                        let joined = coming.join(entry.slot);
                        Box::pin(joined.open(socket, entry.admitted.gate))
                    }
                    true => Box::pin(coming.join_proven(socket, entry)),
                };
                (reply, Ok(opening))
            }
            Err(error) => {
                self.with_player(|player, now| player.gone(now, id));
                let why = format!("the talk's answer cannot be sent: {error}");
                (
                    Reply::text(500, format!("{why}\n")),
                    Err(Refused::handshake(why)),
                )
            }
        }
    }

    /// Upgrades, and closes at once.
    fn refuse_by_close(
        &self,
        upgrade: Upgrade,
        code: u16,
        reason: String,
        slot: Option<Slot>,
    ) -> Answered {
        let accepted = upgrade.accept(AcceptOptions {
            config: self.shared.options.config(true),
            ..AcceptOptions::default()
        });
        match accepted {
            Ok((reply, socket)) => {
                let opening = async move {
                    let mut socket = socket.await.ok()?;
                    let life: Life = Box::pin(async move {
                        // A client that is gone already has its answer.
                        let _ = socket.close(CloseCode::new(code), &reason).await;
                        while let Ok(Some(_)) = socket.next_event().await {}
                        drop(slot);
                    });
                    Some(life)
                };
                (reply, Ok(Box::pin(opening)))
            }
            Err(error) => {
                let why = format!("the refusal cannot be sent: {error}");
                (
                    Reply::text(500, format!("{why}\n")),
                    Err(Refused::handshake(why)),
                )
            }
        }
    }

    /// Answers a plain request, if the talk has an answer to it.
    pub(in crate::serve) fn plain(&self, request: &Request) -> Option<Reply> {
        let asked = PlayerRequest {
            client: client_of(request),
            subprotocols: Vec::new(),
        };
        let method = request.method.as_str();
        let answer = self.with_player(|player, _| player.plain_request(method, &asked))?;
        Some(reply(&answer))
    }
}

/// A client that the talk accepts.
struct Coming {
    mock: Arc<Mock>,
    id: ConnectionId,
    peer: SocketAddr,
    target: String,
    subprotocol: Option<String>,
    extensions: Option<String>,
    traced: Traced,
}

impl Coming {
    /// Gives it its place, from which on it misses nothing.
    fn join(self, slot: Option<Slot>) -> Joined {
        let Self {
            mock,
            id,
            peer,
            target,
            subprotocol,
            extensions,
            traced,
        } = self;
        let (member, outbox) = mock.hub.join_with(mock.shared.options.queue_size);
        let meter = Arc::new(Meter::default());
        let seat = Seat {
            client: ClientId(member.id().0),
            since: jiff::Timestamp::now(),
            peer,
            target: mock.lock().targets.share(&target),
            subprotocol: subprotocol.map(String::into_boxed_str),
            meter: Arc::clone(&meter),
            traced,
        };
        mock.joined(id, Arc::new(seat), extensions.as_deref());
        let newcomer = Newcomer {
            mock,
            id,
            member,
            came: Instant::now(),
            slot,
        };
        Joined {
            newcomer,
            outbox,
            meter,
        }
    }

    /// Gives it its place once its first message has proven who it is; until then the talk sends it nothing.
    async fn join_proven(
        self,
        socket: impl Future<Output = Result<WebSocket, Error>>,
        entry: Entry,
    ) -> Option<Life> {
        let mut socket = socket.await.ok();
        let proven = match &mut socket {
            Some(socket) => {
                let told = |event: &Event<'_>| self.mock.tell(event);
                entry.prove(socket, &told, &self.target).await
            }
            None => None,
        };
        let (Some(socket), Some(Entry { admitted, slot, .. })) = (socket, proven) else {
            let gone = |player: &mut Player, now| player.gone(now, self.id);
            self.mock.with_player(gone);
            return None;
        };
        if let Some(claims) = admitted.claims {
            let proven = |player: &mut Player, _| player.proven(self.id, claims);
            self.mock.with_player(proven);
        }
        Some(self.join(slot).serve(socket, admitted.gate))
    }
}

/// A client that has its place.
struct Joined {
    newcomer: Newcomer,
    outbox: Outbox<Command>,
    meter: Arc<Meter>,
}

impl Joined {
    /// Waits for its stream.
    async fn open(
        self,
        socket: impl Future<Output = Result<WebSocket, Error>>,
        gate: Option<Box<dyn Gate>>,
    ) -> Option<Life> {
        match socket.await {
            Ok(socket) => Some(self.serve(socket, gate)),
            Err(error) => {
                self.newcomer.lost(error.to_string());
                None
            }
        }
    }

    fn serve(self, socket: WebSocket, gate: Option<Box<dyn Gate>>) -> Life {
        let link = Link::new(socket, self.outbox)
            .guarded(gate)
            .metered(self.meter);
        Box::pin(self.newcomer.stay(link))
    }
}

/// A handshake that the talk accepts.
struct Accepted {
    id: ConnectionId,
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
    compression: Option<bool>,
}

/// That the talk refuses a client, and the first line of what it says to it.
fn refused_for(said: &str) -> String {
    match said.lines().next().unwrap_or_default() {
        "" => "the talk refuses it".to_owned(),
        line => format!("the talk refuses it: {line}"),
    }
}

/// A request in the words of the player.
fn client_of(request: &Request) -> Client {
    let query = request.uri.query().unwrap_or_default();
    Client {
        ip: Some(request.peer_addr.ip()),
        path: request.uri.path().into(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: request
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect(),
        ..Client::default()
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, Error> {
    // A reply checks names and values, and says what is wrong with them.
    let mut checked = Reply::new(101);
    for (name, value) in headers {
        checked = checked.header(name, value)?;
    }
    Ok(std::mem::take(checked.headers_mut()))
}

fn reply(answer: &HttpAnswer) -> Reply {
    let mut made = Reply::new(answer.status).body(answer.body.clone());
    for (name, value) in &answer.headers {
        match made.header(name, value) {
            Ok(next) => made = next,
            Err(error) => {
                return Reply::text(500, format!("the talk's answer cannot be sent: {error}\n"));
            }
        }
    }
    made
}
