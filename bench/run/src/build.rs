//! Building everything that is measured.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    Failure,
    peers::{Peer, Program},
    server::Place,
};

/// What comes from npm; `bufferutil` is the native part that ws uses if it is there.
const BUN: &str = "bun@1.4.5";
const NODE: &[&str] = &["ws@8.23.0", "bufferutil@4"];
/// What comes from PyPI.
const PYTHON: &str = "websockets==17.4";

/// Builds the load program and the peers. Goes on after a peer that cannot be built, and says so at the end.
pub(crate) fn run(place: &Place, peers: &[&'static Peer]) -> Result<(), Failure> {
    cargo(place, "load")?;
    let mut failed = Vec::new();
    for peer in peers {
        println!("{}", peer.title);
        if let Err(failure) = build(place, peer) {
            eprintln!("{}: {failure}", peer.id);
            failed.push(peer.id);
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(format!("could not be built: {}", failed.join(", ")).into()),
    }
}

fn build(place: &Place, peer: &Peer) -> Result<(), Failure> {
    match peer.program {
        // One by one: built together, the crates would get the features that any of them wants of a dependency.
        Program::Crate(name, _) => cargo(place, &format!("peer-{name}")),
        Program::Wiretalk => wiretalk(place),
        Program::Uws => uws(place),
        Program::Bun => npm(place, &[BUN]),
        Program::Node => npm(place, NODE),
        Program::Python => pip(place),
    }
}

/// The sources of uWebSockets, as the package `libuwebsockets-sys` holds them, compiled with the flags that its own
/// makefile uses. The package's Rust bindings are not used.
fn uws(place: &Place) -> Result<(), Failure> {
    let own = place.sources.join("peers/uws");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .current_dir(&own)
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let manifest = metadata["packages"]
        .as_array()
        .and_then(|packages| {
            let mut packages = packages.iter();
            packages.find(|package| package["name"] == "libuwebsockets-sys")
        })
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("cargo does not say where the sources of uWebSockets are")?;
    let sources = Path::new(manifest).with_file_name("uWebSockets");
    let sockets = sources.join("uSockets/src");
    let objects = place.foreign("uws");
    fs::create_dir_all(&objects)?;

    let flags = ["-O3", "-march=native", "-flto", "-DLIBUS_NO_SSL"];
    let mut compiled = Vec::new();
    for name in [
        "bsd",
        "context",
        "loop",
        "socket",
        "udp",
        "eventing/epoll_kqueue",
    ] {
        let source = sockets.join(name).with_extension("c");
        let object = objects.join(name.replace('/', "-")).with_extension("o");
        let mut command = Command::new("gcc");
        command.args(flags).arg("-std=c11").arg("-I").arg(&sockets);
        command.arg("-c").arg(source).arg("-o").arg(&object);
        succeed(command)?;
        compiled.push(object);
    }
    let mut command = Command::new("g++");
    command.args(flags).arg("-std=c++20");
    command
        .arg("-I")
        .arg(sources.join("src"))
        .arg("-I")
        .arg(&sockets);
    command
        .arg(own.join("server.cpp"))
        .args(compiled)
        .arg("-lz");
    command.arg("-o").arg(place.foreign("uws-server"));
    succeed(command)
}

fn npm(place: &Place, packages: &[&str]) -> Result<(), Failure> {
    let folder = place.target.join("foreign");
    fs::create_dir_all(&folder)?;
    let mut command = Command::new("npm");
    command.args(["install", "--silent", "--no-package-lock", "--prefix"]);
    command.arg(folder).args(packages);
    succeed(command)
}

fn pip(place: &Place) -> Result<(), Failure> {
    let folder = place.foreign("venv");
    let mut command = Command::new("python3");
    command.args(["-m", "venv"]).arg(&folder);
    succeed(command)?;
    let mut command = Command::new(folder.join("bin/pip"));
    command.args(["install", "--quiet", "--disable-pip-version-check", PYTHON]);
    succeed(command)
}

fn cargo(place: &Place, package: &str) -> Result<(), Failure> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["build", "--release", "--quiet", "--package", package])
        .arg("--target-dir")
        .arg(&place.target)
        .current_dir(&place.sources);
    succeed(command)
}

/// The binary comes from the workspace around this one, with its own lock file and profile.
fn wiretalk(place: &Place) -> Result<(), Failure> {
    let root = place.sources.parent().unwrap_or(Path::new("/"));
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["build", "--release", "--quiet", "--package", "wiretalk-cli"])
        .arg("--target-dir")
        .arg(place.target.join("wiretalk"))
        .current_dir(root);
    succeed(command)
}

fn succeed(mut command: Command) -> Result<(), Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|error| format!("{name} cannot be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed ({status})").into())
    }
}
