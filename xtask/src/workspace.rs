//! Where things are, what the packages are, and how programs are run.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The repository, as `cargo metadata` describes it.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// The packages of this repository, by name.
    pub(crate) members: Vec<Member>,
    target: PathBuf,
}

/// A package of this repository.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// What it depends on other than for its tests.
    pub(crate) dependencies: Vec<String>,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root
            .canonicalize()
            .map_err(|error| format!("{}: {error}", root.display()))?;
        let mut metadata = command(cargo());
        metadata
            .args(["metadata", "--format-version=1", "--no-deps"])
            .current_dir(&root);
        let json: Value = serde_json::from_str(&output(&mut metadata)?)
            .map_err(|error| format!("cargo metadata prints no JSON: {error}"))?;
        let packages = json["packages"]
            .as_array()
            .ok_or("cargo metadata lists no packages")?;
        Ok(Self {
            root,
            members: packages.iter().map(Member::from_json).collect(),
            target: text(&json["target_directory"]).into(),
        })
    }

    /// `cargo`, to be run at the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = command(cargo());
        cargo.current_dir(&self.root);
        cargo
    }

    /// Our binary, once it is built.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("debug/wiretalk")
    }

    /// Where the peers' Python environment and Node modules are installed.
    pub(crate) fn peers(&self) -> PathBuf {
        self.target.join("peers")
    }

    /// Where rustdoc writes to.
    pub(crate) fn docs(&self) -> PathBuf {
        self.target.join("doc")
    }

    /// Where tools for checks are installed.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.peers().join("venv/bin/python")
    }

    pub(crate) fn cargo_deny(&self) -> PathBuf {
        self.tools().join("bin/cargo-deny")
    }
}

impl Member {
    fn from_json(package: &Value) -> Self {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        Self {
            name: text(&package["name"]),
            dependencies: dependencies
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect(),
        }
    }
}

/// A program that cannot ask anything, and does not see what cargo told this one about itself: some build scripts
/// would run again because of that.
pub(crate) fn command(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let told = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        if name
            .to_str()
            .is_some_and(|name| told.iter().any(|prefix| name.starts_with(prefix)))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program that prints for itself.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: {status}", shown(command)))
    }
}

/// Runs a program for what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", shown(command)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{}: {}", shown(command), output.status))
    }
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
