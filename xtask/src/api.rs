//! The public API of the library crates, compared with what is written down of it in `crates/*/api.txt`; and whether each
//! item of it has an example.
//!
//! rustdoc can tell it as JSON, a form that is not stable yet: so it is asked by a toolchain of one version, and by a
//! wrapper, so that cargo does not see the difference and need not build everything else again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::examples;
use crate::report::Report;
use crate::workspace::{Workspace, command, output, run};

/// The toolchain whose rustdoc is asked. The crate `public-api` in Cargo.toml reads the form that it writes.
const TOOLCHAIN: &str = "1.95.0";

/// The packages that programs of others name.
const PACKAGES: [&str; 2] = ["wiretalk-net", "wiretalk"];

const WRAPPER: &str = "#!/bin/sh
RUSTC_BOOTSTRAP=1 exec rustdoc \"$@\" -Z unstable-options --output-format json
";

/// Fails if something public is new, gone or changed and not written down, or has no example.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut bare = Vec::new();
    document(workspace)?;
    for package in PACKAGES {
        let json = json(workspace, package);
        bare.extend(without_example(&json)?);
        let now = api(&json)?;
        let file = written(workspace, package);
        let then =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let (now, then): (Vec<&str>, Vec<&str>) = (now.lines().collect(), then.lines().collect());
        let gone = then.iter().filter(|line| !now.contains(line));
        let new = now.iter().filter(|line| !then.contains(line));
        wrong.extend(gone.map(|line| format!("- {line}")));
        wrong.extend(new.map(|line| format!("+ {line}")));
    }
    if !bare.is_empty() {
        return Err(format!("without an example:\n{}", bare.join("\n")));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\nthe public API has changed; if that is meant, write it down with `cargo xtask api`",
        wrong.join("\n")
    ))
}

/// Writes it down.
pub(crate) fn write(workspace: &Workspace, report: &mut Report) {
    if !report.check("rustdoc", || document(workspace)) {
        return;
    }
    for package in PACKAGES {
        report.check(package, || {
            let file = written(workspace, package);
            fs::write(&file, api(&json(workspace, package))?)
                .map_err(|error| format!("{}: {error}", file.display()))
        });
    }
}

/// Installs the toolchain if it is not the one at hand.
pub(crate) fn toolchain() -> Result<(), String> {
    if at_hand()? {
        return Ok(());
    }
    let install = ["toolchain", "install", TOOLCHAIN, "--profile", "minimal"];
    run(command("rustup").args(install))
}

fn at_hand() -> Result<bool, String> {
    let version = output(command("rustc").arg("--version"))?;
    Ok(version.split_whitespace().nth(1) == Some(TOOLCHAIN))
}

fn written(workspace: &Workspace, package: &str) -> PathBuf {
    workspace.root.join("crates").join(package).join("api.txt")
}

/// Asks rustdoc. All packages are documented, with all features, as for the check of the documentation: then cargo has
/// built what they depend on already.
fn document(workspace: &Workspace) -> Result<(), String> {
    let wrapper = workspace.tools().join("rustdoc-json");
    wrap(&wrapper)?;
    let mut doc = workspace.cargo();
    doc.args(["doc", "--quiet", "--locked", "--no-deps"]);
    doc.args(["--workspace", "--all-features", "--lib"]);
    doc.env("RUSTDOC", &wrapper);
    if !at_hand()? {
        doc.env("RUSTUP_TOOLCHAIN", TOOLCHAIN).env_remove("CARGO");
    }
    run(&mut doc)
}

/// What rustdoc has told of a crate.
fn json(workspace: &Workspace, package: &str) -> PathBuf {
    let name = package.replace('-', "_");
    workspace.docs().join(name).with_extension("json")
}

/// One line for each public item, sorted. What every type has of the blanket and auto traits is left out.
fn api(json: &Path) -> Result<String, String> {
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| format!("{}: {error}", json.display()))?;
    let lines = api.items().map(|item| format!("{item}\n"));
    Ok(lines.collect())
}

fn without_example(json: &Path) -> Result<Vec<String>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", json.display());
    let text = fs::read(json).map_err(|error| failed(&error))?;
    let json: Value = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
    Ok(examples::missing(&json))
}

fn wrap(wrapper: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;

    let failed = |error| format!("{}: {error}", wrapper.display());
    if fs::read_to_string(wrapper).is_ok_and(|text| text == WRAPPER) {
        return Ok(());
    }
    if let Some(folder) = wrapper.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(wrapper, WRAPPER).map_err(failed)?;
    fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755)).map_err(failed)
}
