//! The pages of the book that are about the library: their examples are documentation tests.

#[doc = include_str!("../../../README.md")]
mod readme {}

#[doc = include_str!("../../../docs/library/index.md")]
mod index {}

#[cfg(feature = "cookies")]
#[doc = include_str!("../../../docs/library/reach.md")]
mod reach {}

#[doc = include_str!("../../../docs/library/clients.md")]
mod clients {}

#[cfg(all(feature = "axum", feature = "guard"))]
#[doc = include_str!("../../../docs/library/servers.md")]
mod servers {}

#[cfg(feature = "mock")]
#[doc = include_str!("../../../docs/library/testing.md")]
mod testing {}

#[doc = include_str!("../../../docs/library/from-tungstenite.md")]
mod from_tungstenite {}
