//! Starting a server, and the load program beside it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    peers::{Peer, Program},
};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(10);

/// Where everything is, and which CPU is whose.
pub(crate) struct Place {
    /// The folder `bench`.
    pub(crate) sources: PathBuf,
    /// Cargo's target folder for it.
    pub(crate) target: PathBuf,
    pub(crate) server_cpu: usize,
    pub(crate) load_cpu: usize,
    /// Another `wiretalk` than the one that was built here.
    pub(crate) wiretalk: Option<PathBuf>,
}

/// What a server is asked for besides an echo.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) deflate: bool,
    pub(crate) fan_out: bool,
    /// Certificate and key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
}

/// A server that runs. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// A load program that has said something, and waits for an answer.
pub(crate) struct WaitingLoad {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Place {
    /// As the runner was built: the sources from where it was compiled, all else beside its own binary.
    pub(crate) fn new() -> Result<Self, Failure> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("the sources have no place")?;
        let own = std::env::current_exe()?;
        let target = own
            .ancestors()
            .nth(2)
            .ok_or("the runner is not in a target folder")?;
        Ok(Self {
            sources: sources.to_owned(),
            target: target.to_owned(),
            server_cpu: 0,
            load_cpu: 1,
            wiretalk: None,
        })
    }

    /// A binary of this workspace.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// Where peers are that are not in Rust.
    pub(crate) fn foreign(&self, name: &str) -> PathBuf {
        self.target.join("foreign").join(name)
    }

    /// The `wiretalk` that is measured.
    pub(crate) fn wiretalk(&self) -> PathBuf {
        let built = || self.target.join("wiretalk/release/wiretalk");
        self.wiretalk.clone().unwrap_or_else(built)
    }

    /// The certificate of the servers and its key; made when they are first asked for.
    pub(crate) fn certificate(&self) -> Result<(PathBuf, PathBuf), Failure> {
        let (certificate, key) = (self.foreign("certificate.pem"), self.foreign("key.pem"));
        if !certificate.exists() || !key.exists() {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
            fs::create_dir_all(self.target.join("foreign"))?;
            fs::write(&key, made.signing_key.serialize_pem())?;
            fs::write(&certificate, made.cert.pem())?;
        }
        Ok((certificate, key))
    }

    /// The load program, to be given its arguments.
    pub(crate) fn load(&self) -> Command {
        pinned(self.load_cpu, &self.binary("load"))
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn start(&self, peer: &Peer, wish: &Wish) -> Result<Server, Failure> {
        let port = free_port()?;
        let program = self.program(peer);
        if !program.exists() {
            return Err(format!("{} is not there: build it", program.display()).into());
        }
        let mut command = pinned(self.server_cpu, &program);
        self.arguments(peer, port, wish, &mut command);
        let logs = self.target.join("logs");
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{}.log", peer.id));
        let file = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Server {
            child,
            address,
            log,
        };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn program(&self, peer: &Peer) -> PathBuf {
        match peer.program {
            Program::Crate(name, _) => self.binary(&format!("peer-{name}")),
            Program::Wiretalk => self.wiretalk(),
            Program::Uws => self.foreign("uws-server"),
            Program::Bun => self.foreign("node_modules/.bin/bun"),
            Program::Node => PathBuf::from("/usr/bin/env"),
            Program::Python => self.foreign("venv/bin/python"),
        }
    }

    fn arguments(&self, peer: &Peer, port: u16, wish: &Wish, command: &mut Command) {
        let script = |name: &str| self.sources.join("peers").join(name);
        match peer.program {
            Program::Crate(_, arguments) => {
                command.args(arguments);
            }
            Program::Wiretalk => {
                command.args(["serve", "--echo", "--listen"]);
                command.arg(format!("127.0.0.1:{port}"));
                if let Some((certificate, key)) = &wish.tls {
                    command.arg("--cert").arg(certificate).arg("--key").arg(key);
                }
                return;
            }
            Program::Uws => {}
            Program::Bun => {
                command.arg(script("bun/server.js"));
            }
            Program::Node => {
                command.arg("node").arg(script("node-ws/server.js"));
                command.env("NODE_PATH", self.foreign("node_modules"));
            }
            Program::Python => {
                command.arg(script("python/server.py"));
            }
        }
        command.arg("--port").arg(port.to_string());
        if wish.deflate {
            command.arg("--deflate");
        }
        if wish.fan_out {
            command.arg("--fan");
        }
        if let Some((certificate, key)) = &wish.tls {
            command.arg("--tls").arg(certificate).arg(key);
        }
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the load program needs to find it.
    pub(crate) fn arguments(&self) -> [String; 4] {
        [
            "--address".to_owned(),
            self.address.to_string(),
            "--pid".to_owned(),
            self.pid().to_string(),
        ]
    }

    /// The last that the server said, for a failure.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().last().unwrap_or_default().to_owned()
    }

    fn wait_until_it_listens(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        while begin.elapsed() < START {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended ({status}): {}", self.last_words()).into());
            }
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(10));
        }
        Err(format!("the server does not listen: {}", self.last_words()).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl WaitingLoad {
    /// Starts the load program and waits until it has said a line.
    pub(crate) fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the load program cannot be talked to".into());
        };
        let mut load = Self {
            child,
            input,
            output: BufReader::new(output),
        };
        let mut line = String::new();
        if load.output.read_line(&mut line)? == 0 {
            let output = load.child.wait_with_output()?;
            return Err(String::from_utf8_lossy(&output.stderr).trim().into());
        }
        Ok(load)
    }

    /// Lets it end.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.input.write_all(b"\n")?;
        drop(self.input);
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the load program failed ({status})").into())
        }
    }
}

/// A program that stays on one CPU, and does not outlive the runner, however that ends. `setpriv` and `taskset` become the
/// program, so the process id is the program's own.
fn pinned(cpu: usize, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c"]);
    command.arg(cpu.to_string()).arg(program);
    command
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
