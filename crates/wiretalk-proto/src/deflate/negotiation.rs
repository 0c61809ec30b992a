//! What two endpoints may agree on: RFC 7692 sections 5 and 7.1.

use crate::connection::Role;
use crate::handshake::Extension;

/// The extension's registered name.
pub(crate) const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The least window that can be compressed with: there is no raw deflate with one of 2^8 bytes in zlib or its kin.
pub(super) const LEAST_BITS: u8 = 9;
/// The largest window that there is.
pub(super) const MOST_BITS: u8 = 15;

/// What this side is willing to do, as a server that is offered permessage-deflate or as a client that offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// The server begins every message with an empty window (section 7.1.1.1). A server says so; a client demands it.
    /// Default: true, so that a server's connections share compressors.
    pub server_no_context_takeover: bool,
    /// The client begins every message with an empty window (section 7.1.1.2). A server demands it; a client says that
    /// it will do so. Default: true, so that a server's connections share decompressors.
    pub client_no_context_takeover: bool,
    /// The largest window that the server may compress with, as a power of two of bytes (section 7.1.2.1): 9 to 15;
    /// what is beyond counts as the nearest of these. Default: 15.
    pub server_max_window_bits: u8,
    /// The largest window that the client may compress with, as a power of two of bytes (section 7.1.2.2): 9 to 15;
    /// what is beyond counts as the nearest of these. A server can only ask for less than 15 of a client that offers
    /// it, and turns down an offer that does not. Default: 15.
    pub client_max_window_bits: u8,
    /// How hard we compress what we send: 0 (not at all) to 9; what is beyond counts as 9. Not negotiated. Default: 1.
    ///
    /// 1 KiB of JSON becomes some 390 bytes at level 1, 310 at level 2 and 290 at level 6, without context takeover;
    /// level 1 takes less than a sixth of the time of the others.
    pub level: u8,
    /// The shortest payload that [`Compression::Auto`](super::Compression::Auto) compresses, in bytes. Not negotiated.
    /// Default: 256.
    pub threshold: u32,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: MOST_BITS,
            client_max_window_bits: MOST_BITS,
            level: 1,
            threshold: 256,
        }
    }
}

