//! Installs what is missing, without a question. What is there already is left alone.
//!
//! Some packages are servers that the system would start at once, on ports of its own. The tests start them themselves,
//! so apt is told not to ([`NO_SERVICES`]); a machine's own `policy-rc.d` is respected besides.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::report::Report;
use crate::workspace::{Workspace, command, output, run};

/// Built from source, as there is no package of a current one. The dev profile is quick to build and quick enough.
const CARGO_DENY: &str = "0.20.2";

/// The environment in which a package's service is not started when it is installed: `deb-systemd-invoke` and `systemctl`
/// start nothing offline, and `invoke-rc.d` nothing in runlevel 1.
const NO_SERVICES: [&str; 2] = ["SYSTEMD_OFFLINE=1", "RUNLEVEL=1"];

/// A program that is needed, and what gives it.
struct Tool {
    /// Any of these in `PATH` will do.
    programs: &'static [&'static str],
    /// Must succeed as well, where a program may be there but lack a part.
    works: Option<&'static [&'static str]>,
    packages: &'static [&'static str],
}

const COMPILER: Tool = Tool {
    programs: &["cc"],
    works: None,
    packages: &["gcc", "libc6-dev"],
};
const PYTHON: Tool = Tool {
    programs: &["python3"],
    works: Some(&["python3", "-c", "import venv, ensurepip"]),
    packages: &["python3", "python3-venv"],
};
const NODE: Tool = Tool {
    programs: &["node"],
    works: None,
    packages: &["nodejs"],
};
const NPM: Tool = Tool {
    programs: &["npm"],
    works: None,
    packages: &["npm"],
};
const CHROMIUM: Tool = Tool {
    programs: &["chromium", "chromium-browser", "google-chrome", "chrome"],
    works: None,
    packages: &["chromium"],
};
const CURL: Tool = Tool {
    programs: &["curl"],
    works: None,
    packages: &["curl"],
};
const VIM: Tool = Tool {
    programs: &["vim"],
    // What Debian calls a tiny Vim highlights nothing.
    works: Some(&["sh", "-c", "vim --version | grep -q +syntax"]),
    packages: &["vim"],
};
const OPENSSL: Tool = Tool {
    programs: &["openssl"],
    works: None,
    packages: &["openssl"],
};
const NGINX: Tool = Tool {
    programs: &["nginx"],
    works: None,
    packages: &["nginx"],
};
const TINYPROXY: Tool = Tool {
    programs: &["tinyproxy"],
    works: None,
    // The package `tinyproxy` is this one and a service.
    packages: &["tinyproxy-bin"],
};
const MICROSOCKS: Tool = Tool {
    programs: &["microsocks"],
    works: None,
    packages: &["microsocks"],
};
const HAPROXY: Tool = Tool {
    programs: &["haproxy"],
    works: None,
    packages: &["haproxy"],
};
const REDIS: Tool = Tool {
    programs: &["redis-server"],
    works: None,
    packages: &["redis-server"],
};
const REDIS_SENTINEL: Tool = Tool {
    programs: &["redis-sentinel"],
    works: None,
    packages: &["redis-sentinel"],
};
const NATS: Tool = Tool {
    programs: &["nats-server"],
    works: None,
    packages: &["nats-server"],
};
const RABBITMQ: Tool = Tool {
    programs: &["rabbitmq-server"],
    // Debian's wrapper in `PATH` is not what the tests start.
    works: Some(&["test", "-x", "/usr/lib/rabbitmq/bin/rabbitmq-server"]),
    packages: &["rabbitmq-server"],
};

/// What the tests of the backplanes run, and the interop tests beside their peers.
const BROKERS: [&Tool; 4] = [&REDIS, &REDIS_SENTINEL, &NATS, &RABBITMQ];

/// What the interop tests run.
const PEERS: [&Tool; 11] = [
    &PYTHON,
    &NODE,
    &NPM,
    &CHROMIUM,
    &CURL,
    &VIM,
    &OPENSSL,
    &NGINX,
    &TINYPROXY,
    &MICROSOCKS,
    &HAPROXY,
];

/// Everything that any task needs. Gives whether it is there now.
pub(crate) fn all(workspace: &Workspace, report: &mut Report) -> bool {
    report.check("setup", || {
        packages(&[&[&COMPILER][..], &PEERS, &BROKERS].concat())?;
        components()?;
        python_peers(workspace)?;
        node_peers(workspace)?;
        cargo_deny(workspace)
    })
}

/// What the checks need.
pub(crate) fn for_checks(workspace: &Workspace, report: &mut Report) -> bool {
    report.check("setup", || {
        packages(&[&COMPILER])?;
        components()?;
        cargo_deny(workspace)
    })
}

