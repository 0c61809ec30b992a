//! Servers of Redis, run for one test: one alone, a cluster, and a master with a replica that sentinels watch.

#![allow(unreachable_pub, dead_code)]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What waits for a server waits no longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs until it is killed.
pub struct Server {
    program: &'static str,
    arguments: Vec<String>,
    pub port: u16,
    folder: TempDir,
    child: Option<Child>,
    /// Said by `redis-cli`, if the server wants to hear it.
    password: Option<String>,
}

impl Server {
    /// Redis with these arguments, on a free port.
    pub fn redis(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut own = vec![
            "--port".to_owned(),
            port.to_string(),
            "--bind".to_owned(),
            "127.0.0.1".to_owned(),
            "--dir".to_owned(),
            folder.path().display().to_string(),
            "--save".to_owned(),
            String::new(),
        ];
        own.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let password = arguments.iter().position(|name| *name == "--requirepass");
        let password = password.map(|at| arguments[at + 1].to_owned());
        Self::run("redis-server", own, port, folder, password)
    }

    fn run(
        program: &'static str,
        arguments: Vec<String>,
        port: u16,
        folder: TempDir,
        password: Option<String>,
    ) -> Self {
        let mut server = Self {
            program,
            arguments,
            port,
            folder,
            child: None,
            password,
        };
        server.start();
        server
    }

    pub fn start(&mut self) {
        let log = fs::File::create(self.folder.path().join("output")).expect("its output");
        let child = Command::new(self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{} ({error}): run `cargo xtask setup`, or `apt-get install redis-server redis-sentinel`", self.program)
        });
        let child = self.child.insert(child);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = child.try_wait().expect("it can be asked");
            let output = fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "{output}");
            // There is no event to wait for: a port that begins to listen tells nobody.
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            child.wait().expect("our own child can be waited for");
        }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.place())
    }

    fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` says.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        if let Some(password) = &self.password {
            cli.env("REDISCLI_AUTH", password);
        }
        let output = cli
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .output()
            .expect("redis-cli is installed with redis-server");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A number of `INFO`.
    pub fn number(&self, section: &str, name: &str) -> u64 {
        let said = self.cli(&["info", section]);
        let mut lines = said.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(known, _)| *known == name);
        let number = found.and_then(|(_, number)| number.trim().parse().ok());
        number.unwrap_or_else(|| panic!("{name} in {said}"))
    }

    /// Waits until `redis-cli` says what is wanted; no server tells of it by itself.
    pub fn until(&self, arguments: &[&str], wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.cli(arguments);
            if said.contains(wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "{arguments:?}: {said}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three masters that are one cluster, each with so many replicas.
pub struct Cluster {
    servers: Vec<Server>,
}

impl Cluster {
    pub fn start(replicas: usize) -> Self {
        // With replicas, one is to take over soon; without, nobody could.
        let patience = if replicas > 0 { "2000" } else { "15000" };
        let servers: Vec<Server> = (0..3 * (1 + replicas))
            .map(|_| {
                let bus = free_port().to_string();
                Server::redis(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus,
                    "--cluster-node-timeout",
                    patience,
                    "--appendonly",
                    "yes",
                ])
            })
            .collect();
        let places: Vec<String> = servers.iter().map(Server::place).collect();
        let replicas = replicas.to_string();
        let mut create = vec!["--cluster", "create"];
        create.extend(places.iter().map(String::as_str));
        create.extend(["--cluster-yes", "--cluster-replicas", &replicas]);
        let said = servers[0].cli(&create);
        assert!(said.contains("All 16384 slots covered"), "{said}");
        let all = format!("cluster_known_nodes:{}", servers.len());
        for server in &servers {
            server.until(&["cluster", "info"], "cluster_state:ok");
            server.until(&["cluster", "info"], &all);
        }
        for server in &servers {
            if server.cli(&["role"]).starts_with("slave") {
                server.until(&["info", "replication"], "master_link_status:up");
            }
        }
        Self { servers }
    }

    /// The URL that names all of them.
    pub fn url(&self) -> String {
        let places: Vec<String> = self.servers.iter().map(Server::place).collect();
        format!("redis+cluster://{}", places.join(","))
    }

    /// The master that has a key; one that exists.
    pub fn owner(&mut self, key: &str) -> &mut Server {
        let has = |server: &&mut Server| {
            server.cli(&["role"]).starts_with("master")
                && server.cli(&["exists", key]).trim() == "1"
        };
        let owner = self.servers.iter_mut().find(has);
        owner.unwrap_or_else(|| panic!("nobody has {key}"))
    }
}

/// A master, its replica, and three sentinels, two of whom agree before the replica takes over.
pub struct Watched {
    pub master: Server,
    pub replica: Server,
    sentinels: Vec<Server>,
}

impl Watched {
    /// Servers with these arguments, sentinels with these lines in their configuration; they watch `the-master`.
    pub fn start(arguments: &[&str], lines: &[&str]) -> Self {
        let master = Server::redis(arguments);
        let port = master.port.to_string();
        let replica = Server::redis(&[arguments, &["--replicaof", "127.0.0.1", &port]].concat());
        replica.until(&["info", "replication"], "master_link_status:up");
        let sentinels: Vec<Server> = (0..3).map(|_| sentinel(master.port, lines)).collect();
        for sentinel in &sentinels {
            for known in ["num-slaves\n1", "num-other-sentinels\n2"] {
                sentinel.until(&["sentinel", "master", "the-master"], known);
            }
        }
        Self {
            master,
            replica,
            sentinels,
        }
    }

    /// Where the sentinels are, as a URL names them.
    pub fn sentinels(&self) -> String {
        let places: Vec<String> = self.sentinels.iter().map(Server::place).collect();
        places.join(",")
    }
}

fn sentinel(master: u16, lines: &[&str]) -> Server {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let config = folder.path().join("sentinel.conf");
    let mut text = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor the-master 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds the-master 1000\nsentinel failover-timeout the-master 3000\n",
        folder.path().display(),
    );
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    fs::write(&config, text).expect("it is written");
    let password = lines
        .iter()
        .find_map(|line| line.strip_prefix("requirepass "));
    let password = password.map(str::to_owned);
    let arguments = vec![config.display().to_string()];
    Server::run("redis-sentinel", arguments, port, folder, password)
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}
