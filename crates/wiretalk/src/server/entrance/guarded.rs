//! With a guard.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::time::{MissedTickBehavior, interval, timeout};
use wiretalk_server::{
    gate::Gate,
    guard::{
        Admitted, Asked, First, Guard, GuardOptions, Reason, Refusal, Refused, few_words,
        first_text, see_off, upgrade_to_close,
    },
};

use super::{Farewell, Turned};
use crate::{
    Error, WebSocket,
    server::{Handshake, Reply, Request, Upgrade, guard::Claims, stand_alone::Settings},
};

/// How often it is looked whether keys of tokens are to be read anew.
const LOOKS: Duration = Duration::from_secs(5);

/// How a server is guarded, as far as that was said.
#[derive(Default)]
pub(in crate::server) struct Guarding {
    pub(in crate::server) options: GuardOptions,
    pub(in crate::server) by_close: bool,
}

/// Lets in whom the guard lets in.
pub(in crate::server) struct Entrance {
    guard: Arc<Guard>,
    by_close: bool,
    /// How long a client may take for a token in its first message.
    patience: Duration,
}

/// A client that is let in.
pub(in crate::server) struct Entry(Admitted);

impl Entrance {
    pub(in crate::server) fn new(settings: &mut Settings) -> Self {
        let Guarding { options, by_close } = mem::take(&mut settings.guarding);
        Self {
            guard: Guard::new(GuardOptions {
                origins: settings.policy.origins.clone(),
                idle: settings.idle_timeout,
                ..options
            }),
            by_close,
            patience: settings.options.handshake_timeout,
        }
    }

    /// Why a plain request is not answered. Says where it comes from.
    pub(in crate::server) fn plain(&self, request: &mut Request) -> Option<Turned> {
        match self.guard.admit_plain(&Asked::of(request)) {
            Ok(peer) => {
                request.peer_addr = peer;
                None
            }
            Err(refused) => Some(self.turned(request, refused)),
        }
    }

    /// Whether a handshake is let in. Says where it comes from.
    pub(in crate::server) async fn admit(&self, request: &mut Request) -> Result<Entry, Turned> {
        let admitted = match self.guard.admit(&Asked::of(request)) {
            Err(refused) if refused.refusal.reason == Reason::TokenUnchecked => {
                match self.guard.refresh().await {
                    Ok(_) => self.guard.admit(&Asked::of(request)),
                    Err(error) => Err(Refused {
                        refusal: Refusal {
                            why: error.to_string(),
                            ..refused.refusal
                        },
                        ..refused
                    }),
                }
            }
            judged => judged,
        };
        match admitted {
            Ok(admitted) => {
                request.peer_addr = admitted.peer;
                Ok(Entry(admitted))
            }
            Err(refused) => Err(self.turned(request, refused)),
        }
    }

    fn turned(&self, request: &mut Request, refused: Refused) -> Turned {
        request.peer_addr = refused.peer;
        let by_origin = refused.refusal.reason == Reason::Origin;
        let turned = told(refused);
        let origins = &self.guard.options().origins;
        // It says which origin, as it does without a guard.
        match origins.refusal(&request.uri, &request.headers) {
            Some(reply) if by_origin => Turned { reply, ..turned },
            _ => turned,
        }
    }

    /// How a client is told that it is not let in, and what is left to do.
    pub(in crate::server) fn refuse(
        &self,
        upgrade: Upgrade,
        turned: Turned,
    ) -> (Reply, Option<Farewell>) {
        if !self.by_close {
            return (turned.reply, None);
        }
        let Ok((reply, socket)) = upgrade_to_close(upgrade) else {
            return (turned.reply, None);
        };
        let (code, why) = turned.close;
        let farewell = async move {
            if let Ok(mut socket) = socket.await {
                see_off(&mut socket, code, &why).await;
            }
        };
        (reply, Some(Box::pin(farewell)))
    }

    /// Takes the first message of a client whose token is in it. Dropping the future loses the client.
    pub(in crate::server) async fn prove(
        &self,
        entry: Entry,
        socket: &mut WebSocket,
    ) -> Result<Entry, Turned> {
        let Admitted { peer, mut gate, .. } = entry.0;
        let admitted = Admitted {
            gate: None,
            ..entry.0
        };
        let limits = socket.limits();
        socket.set_limits(few_words(limits));
        let first = timeout(self.patience, first_text(socket, gate.as_deref_mut())).await;
        socket.set_limits(limits);
        let why = match first {
            Ok(First::Text(text)) => {
                let admitted = Admitted { gate, ..admitted };
                let guard = &self.guard;
                let proven = guard.prove(admitted, &text, Instant::now(), SystemTime::now());
                return proven.map(Entry).map_err(told);
            }
            Ok(First::Broken(error, _)) => error.to_string(),
            Ok(First::Expelled(expelled)) => expelled.reason.into_owned(),
            Ok(First::Gone) => "it left without a token".to_owned(),
            Err(_) => format!("no token came within {:?}", self.patience),
        };
        let reason = Reason::TokenMissing;
        let refusal = Refusal { reason, why };
        Err(told(Refused { peer, refusal }))
    }

    /// Reads keys of tokens anew, whenever they are old; never ends.
    pub(in crate::server) async fn keep_keys(&self, tell: impl Fn(Error)) {
        if self.guard.options().tokens.is_none() {
            return std::future::pending().await;
        }
        let mut looks = interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if self.guard.is_due()
                && let Err(error) = self.guard.refresh().await
            {
                tell(error);
            }
        }
    }
}

impl Entry {
    /// Writes down what is known of the client.
    pub(in crate::server) fn describe(&self, handshake: &mut Handshake) {
        if handshake.subprotocol.is_none() {
            handshake.subprotocol = self.0.subprotocol.map(str::to_owned);
        }
        handshake.user = self.user().map(str::to_owned);
        self.tell(&mut handshake.extensions);
    }

    /// Its token is still to come: nobody may hear of the client before [`Entrance::prove`], nor the client of anybody.
    pub(in crate::server) fn is_unproven(&self) -> bool {
        self.0.unproven
    }

    /// Whom its token is about.
    pub(in crate::server) fn user(&self) -> Option<&str> {
        self.0.claims.as_ref()?.get("sub")?.as_str()
    }

    /// Writes down what its token says.
    pub(in crate::server) fn tell(&self, extensions: &mut http::Extensions) {
        if let Some(claims) = &self.0.claims {
            extensions.insert(Claims(Arc::clone(claims)));
        }
    }

    pub(in crate::server) fn gate(self) -> Option<Box<dyn Gate>> {
        self.0.gate
    }
}

fn told(Refused { refusal, .. }: Refused) -> Turned {
    let reason = refusal.reason;
    Turned {
        reply: reason.reply(),
        close: (reason.close_code(), reason.told().into()),
        why: Some(refusal.into()),
    }
}