/// What the interop tests need.
pub(crate) fn for_interop(workspace: &Workspace, report: &mut Report) -> bool {
    report.check("setup", || {
        packages(&[&[&COMPILER][..], &PEERS, &BROKERS].concat())?;
        python_peers(workspace)?;
        node_peers(workspace)
    })
}

fn packages(tools: &[&Tool]) -> Result<(), String> {
    let missing: Vec<&str> = tools
        .iter()
        .filter(|tool| !tool.is_there())
        .flat_map(|tool| tool.packages)
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(", ");
    if !in_path("apt-get") {
        return Err(format!(
            "missing, and there is no apt-get to install it by: {wanted}"
        ));
    }
    let root = output(command("id").arg("-u"))?.trim() == "0";
    let sudo: &[&str] = if root {
        &[]
    } else if succeeds(&["sudo", "-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(format!(
            "missing, and to be installed as root: apt-get install {}",
            missing.join(" ")
        ));
    };
    println!("    apt-get installs {wanted}");
    let apt_get = |arguments: &[&str]| {
        let words = [
            sudo,
            &["env", "DEBIAN_FRONTEND=noninteractive"],
            &NO_SERVICES,
            &["apt-get", "-qq"],
            arguments,
        ]
        .concat();
        run(command(words[0]).args(&words[1..]))
    };
    apt_get(&["update"])?;
    apt_get(
        &[
            &["install", "--yes", "--no-install-recommends"],
            &missing[..],
        ]
        .concat(),
    )?;
    match tools.iter().find(|tool| !tool.is_there()) {
        Some(tool) => Err(format!(
            "{} is installed, but {} does not run",
            wanted, tool.programs[0]
        )),
        None => Ok(()),
    }
}

/// rustfmt and clippy.
fn components() -> Result<(), String> {
    for (component, program) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        if !succeeds(&[program, "--version"]) {
            run(command("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn python_peers(workspace: &Workspace) -> Result<(), String> {
    let requirements = workspace.root.join("tests/peers/requirements.txt");
    let venv = workspace.peers().join("venv");
    unless_done(&venv, &[&requirements], || {
        println!("    pip installs the Python peers");
        run(command("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&venv))?;
        let quiet = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ];
        run(command(workspace.python())
            .args(quiet)
            .arg("--requirement")
            .arg(&requirements))
    })
}

fn node_peers(workspace: &Workspace) -> Result<(), String> {
    let node = workspace.peers().join("node");
    let lists = ["package.json", "package-lock.json"]
        .map(|name| workspace.root.join("tests/peers").join(name));
    unless_done(&node, &[&lists[0], &lists[1]], || {
        println!("    npm installs the Node peers");
        fs::create_dir_all(&node).map_err(|error| format!("{}: {error}", node.display()))?;
        for list in &lists {
            let copy = node.join(list.file_name().unwrap_or_default());
            fs::copy(list, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
        }
        run(command("npm")
            .args(["ci", "--silent", "--no-audit", "--no-fund"])
            .current_dir(&node))
    })
}

fn cargo_deny(workspace: &Workspace) -> Result<(), String> {
    // One that cannot be asked is as good as none.
    let found = output(command(workspace.cargo_deny()).arg("--version")).unwrap_or_default();
    if found.split_whitespace().last() == Some(CARGO_DENY) {
        return Ok(());
    }
    println!("    cargo installs cargo-deny {CARGO_DENY}");
    let mut install = workspace.cargo();
    install.args([
        "install",
        "--quiet",
        "--debug",
        "--locked",
        "cargo-deny",
        "--version",
        CARGO_DENY,
    ]);
    install.arg("--root").arg(workspace.tools());
    // Not into our own target folder: what it leaves there is of no use to us.
    install
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    run(&mut install)
}

/// Does the work, unless it was done from these same files before.
fn unless_done(
    folder: &Path,
    from: &[&Path],
    work: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let mut wanted = String::new();
    for file in from {
        wanted +=
            &fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let stamp = folder.join("installed-from");
    if fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    work()?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

impl Tool {
    fn is_there(&self) -> bool {
        self.programs.iter().any(|program| in_path(program)) && self.works.is_none_or(succeeds)
    }
}

fn in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // Where servers are, which not every user has in `PATH`.
    let servers = ["/usr/local/sbin", "/usr/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(servers)
        .any(|folder| folder.join(program).is_file())
}

fn succeeds(words: &[&str]) -> bool {
    let mut command = command(words[0]);
    command
        .args(&words[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
