//! Who is measured.

/// A server.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What it is called on the command line.
    pub(crate) id: &'static str,
    /// What it is called in a table.
    pub(crate) title: &'static str,
    pub(crate) family: Family,
    pub(crate) program: Program,
    /// What it can do besides an echo.
    pub(crate) skills: &'static [Skill],
}

/// What a peer counts as when a target says "the best Rust peer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Ours.
    Wiretalk,
    /// No WebSocket at all: what can be reached.
    Floor,
    /// A library in Rust.
    Rust,
    /// A library that is not in Rust.
    Other,
    /// In the tables, but no target is measured against it.
    Comparison,
}

/// What is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// A crate of this workspace, `peer-NAME`, with arguments of its own.
    Crate(&'static str, &'static [&'static str]),
    /// `wiretalk serve --echo`.
    Wiretalk,
    /// `peers/uws/server.cpp`.
    Uws,
    /// `peers/bun/server.js` in Bun.
    Bun,
    /// `peers/node-ws/server.js` in Node.
    Node,
    /// `peers/python/server.py`.
    Python,
}

/// What not every peer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skill {
    /// permessage-deflate without context takeover.
    Deflate,
    /// TLS.
    Tls,
    /// What one client sends goes to all.
    FanOut,
}

/// All peers, in the order of the tables.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        id: "wiretalk",
        title: "wiretalk-net",
        family: Family::Wiretalk,
        program: Program::Crate("wiretalk", &[]),
        skills: &[Skill::Deflate, Skill::Tls, Skill::FanOut],
    },
    Peer {
        id: "wiretalk-serve",
        title: "wiretalk serve --echo",
        family: Family::Wiretalk,
        program: Program::Wiretalk,
        skills: &[Skill::Deflate, Skill::Tls],
    },
    Peer {
        id: "raw-epoll",
        title: "raw TCP on epoll",
        family: Family::Floor,
        program: Program::Crate("raw-epoll", &[]),
        skills: &[],
    },
    Peer {
        id: "raw-tokio",
        title: "raw TCP on tokio",
        family: Family::Floor,
        program: Program::Crate("raw-tokio", &[]),
        skills: &[],
    },
    Peer {
        id: "sockudo-ws",
        title: "sockudo-ws, flush per batch",
        family: Family::Rust,
        program: Program::Crate("sockudo-ws", &[]),
        skills: &[Skill::Deflate],
    },
    Peer {
        id: "tokio-websockets",
        title: "tokio-websockets, flush per batch",
        family: Family::Rust,
        program: Program::Crate("tokio-websockets", &[]),
        skills: &[],
    },
    Peer {
        id: "tokio-websockets-as-is",
        title: "tokio-websockets, as is",
        family: Family::Rust,
        program: Program::Crate("tokio-websockets", &["--as-is"]),
        skills: &[],
    },
    Peer {
        id: "tokio-tungstenite",
        title: "tokio-tungstenite, flush per batch",
        family: Family::Rust,
        program: Program::Crate("tokio-tungstenite", &[]),
        skills: &[Skill::Tls, Skill::FanOut],
    },
    Peer {
        id: "tokio-tungstenite-small",
        title: "tokio-tungstenite, 4 KiB buffers",
        family: Family::Rust,
        program: Program::Crate("tokio-tungstenite", &["--small-buffers"]),
        skills: &[Skill::Tls, Skill::FanOut],
    },
    Peer {
        id: "fastwebsockets",
        title: "fastwebsockets",
        family: Family::Rust,
        program: Program::Crate("fastwebsockets", &[]),
        skills: &[],
    },
    Peer {
        id: "yawc",
        title: "yawc, flush per batch",
        family: Family::Comparison,
        program: Program::Crate("yawc", &[]),
        skills: &[Skill::Deflate],
    },
    Peer {
        id: "uws",
        title: "uWebSockets",
        family: Family::Other,
        program: Program::Uws,
        skills: &[Skill::Deflate, Skill::FanOut],
    },
    Peer {
        id: "bun",
        title: "Bun",
        family: Family::Other,
        program: Program::Bun,
        skills: &[Skill::Deflate, Skill::FanOut],
    },
    Peer {
        id: "node-ws",
        title: "Node ws",
        family: Family::Other,
        program: Program::Node,
        skills: &[Skill::Deflate, Skill::FanOut],
    },
    Peer {
        id: "python-websockets",
        title: "Python websockets",
        family: Family::Other,
        program: Program::Python,
        skills: &[Skill::Deflate, Skill::FanOut],
    },
];

impl Peer {
    /// Whether it knows no handshake.
    pub(crate) fn is_raw(&self) -> bool {
        self.family == Family::Floor
    }

    pub(crate) fn can(&self, skill: Skill) -> bool {
        self.skills.contains(&skill)
    }
}
