//! What a mock answers to requests: handshakes, and plain HTTP.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use wiretalk_net::server::{AcceptOptions, Reply, Request, Upgrade};
use wiretalk_net::{CloseCode, Error};
use wiretalk_server::Meter;
use wiretalk_server::link::Link;
use wiretalk_talk::Client;
use wiretalk_talk::player::{ConnectionId, HandshakeAnswer, HttpAnswer, Request as PlayerRequest};

use super::{Mock, Seat};
use crate::serve::client::Newcomer;
use crate::serve::journal::EntryKind;
use crate::serve::operation::Refused;
use crate::serve::{Event, Life, Opening, extensions};

/// What became of a handshake: the reply, and the client's coming if it is accepted, or why it is not.
pub(crate) type Answered = (Reply, Result<Opening, Refused>);

impl Mock {
    /// What the talk says to a handshake.
    pub(in crate::serve) fn ask(&self, request: &Request, upgrade: &Upgrade) -> HandshakeAnswer {
        let asked = PlayerRequest {
            client: client_of(request),
            subprotocols: upgrade.subprotocols().map(str::to_owned).collect(),
        };
        self.with_player(|player, _| player.handshake(&asked))
    }

    /// Does what the talk says to a handshake.
    pub(in crate::serve) fn answer(
        self: &Arc<Self>,
        request: &Request,
        upgrade: Upgrade,
        answer: HandshakeAnswer,
    ) -> Answered {
        let (answered, status) = match answer {
            HandshakeAnswer::Refuse(answer) => {
                let why = match answer.status {
                    404 => Refused::new("path", "nothing is served there"),
                    _ => Refused::new("talk", "the talk refuses it"),
                };
                ((reply(&answer), Err(why)), answer.status)
            }
            HandshakeAnswer::RefuseByClose { code, reason } => {
                let refused = self.refuse_by_close(upgrade, code, reason);
                if refused.1.is_ok() {
                    self.tell(&Event::Refused {
                        peer: request.peer_addr,
                        target: &request.uri.to_string(),
                        status: code,
                        reason: "talk",
                        why: "the talk refuses it",
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
                let answered = self.accept(request, upgrade, accepted);
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
            peer: request.peer_addr,
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
        accepted: Accepted,
    ) -> Answered {
        let Accepted {
            id,
            subprotocol,
            headers,
            compression,
        } = accepted;
        let options = &self.shared.options;
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
                let (member, outbox) = self.hub.join_with(options.queue_size);
                let meter = Arc::new(Meter::default());
                let seat = Seat {
                    id: member.id(),
                    since: jiff::Timestamp::now(),
                    peer: request.peer_addr,
                    target: request.uri.to_string(),
                    subprotocol,
                    meter: Arc::clone(&meter),
                };
                self.joined(id, seat, extensions(&reply).as_deref());
                let newcomer = Newcomer {
                    mock: Arc::clone(self),
                    id,
                    member,
                    came: Instant::now(),
                };
                let opening = async move {
                    match socket.await {
                        Ok(socket) => {
                            let link = Link::new(socket, outbox).metered(meter);
                            let life: Life = Box::pin(newcomer.serve(link));
                            Some(life)
                        }
                        Err(error) => {
                            newcomer.lost(error.to_string());
                            None
                        }
                    }
                };
                (reply, Ok(Box::pin(opening)))
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
    fn refuse_by_close(&self, upgrade: Upgrade, code: u16, reason: String) -> Answered {
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

/// A handshake that the talk accepts.
struct Accepted {
    id: ConnectionId,
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
    compression: Option<bool>,
}

/// A request in the words of the player.
fn client_of(request: &Request) -> Client {
    let query = request.uri.query().unwrap_or_default();
    Client {
        ip: request.peer_addr.ip().to_string(),
        path: request.uri.path().to_owned(),
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
