//! Building everything that is measured.

use std::{path::Path, process::Command};

use crate::{
    Failure,
    peers::{Peer, Program},
    server::Place,
};

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
        Program::Uws | Program::Bun | Program::Node | Program::Python => {
            Err("not yet to be had".into())
        }
    }
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
