//! Why somebody is not let in.

use std::fmt;

/// Why a client is not let in.
///
/// [`name`](Self::name) never changes: it is for labels of metrics, and for whoever reads logs with a program.
///
/// ```
/// use wiretalk_server::guard::Reason;
///
/// let reason = Reason::TokenExpired;
/// assert_eq!((reason.name(), reason.status(), reason.close_code()), ("token-expired", 401, 1008));
/// assert!(Reason::ALL.contains(&reason));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Pages of its origin may not connect.
    Origin,
    /// Its address is denied, or not among those allowed.
    Address,
    /// Its country is denied, or not among those allowed.
    Country,
    /// It brought no token.
    TokenMissing,
    /// Its token is none of ours: unknown, forged, for somebody else, or no token at all.
    TokenInvalid,
    /// Its token is over.
    TokenExpired,
    /// The keys to check its token with are not to be had.
    TokenUnchecked,
    /// Its address has as many connections as it may have.
    AddressFull,
    /// It speaks plain HTTP where TLS is wanted.
    Plain,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Origin,
        Self::Address,
        Self::Country,
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenUnchecked,
        Self::AddressFull,
        Self::Plain,
    ];

    /// A short name that never changes.
    ///
    /// ```
    /// assert_eq!(wiretalk_server::guard::Reason::Origin.name(), "origin");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Address => "address",
            Self::Country => "country",
            Self::TokenMissing => "token-missing",
            Self::TokenInvalid => "token-invalid",
            Self::TokenExpired => "token-expired",
            Self::TokenUnchecked => "token-unchecked",
            Self::AddressFull => "address-full",
            Self::Plain => "plain-http",
        }
    }

    /// The HTTP status with which it is refused (RFC 9110 15).
    ///
    /// ```
    /// assert_eq!(wiretalk_server::guard::Reason::AddressFull.status(), 429);
    /// ```
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Origin | Self::Address | Self::Country => 403,
            Self::TokenMissing | Self::TokenInvalid | Self::TokenExpired => 401,
            Self::TokenUnchecked => 503,
            Self::AddressFull => 429,
            Self::Plain => 426,
        }
    }

    /// The close code with which it is refused behind an upgrade (RFC 6455 7.4).
    ///
    /// ```
    /// assert_eq!(wiretalk_server::guard::Reason::AddressFull.close_code(), 1013);
    /// ```
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Self::TokenUnchecked | Self::AddressFull => 1013,
            _ => 1008,
        }
    }

    /// What the client is told: enough to mend it, and no more.
    ///
    /// ```
    /// assert_eq!(wiretalk_server::guard::Reason::TokenMissing.told(), "a token is needed");
    /// ```
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::Origin => "pages of this origin may not connect",
            Self::Address => "your address may not connect",
            Self::Country => "your country may not connect",
            Self::TokenMissing => "a token is needed",
            Self::TokenInvalid => "the token is not accepted",
            Self::TokenExpired => "the token has expired",
            Self::TokenUnchecked => "the token cannot be checked at the moment",
            Self::AddressFull => "your address has too many connections",
            Self::Plain => "this server speaks TLS only",
        }
    }
}

/// A client that is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, in a word.
    pub reason: Reason,
    /// Why, for the log alone: it may name what the client must not learn.
    pub why: String,
}

impl Refusal {
    pub(super) fn new(reason: Reason, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { reason, why }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
