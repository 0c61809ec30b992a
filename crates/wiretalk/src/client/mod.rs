//! Clients above a connection.