impl DeflateConfig {
    /// Context takeover both ways, unless the peer is against it: messages that resemble each other become smaller, at
    /// the cost of some 300 KiB for each connection on which we compress and 50 KiB for each on which the peer does.
    #[must_use]
    pub fn with_context_takeover() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            ..Self::default()
        }
    }

    /// What is agreed if both sides want just this, for a connection whose handshake was done elsewhere.
    #[must_use]
    pub fn agreed(&self) -> Agreed {
        Agreed {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_bits(),
            client_max_window_bits: self.client_bits(),
            level: self.level.min(9),
            threshold: self.threshold,
        }
    }

    /// The server's choice (section 5): the first alternative among what a client offers that can be accepted, and the
    /// element of `Sec-WebSocket-Extensions` that accepts it. `None` if there is none: the connection then goes without
    /// compression, for an offer that cannot be accepted is no fault.
    #[must_use]
    pub fn accept(&self, offers: &[Extension]) -> Option<(Agreed, String)> {
        offers
            .iter()
            .filter(|offer| offer.name == NAME)
            .find_map(|offer| self.accept_one(&Parameters::of_offer(offer)?))
    }

    fn accept_one(&self, offer: &Parameters) -> Option<(Agreed, String)> {
        let mut answer = Parameters {
            server_no_context_takeover: offer.server_no_context_takeover
                || self.server_no_context_takeover,
            // Section 7.1.1.2: the offer is only a hint, but one that spares us a decompressor.
            client_no_context_takeover: offer.client_no_context_takeover
                || self.client_no_context_takeover,
            ..Parameters::default()
        };
        // Section 7.1.2.1: the same or less than what is asked for. A window of 8 bits cannot be had.
        let mut server_bits = self.server_bits();
        if let Some(Bits::Value(asked)) = offer.server_max_window_bits {
            if asked < LEAST_BITS {
                return None;
            }
            server_bits = server_bits.min(asked);
        }
        if server_bits < MOST_BITS || offer.server_max_window_bits.is_some() {
            answer.server_max_window_bits = Some(Bits::Value(server_bits));
        }
        // Section 7.1.2.2: what is offered is only a hint, and we inflate with the largest window anyway, so nothing is
        // answered unless our own limit is lower. The answer may not exceed the hint, which may be 8 too.
        let mut client_bits = self.client_bits();
        if client_bits < MOST_BITS {
            match offer.client_max_window_bits? {
                Bits::Any => {}
                Bits::Value(hint) => client_bits = client_bits.min(hint),
            }
            answer.client_max_window_bits = Some(Bits::Value(client_bits));
        }
        let agreed = Agreed {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
            ..self.agreed()
        };
        Some((agreed, answer.to_string()))
    }

    /// The client's offer, as an element of `Sec-WebSocket-Extensions`.
    #[must_use]
    pub fn offer(&self) -> String {
        let (server_bits, client_bits) = (self.server_bits(), self.client_bits());
        let parameters = Parameters {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: (server_bits < MOST_BITS).then_some(Bits::Value(server_bits)),
            client_max_window_bits: Some(if client_bits < MOST_BITS {
                Bits::Value(client_bits)
            } else {
                Bits::Any
            }),
        };
        parameters.to_string()
    }

    /// The client's judgement of what a server answers to [`offer`](Self::offer) (sections 5.1 and 7.1).
    ///
    /// # Errors
    /// The answer does not correspond to the offer.
    pub fn judge(&self, answer: &Extension) -> Result<Agreed, AnswerError> {
        let answer = Parameters::of_answer(answer)?;
        // Section 7.1.1.1: a server accepts the demand by repeating it.
        if self.server_no_context_takeover && !answer.server_no_context_takeover {
            return Err(AnswerError::Missing(SERVER_NO_CONTEXT_TAKEOVER));
        }
        let bits = |answered: Option<Bits>, own: u8, name| match answered {
            Some(Bits::Value(bits)) if bits > own => Err(AnswerError::LargerThanOffered {
                name,
                offered: own,
                answered: bits,
            }),
            Some(Bits::Value(bits)) => Ok(Some(bits)),
            Some(Bits::Any) | None => Ok(None),
        };
        let own = self.server_bits();
        let server_bits = bits(answer.server_max_window_bits, own, SERVER_MAX_WINDOW_BITS)?;
        if server_bits.is_none() && own < MOST_BITS {
            return Err(AnswerError::Missing(SERVER_MAX_WINDOW_BITS));
        }
        let own = self.client_bits();
        let client_bits = bits(answer.client_max_window_bits, own, CLIENT_MAX_WINDOW_BITS)?;
        Ok(Agreed {
            server_no_context_takeover: answer.server_no_context_takeover,
            // Section 7.1.1.2: a server may demand it unasked, and what we said that we will do, we do.
            client_no_context_takeover: answer.client_no_context_takeover
                || self.client_no_context_takeover,
            server_max_window_bits: server_bits.unwrap_or(MOST_BITS),
            client_max_window_bits: client_bits.unwrap_or(own),
            ..self.agreed()
        })
    }

    fn server_bits(&self) -> u8 {
        self.server_max_window_bits.clamp(LEAST_BITS, MOST_BITS)
    }

    fn client_bits(&self) -> u8 {
        self.client_max_window_bits.clamp(LEAST_BITS, MOST_BITS)
    }
}

/// What was agreed for one connection: RFC 7692's "agreed parameters", and how we compress within them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: u8,
    client_max_window_bits: u8,
    level: u8,
    threshold: u32,
}

