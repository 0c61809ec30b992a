//! The wire between us and programs that we did not write: in both roles, plain and over TLS, with compression and
//! without, with messages of every size.
//!
//! The programs are those of `tests/peers/wire`. Each library there has a client and a server that take the same
//! arguments and say the same lines, so a case is data.

mod browser;
mod client;
mod deflate;
mod handshakes;
mod hostile;
mod payload;
mod server;

use wiretalk_interop::{Program, certificate};

/// The libraries of others.
const LIBRARIES: [&str; 3] = ["websockets", "aiohttp", "ws"];
/// Those of them that can send a message in fragments.
const FRAGMENTING: [&str; 2] = ["websockets", "ws"];

/// Where the length of a frame takes another form, and a megabyte; in bytes.
const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, MIB];
/// In bytes.
const MIB: usize = 1 << 20;
const KINDS: [&str; 2] = ["text", "binary"];

/// How a connection is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Link {
    compressed: bool,
    tls: bool,
}

const LINKS: [Link; 4] = [
    Link::new(false, false),
    Link::new(true, false),
    Link::new(false, true),
    Link::new(true, true),
];

impl Link {
    const fn new(compressed: bool, tls: bool) -> Self {
        Self { compressed, tls }
    }

    /// What tells a program of `tests/peers/wire` to offer compression, or to agree to it.
    fn deflate(self) -> &'static [&'static str] {
        if self.compressed {
            &["--deflate", "{}"]
        } else {
            &[]
        }
    }
}

/// A certificate, and the folder that goes when this does.
struct Certificate {
    _folder: tempfile::TempDir,
    cert: String,
    key: String,
}

impl Certificate {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert, key) = certificate(folder.path());
        Self {
            _folder: folder,
            cert,
            key,
        }
    }

    /// What tells a server to use it.
    fn served(&self, link: Link) -> Vec<&str> {
        if link.tls {
            vec!["--cert", &self.cert, "--key", &self.key]
        } else {
            Vec::new()
        }
    }

    /// What tells a client to trust it.
    fn trusted(&self, link: Link) -> Vec<&str> {
        if link.tls {
            vec!["--ca", &self.cert]
        } else {
            Vec::new()
        }
    }
}

/// The program of a library in one role.
fn script(library: &str, role: &str) -> String {
    let language = if library == "ws" { "mjs" } else { "py" };
    format!("wire/{library}_{role}.{language}")
}

/// A client of others does these steps on a server, and must say that each went well. Gives the extensions that the
/// server agreed to.
fn client_of(library: &str, url: &str, arguments: &[&str], steps: &[String]) -> String {
    let input: String = steps.iter().map(|step| format!("echo {step}\n")).collect();
    let said = Program::peer(&script(library, "client"))
        .arg(url)
        .args(arguments)
        .finish(input)
        .with_code(0)
        .out();
    let (open, rest) = said.split_once('\n').unwrap_or_default();
    let mut expected = String::new();
    for step in steps {
        let kind_and_size: Vec<&str> = step.split(' ').take(2).collect();
        expected += &format!("same {}\n", kind_and_size.join(" "));
    }
    expected += "closed 1000\n";
    assert_eq!(rest, expected, "{library} {arguments:?}: {open}");
    open.strip_prefix("open")
        .unwrap_or_else(|| panic!("{library} {arguments:?}: {said}"))
        .trim()
        .to_owned()
}

/// The steps of every size and kind.
fn every_size() -> Vec<String> {
    let sizes = SIZES.iter();
    sizes
        .flat_map(|size| KINDS.map(|kind| format!("{kind} {size}")))
        .collect()
}
