//! The checks that are no tests.

use std::path::Path;

use crate::report::Report;
use crate::workspace::{Workspace, command, output, run};
use crate::{api, arrows, length};

/// The crates that must build for a machine without threads, sockets or a clock.
const PURE: [&str; 2] = ["wiretalk-proto", "wiretalk-talk"];

const WASM: &str = "wasm32-unknown-unknown";

/// All of them, the quick ones first.
pub(crate) fn all(workspace: &Workspace, report: &mut Report) {
    report.check("formatting", || {
        run(workspace.cargo().args(["fmt", "--all", "--check"]))
    });
    report.check("file length", || length::check(&workspace.root));
    report.check("dependency arrows", || arrows::check(workspace));
    report.check("bans, licences, sources", || deny(workspace));
    report.check("clippy", || {
        let clippy = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "--deny=warnings",
        ];
        run(workspace.cargo().args(clippy))
    });
    report.check("rustdoc", || {
        let doc = [
            "doc",
            "--workspace",
            "--all-features",
            "--no-deps",
            "--locked",
        ];
        run(workspace
            .cargo()
            .args(doc)
            .env("RUSTDOCFLAGS", "--deny=warnings"))
    });
    report.check("public API", || {
        api::toolchain()?;
        api::check(workspace)
    });
    if has_wasm() {
        report.check(WASM, || {
            let mut cargo = workspace.cargo();
            cargo.args(["check", "--locked", "--target", WASM]);
            for name in PURE {
                cargo.args(["--package", name]);
            }
            run(&mut cargo)
        });
    } else {
        report.skip(
            WASM,
            "the target is not installed; the dependency arrows stand in for it",
        );
    }
}

fn deny(workspace: &Workspace) -> Result<(), String> {
    // cargo-deny looks at the packages of every platform, and is not to go to the network itself.
    run(workspace.cargo().args(["fetch", "--quiet", "--locked"]))?;
    let mut deny = command(workspace.cargo_deny());
    deny.args([
        "--offline",
        "--workspace",
        "--locked",
        "check",
        "--hide-inclusion-graph",
    ]);
    run(deny
        .args(["bans", "licenses", "sources"])
        .current_dir(&workspace.root))
}

fn has_wasm() -> bool {
    let sysroot = output(command("rustc").args(["--print", "sysroot"]));
    sysroot.is_ok_and(|sysroot| {
        Path::new(sysroot.trim())
            .join("lib/rustlib")
            .join(WASM)
            .is_dir()
    })
}
