//! Servers and proxies that others wrote, each with a configuration made for one test.
//!
//! A test author writes what matters and nothing else:
//!
//! ```no_run
//! use wiretalk_interop::{Counterpart, Server};
//!
//! let backend = Server::peer("server.py", &["echo"]);
//! let nginx = Counterpart::nginx(&format!(
//!     "listen 127.0.0.1:{{port}}; location / {{ {} proxy_pass {}; }}",
//!     Counterpart::NGINX_UPGRADE,
//!     backend.http()
//! ));
//! let proxy = Counterpart::tinyproxy("BasicAuth user secret");
//! let socks = Counterpart::microsocks(&["-u", "user", "-P", "secret"]);
//! println!("{} {} {}", nginx.url("ws"), proxy.url("http"), socks.url("socks5"));
//! ```
//!
//! In a configuration and in arguments `{port}` stands for the free port that is the program's own, and `{folder}` for a
//! folder that goes when the test ends. All of them run on loopback, as children of the test, and end with it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{DEADLINE, Process, Program, Stream};

/// How often a free port may turn out to be somebody else's by the time that the program takes it.
const ATTEMPTS: usize = 5;

/// A server or a proxy that listens.
#[derive(Debug)]
pub struct Counterpart {
    /// The program. What it logs stands on one of its streams: see the function that started it.
    pub process: Process,
    /// The port that is its own, on 127.0.0.1.
    pub port: u16,
    folder: TempDir,
}

impl Counterpart {
    /// What an nginx `location` needs beside `proxy_pass` to let a WebSocket through.
    pub const NGINX_UPGRADE: &'static str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
        proxy_set_header Connection \"upgrade\"; proxy_set_header Host $http_host;";

    /// nginx, with this inside its `server` block, `listen` included. It logs each request, and what goes wrong, on
    /// standard error.
    #[must_use]
    pub fn nginx(server: &str) -> Self {
        Self::nginx_http(&format!("server {{\n{server}\n}}"))
    }

    /// nginx, with this inside its `http` block.
    #[must_use]
    pub fn nginx_http(http: &str) -> Self {
        let config = format!(
            "daemon off;\nmaster_process off;\npid {{folder}}/pid;\nerror_log stderr notice;\nevents {{}}\nhttp {{\n\
             access_log /dev/stderr;\nclient_body_temp_path {{folder}}/body;\nproxy_temp_path {{folder}}/proxy;\n\
             fastcgi_temp_path {{folder}}/fastcgi;\nuwsgi_temp_path {{folder}}/uwsgi;\nscgi_temp_path {{folder}}/scgi;\n\
             {http}\n}}\n"
        );
        Self::start(Ready::Says(Stream::Err, "using the"), |place| {
            let config = place.file("nginx.conf", &config);
            Program::system("nginx")
                .arg("-p")
                .arg(place.folder)
                .arg("-c")
                .arg(config)
                .args(["-e", "stderr"])
        })
    }

    /// tinyproxy, an HTTP proxy, with these further lines of configuration, such as `BasicAuth user secret` or
    /// `ConnectPort 443`. It logs on standard output.
    #[must_use]
    pub fn tinyproxy(config: &str) -> Self {
        let config =
            format!("Port {{port}}\nListen 127.0.0.1\nTimeout 60\nLogLevel Info\n{config}\n");
        Self::start(Ready::Says(Stream::Out, "Accepting connections"), |place| {
            let config = place.file("tinyproxy.conf", &config);
            Program::system("tinyproxy").args(["-d", "-c"]).arg(config)
        })
    }

    /// microsocks, a SOCKS5 proxy, with these further arguments: `-u USER -P PASSWORD`. It logs on standard error.
    #[must_use]
    pub fn microsocks(arguments: &[&str]) -> Self {
        Self::start(Ready::Accepts, |place| {
            Program::system("microsocks")
                .args(["-i", "127.0.0.1", "-p"])
                .arg(place.port.to_string())
                .args(place.fill(arguments))
        })
    }

    /// haproxy, with these sections of configuration; HTTP is the mode that is set, and timeouts are. It logs on standard
    /// error.
    #[must_use]
    pub fn haproxy(config: &str) -> Self {
        let config = format!(
            "defaults\n mode http\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n timeout tunnel 60s\n\
             {config}\n"
        );
        Self::start(Ready::Says(Stream::Err, "Loading success"), |place| {
            let config = place.file("haproxy.cfg", &config);
            Program::system("haproxy")
                .args(["-W", "-db", "-f"])
                .arg(config)
        })
    }

    /// `openssl s_server` with these further arguments (`-cert FILE -key FILE`). What a client sends stands on standard
    /// output, and what the test says ([`Process::say`]) goes to the client, each line ended as in HTTP.
    #[must_use]
    pub fn openssl_server(arguments: &[&str]) -> Self {
        Self::start(Ready::Says(Stream::Out, "ACCEPT"), |place| {
            Program::system("openssl")
                .args(["s_server", "-crlf", "-accept"])
                .arg(format!("127.0.0.1:{}", place.port))
                .args(place.fill(arguments))
        })
    }

    /// Where it listens: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A URL of it with that scheme: `SCHEME://127.0.0.1:PORT/`.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/", self.address())
    }

    /// A file in its folder, such as a socket that it listens on: what `{folder}/NAME` is in its configuration.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(ready: Ready, program: impl Fn(&Place<'_>) -> Program) -> Self {
        for _ in 1..ATTEMPTS {
            if let Ok(started) = Self::try_start(ready, &program) {
                return started;
            }
        }
        Self::try_start(ready, &program).unwrap_or_else(|process| {
            process.fail("ended instead of listening, again and again");
        })
    }

    fn try_start(
        ready: Ready,
        program: impl Fn(&Place<'_>) -> Program,
    ) -> Result<Self, Box<Process>> {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut process = program(&Place {
            folder: folder.path(),
            port,
        })
        .start();
        let listens = match ready {
            Ready::Says(stream, line) => process.says_on(stream, line).is_some(),
            Ready::Accepts => accepts(port, &mut process),
        };
        if listens {
            Ok(Self {
                process,
                port,
                folder,
            })
        } else {
            Err(Box::new(process))
        }
    }
}

/// How a program shows that it listens.
#[derive(Clone, Copy)]
enum Ready {
    /// By a line with these words.
    Says(Stream, &'static str),
    /// By accepting connections, and in no other way.
    Accepts,
}

/// Where a program is to be.
struct Place<'a> {
    folder: &'a Path,
    port: u16,
}

impl Place<'_> {
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, self.filled(text)).expect("it is written");
        path
    }

    fn fill(&self, arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(|text| self.filled(text)).collect()
    }

    fn filled(&self, text: &str) -> String {
        text.replace("{port}", &self.port.to_string())
            .replace("{folder}", &self.folder.display().to_string())
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

/// Waits until a program that says nothing accepts connections; `false` if it ends.
fn accepts(port: u16, process: &mut Process) -> bool {
    let deadline = Instant::now() + DEADLINE;
    while process.is_running() {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return process.is_running();
        }
        if Instant::now() > deadline {
            process.fail(&format!("does not listen within {DEADLINE:?}"));
        }
        // There is no event to wait for: a port that begins to listen tells nobody.
        thread::sleep(Duration::from_millis(5));
    }
    false
}
