//! A server of its own, with rooms.
