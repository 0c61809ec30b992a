//! Whatever happens in whatever order, the player goes on.