impl Agreed {
    /// The server begins every message with an empty window.
    #[must_use]
    pub const fn server_no_context_takeover(&self) -> bool {
        self.server_no_context_takeover
    }

    /// The client begins every message with an empty window.
    #[must_use]
    pub const fn client_no_context_takeover(&self) -> bool {
        self.client_no_context_takeover
    }

    /// The largest window that the server compresses with, as a power of two of bytes: 8 to 15.
    #[must_use]
    pub const fn server_max_window_bits(&self) -> u8 {
        self.server_max_window_bits
    }

    /// The largest window that the client compresses with, as a power of two of bytes: 8 to 15. A client that is held
    /// to 8 sends without compression, for it has no compressor with so small a window.
    #[must_use]
    pub const fn client_max_window_bits(&self) -> u8 {
        self.client_max_window_bits
    }

    /// Whether the sender in that role keeps its window from message to message.
    pub(crate) const fn takes_over(&self, sender: Role) -> bool {
        match sender {
            Role::Client => !self.client_no_context_takeover,
            Role::Server => !self.server_no_context_takeover,
        }
    }

    /// The window to compress with in that role; `None` if it is too small.
    pub(crate) const fn window_bits(&self, sender: Role) -> Option<u8> {
        let bits = match sender {
            Role::Client => self.client_max_window_bits,
            Role::Server => self.server_max_window_bits,
        };
        if bits < LEAST_BITS { None } else { Some(bits) }
    }

    pub(crate) const fn level(&self) -> u8 {
        self.level
    }

    pub(crate) const fn threshold(&self) -> usize {
        self.threshold as usize
    }
}

/// What a server answers to an offer of permessage-deflate, and must not: the client fails the connection (sections
/// 5.1 and 7.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The extension is in the answer twice.
    #[error("the server accepts permessage-deflate twice")]
    AcceptedTwice,
    /// A parameter that the extension does not define.
    #[error("the server answers permessage-deflate with the parameter `{0}`, which there is not")]
    Unknown(String),
    /// A parameter twice.
    #[error("the server answers permessage-deflate with `{0}` twice")]
    Repeated(&'static str),
    /// A parameter with a value that it cannot have, or without the one that it must have.
    #[error("the server answers permessage-deflate with `{name}{}`, which is not a value of it", .value.as_ref().map(|value| format!("={value}")).unwrap_or_default())]
    InvalidValue {
        /// The parameter.
        name: &'static str,
        /// Its value; `None` if it came without one.
        value: Option<String>,
    },
    /// A window larger than the one that was asked for.
    #[error(
        "the server answers permessage-deflate with `{name}={answered}`, more than the {offered} that was offered"
    )]
    LargerThanOffered {
        /// The parameter.
        name: &'static str,
        /// What was offered.
        offered: u8,
        /// What was answered.
        answered: u8,
    },
    /// A parameter that the offer demanded.
    #[error("the server accepts permessage-deflate without the `{0}` that was asked for")]
    Missing(&'static str),
}

impl AnswerError {
    /// The section that was broken.
    #[must_use]
    pub fn section(&self) -> &'static str {
        let name = match self {
            Self::AcceptedTwice => return "RFC 7692 5.1",
            Self::Unknown(_) => return "RFC 7692 7.1",
            Self::Repeated(_) => return "RFC 7692 7.1",
            Self::InvalidValue { name, .. }
            | Self::LargerThanOffered { name, .. }
            | Self::Missing(name) => name,
        };
        match *name {
            SERVER_NO_CONTEXT_TAKEOVER => "RFC 7692 7.1.1.1",
            CLIENT_NO_CONTEXT_TAKEOVER => "RFC 7692 7.1.1.2",
            SERVER_MAX_WINDOW_BITS => "RFC 7692 7.1.2.1",
            _ => "RFC 7692 7.1.2.2",
        }
    }
}

