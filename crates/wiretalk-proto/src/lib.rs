//! RFC 6455 without I/O: frames, masking, UTF-8, handshake, the connection's state machine.
