//! The dependency arrows of the architecture, as a literal list, and the check against it.
//!
//! Dependencies for tests are left out: they reach nobody who uses a crate.

use crate::workspace::{Workspace, output};

/// What a package of this repository may depend on.
struct Arrows {
    package: &'static str,
    /// The packages of this repository that it may name.
    to: &'static [&'static str],
    /// The packages of others that it may not have, however deep.
    never: &'static [&'static [&'static str]],
}

const SOCKETS: &[&str] = &[
    "tokio", "hyper", "mio", "socket2", "async-io", "smol", "rustls",
];
const CLOCKS: &[&str] = &["chrono", "jiff", "time"];
const RANDOMNESS: &[&str] = &["rand", "rand_core", "getrandom", "fastrand"];
const TERMINAL: &[&str] = &["clap", "anstream", "rustyline", "crossterm", "miette"];

const ARROWS: &[Arrows] = &[
    Arrows {
        package: "wiretalk-proto",
        to: &[],
        never: &[SOCKETS, CLOCKS, RANDOMNESS, TERMINAL],
    },
    Arrows {
        package: "wiretalk-talk",
        to: &[],
        never: &[SOCKETS, CLOCKS, RANDOMNESS, TERMINAL],
    },
    Arrows {
        package: "wiretalk-net",
        to: &["wiretalk-proto"],
        never: &[TERMINAL],
    },
    Arrows {
        package: "wiretalk-hub",
        to: &["wiretalk-proto"],
        never: &[SOCKETS, CLOCKS, RANDOMNESS, TERMINAL],
    },
    Arrows {
        package: "wiretalk-backplane",
        to: &["wiretalk-hub", "wiretalk-proto"],
        never: &[TERMINAL],
    },
    Arrows {
        package: "wiretalk-server",
        to: &["wiretalk-hub", "wiretalk-net"],
        never: &[TERMINAL],
    },
    Arrows {
        package: "wiretalk-engine",
        to: &[
            "wiretalk-backplane",
            "wiretalk-server",
            "wiretalk-talk",
            "wiretalk-net",
            "wiretalk-hub",
            "wiretalk-proto",
        ],
        never: &[TERMINAL],
    },
    Arrows {
        package: "wiretalk-cli",
        to: &[
            "wiretalk-backplane",
            "wiretalk-engine",
            "wiretalk-net",
            "wiretalk-server",
            "wiretalk-talk",
        ],
        never: &[],
    },
    Arrows {
        package: "wiretalk",
        to: &[
            "wiretalk-engine",
            "wiretalk-hub",
            "wiretalk-net",
            "wiretalk-server",
            "wiretalk-talk",
        ],
        never: &[TERMINAL],
    },
    Arrows {
        package: "wiretalk-interop",
        to: &[],
        never: &[],
    },
    Arrows {
        package: "xtask",
        to: &[],
        never: &[],
    },
];

/// Fails with every arrow that is not in the list.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let mut wrong = Vec::new();
    for member in &workspace.members {
        let Some(arrows) = ARROWS.iter().find(|arrows| arrows.package == member.name) else {
            wrong.push(format!(
                "{} is not in the list of xtask/src/arrows.rs",
                member.name
            ));
            continue;
        };
        let ours = |name: &&String| workspace.members.iter().any(|member| member.name == **name);
        for name in member.dependencies.iter().filter(ours) {
            if !arrows.to.contains(&&**name) {
                wrong.push(format!("{} may not depend on {name}", member.name));
            }
        }
        let tree = tree(workspace, &member.name)?;
        for name in arrows
            .never
            .iter()
            .copied()
            .flatten()
            .filter(|name| tree.iter().any(|found| found == *name))
        {
            let why = format!(
                "cargo tree --package {} --edges normal,build --invert {name}",
                member.name
            );
            wrong.push(format!("{} may not have {name}; see: {why}", member.name));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// The names of all that a package is built with, on this platform.
fn tree(workspace: &Workspace, package: &str) -> Result<Vec<String>, String> {
    let mut cargo = workspace.cargo();
    cargo.args([
        "tree",
        "--quiet",
        "--locked",
        "--package",
        package,
        "--edges",
        "normal,build",
    ]);
    let listed = output(cargo.args(["--prefix", "none", "--format", "{p}"]))?;
    let mut names: Vec<String> = listed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
