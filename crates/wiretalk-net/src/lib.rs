//! wiretalk-proto on tokio: dial, accept, timers, and the WebSocket type a program uses.
