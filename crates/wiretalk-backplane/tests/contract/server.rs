//! A broker of others, run for one test: on a free port of loopback, with its data in a folder that goes with it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a broker may take to listen. RabbitMQ takes ten seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running broker. It is killed when it is dropped.
pub struct Server {
    kind: Kind,
    port: u16,
    /// Ports of RabbitMQ's own: its name server's, and the node's for other nodes.
    others: [u16; 2],
    folder: TempDir,
    /// What runs, the broker last.
    children: Vec<Child>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Redis,
    Nats,
    RabbitMq,
}

impl Server {
    /// Redis, which appends to a file, and syncs it to the disk each second.
    pub fn redis() -> Self {
        Self::start(Kind::Redis)
    }

    /// NATS with JetStream.
    pub fn nats() -> Self {
        Self::start(Kind::Nats)
    }

    /// RabbitMQ, a node without plugins.
    pub fn rabbitmq() -> Self {
        Self::start(Kind::RabbitMq)
    }

    /// Its URL, without a path.
    pub fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::Redis => "redis",
            Kind::Nats => "nats",
            Kind::RabbitMq => "amqp",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Has it write down what it would only write down after minutes. RabbitMQ 3.10 does so with the list of what its node
    /// takes part in: one that is killed within three minutes of its very first stream knows of no streams any more.
    pub fn sync(&self) {
        if self.kind != Kind::RabbitMq {
            return;
        }
        let mut control = program("/usr/lib/rabbitmq/bin/rabbitmqctl", "rabbitmq-server");
        control
            .env("HOME", self.folder.path())
            .env("ERL_EPMD_PORT", self.others[0].to_string())
            .env(
                "RABBITMQ_CONF_ENV_FILE",
                self.folder.path().join("env.conf"),
            )
            .args([
                "-n",
                &self.node(),
                "eval",
                "[ok = dets:sync(Table) || Table <- dets:all()].",
            ]);
        let output = control.output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
    }

    /// Ends it without a word, as a power cut would: SIGKILL. What it has written stays.
    pub fn kill(&mut self) {
        for mut child in self.children.drain(..).rev() {
            // One that has ended already cannot be killed, which is as well.
            let _ = child.kill();
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Starts it again, on the same port, with the same data.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.run(), "it started before:\n{}", self.log());
    }

    fn start(kind: Kind) -> Self {
        // A free port may be somebody else's by the time that the broker takes it.
        let mut logs = String::new();
        for _ in 0..4 {
            let mut server = Self {
                kind,
                port: free_port(),
                others: [free_port(), free_port()],
                folder: tempfile::tempdir().expect("a folder"),
                children: Vec::new(),
            };
            if server.run() {
                return server;
            }
            logs += &server.log();
        }
        panic!("it ended instead of listening, again and again:\n{logs}");
    }

    /// Starts it, and waits until it listens; `false` if it ends instead.
    fn run(&mut self) -> bool {
        let folder = self.folder.path().to_owned();
        let port = self.port.to_string();
        match self.kind {
            Kind::Redis => {
                let mut redis = program("redis-server", "redis-server");
                redis
                    .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
                    .args(["--appendonly", "yes", "--dir"])
                    .arg(&folder);
                self.spawn(redis);
            }
            Kind::Nats => {
                let mut nats = program("nats-server", "nats-server");
                nats.args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd"])
                    .arg(&folder);
                self.spawn(nats);
            }
            Kind::RabbitMq => self.spawn_rabbitmq(&folder),
        }
        let deadline = Instant::now() + PATIENCE;
        let child = self.children.last_mut().expect("it was just started");
        while child.try_wait().expect("it can be asked").is_none() {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            assert!(Instant::now() < deadline, "it listens:\n{}", self.log());
            // There is no event to wait for: a port that begins to listen tells nobody.
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn spawn_rabbitmq(&mut self, folder: &Path) {
        let [names, node] = self.others.map(|port| port.to_string());
        // A name server of its own: one that RabbitMQ starts would be everybody's, and would stay.
        let mut epmd = program("epmd", "rabbitmq-server");
        epmd.args(["-port", &names, "-address", "127.0.0.1"]);
        self.spawn(epmd);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.others[0])).is_err() {
            let ended = self.children[0].try_wait().expect("it can be asked");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
        let file = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            fs::write(&path, text).expect("it is written");
            path
        };
        let config = file(
            "rabbitmq.conf",
            &format!("listeners.tcp.1 = 127.0.0.1:{}\n", self.port),
        );
        // Not the wrapper in `PATH`, which becomes another user and writes where the system's own node does.
        let mut rabbitmq = program("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server");
        rabbitmq
            // The script becomes the node instead of watching over it, so that the child is the node.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .arg("-noinput")
            .env("HOME", folder)
            .env("ERL_EPMD_PORT", &names)
            .env("RABBITMQ_CONF_ENV_FILE", file("env.conf", ""))
            .env("RABBITMQ_CONFIG_FILE", config)
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins", "[]."))
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_DIST_PORT", node);
        self.spawn(rabbitmq);
    }

    /// The name of a RabbitMQ node.
    fn node(&self) -> String {
        format!("wiretalk{}@localhost", self.port)
    }

    fn spawn(&mut self, mut command: Command) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("output"))
            .expect("its output is opened");
        let errors = log.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn();
        self.children.push(child.expect("it is there, and starts"));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that must be there.
fn program(name: &str, package: &str) -> Command {
    // Where servers are, which not every user has in `PATH`.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    let Some(path) = found else {
        panic!("{name} is not installed: run `cargo xtask setup`, or `apt-get install {package}`");
    };
    Command::new(path)
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}