/// The parameters of one offer or answer, each at most once.
#[derive(Clone, Copy, Debug, Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<Bits>,
    client_max_window_bits: Option<Bits>,
}

#[derive(Clone, Copy, Debug)]
enum Bits {
    /// The parameter stands without a value.
    Any,
    Value(u8),
}

impl Parameters {
    /// `None`: the offer is to be declined.
    fn of_offer(offer: &Extension) -> Option<Self> {
        // A client that offers `client_max_window_bits` without a value says that it knows the parameter.
        Self::read(offer, true).ok()
    }

    fn of_answer(answer: &Extension) -> Result<Self, AnswerError> {
        Self::read(answer, false)
    }

    fn read(extension: &Extension, is_offer: bool) -> Result<Self, AnswerError> {
        let mut all = Self::default();
        for (name, value) in &extension.parameters {
            let value = value.as_deref();
            match name.as_str() {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    flag(
                        &mut all.server_no_context_takeover,
                        SERVER_NO_CONTEXT_TAKEOVER,
                        value,
                    )?;
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    flag(
                        &mut all.client_no_context_takeover,
                        CLIENT_NO_CONTEXT_TAKEOVER,
                        value,
                    )?;
                }
                SERVER_MAX_WINDOW_BITS => {
                    bits(
                        &mut all.server_max_window_bits,
                        SERVER_MAX_WINDOW_BITS,
                        value,
                        false,
                    )?;
                }
                CLIENT_MAX_WINDOW_BITS => {
                    bits(
                        &mut all.client_max_window_bits,
                        CLIENT_MAX_WINDOW_BITS,
                        value,
                        is_offer,
                    )?;
                }
                _ => return Err(AnswerError::Unknown(name.clone())),
            }
        }
        Ok(all)
    }
}

/// Sections 7.1.1.1 and 7.1.1.2: these have no value.
fn flag(flag: &mut bool, name: &'static str, value: Option<&str>) -> Result<(), AnswerError> {
    if *flag {
        return Err(AnswerError::Repeated(name));
    }
    if value.is_some() {
        return Err(invalid(name, value));
    }
    *flag = true;
    Ok(())
}

/// Sections 7.1.2.1 and 7.1.2.2: a decimal from 8 to 15 without leading zeros.
fn bits(
    bits: &mut Option<Bits>,
    name: &'static str,
    value: Option<&str>,
    may_be_any: bool,
) -> Result<(), AnswerError> {
    if bits.is_some() {
        return Err(AnswerError::Repeated(name));
    }
    *bits = Some(match value {
        None if may_be_any => Bits::Any,
        Some("8") => Bits::Value(8),
        Some("9") => Bits::Value(9),
        Some("10") => Bits::Value(10),
        Some("11") => Bits::Value(11),
        Some("12") => Bits::Value(12),
        Some("13") => Bits::Value(13),
        Some("14") => Bits::Value(14),
        Some("15") => Bits::Value(15),
        Some(_) | None => return Err(invalid(name, value)),
    });
    Ok(())
}

fn invalid(name: &'static str, value: Option<&str>) -> AnswerError {
    AnswerError::InvalidValue {
        name,
        value: value.map(str::to_owned),
    }
}

impl std::fmt::Display for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(NAME)?;
        for (is_set, name) in [
            (self.server_no_context_takeover, SERVER_NO_CONTEXT_TAKEOVER),
            (self.client_no_context_takeover, CLIENT_NO_CONTEXT_TAKEOVER),
        ] {
            if is_set {
                write!(f, "; {name}")?;
            }
        }
        for (bits, name) in [
            (self.server_max_window_bits, SERVER_MAX_WINDOW_BITS),
            (self.client_max_window_bits, CLIENT_MAX_WINDOW_BITS),
        ] {
            match bits {
                Some(Bits::Any) => write!(f, "; {name}")?,
                Some(Bits::Value(bits)) => write!(f, "; {name}={bits}")?,
                None => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
