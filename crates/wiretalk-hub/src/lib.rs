//! Who is connected and what is delivered to whom; knows no sockets.
