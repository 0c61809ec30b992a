//! Which program to start, and with what.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::finished::Finished;
use crate::process::Process;

/// A program that is about to be started.
#[derive(Debug)]
pub struct Program {
    name: String,
    command: Command,
}

impl Program {
    /// Our own binary, as named by `WIRETALK_BIN`.
    #[must_use]
    pub fn wiretalk() -> Self {
        // Where the tests themselves run in GitHub Actions, what a run prints is to be the same.
        let binary = Self::new("wiretalk", required("WIRETALK_BIN")).without_env("GITHUB_ACTIONS");
        // Nor does it matter how the machine reaches the net.
        ["ws", "wss", "http", "https", "all", "no"]
            .into_iter()
            .map(|scheme| format!("{scheme}_proxy"))
            .fold(binary, |binary, name| {
                binary.without_env(&name).without_env(&name.to_uppercase())
            })
    }

    /// A script of `tests/peers`, by its file name: `.py` is run by the Python that `WIRETALK_PYTHON` names, `.mjs` by
    /// Node, with the modules in `WIRETALK_NODE_PATH`.
    #[must_use]
    pub fn peer(script: &str) -> Self {
        let interpreter = match Path::new(script).extension().and_then(OsStr::to_str) {
            Some("py") => required("WIRETALK_PYTHON"),
            Some("mjs") => {
                required("WIRETALK_NODE_PATH");
                "node".into()
            }
            _ => panic!("{script} is neither Python nor Node"),
        };
        Self::new(script, interpreter).arg(repository().join("tests/peers").join(script))
    }

    /// An example of the facade crate, by its file name without `.rs`. Cargo puts it beside our binary.
    #[must_use]
    pub fn example(name: &str) -> Self {
        let binary = PathBuf::from(required("WIRETALK_BIN"));
        let folder = binary.parent().unwrap_or(Path::new("")).join("examples");
        Self::new(name, folder.join(name).into())
    }

    /// A program of the system, found in `PATH`, or where servers are, which not every user has in `PATH`.
    #[must_use]
    pub fn system(name: &str) -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let servers = ["/usr/local/sbin", "/usr/sbin"].map(PathBuf::from);
        let found = env::split_paths(&path)
            .chain(servers)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file());
        Self::new(name, found.map_or_else(|| name.into(), OsString::from))
    }

    /// curl, in HTTP/1.1 and without a proxy. It says nothing of its progress, and ends after 30 s.
    #[must_use]
    pub fn curl() -> Self {
        Self::system("curl")
            .args(["--silent", "--show-error", "--http1.1"])
            .args(["--noproxy", "*", "--max-time", "30"])
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Runs it in this folder instead of the repository's root.
    #[must_use]
    pub fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Starts it. Dropping the process ends it.
    #[must_use]
    pub fn start(self) -> Process {
        Process::start(self.name, self.command)
    }

    /// Runs it to its end with this input, whose end it is told as well.
    #[must_use]
    pub fn finish(self, input: impl Into<Vec<u8>>) -> Finished {
        Finished::run(&self.name, self.command, input.into())
    }

    fn new(name: &str, path: OsString) -> Self {
        let mut command = Command::new(path);
        command.current_dir(repository());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            name: name.to_owned(),
            command,
        }
    }
}

/// The root of the repository, where programs run if nothing else is said.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn required(variable: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| {
        panic!("{variable} is not set: run these tests by `cargo xtask interop`")
    })
}
