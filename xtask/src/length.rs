//! No source file is longer than 600 lines, its tests aside, unless it says at its top why.

use std::fs;
use std::path::{Path, PathBuf};

const LIMIT: usize = 600;

/// A file that is longer says so, with the reason, in one of its first lines: `// Over 600 lines: …`.
const EXCUSE: &str = "Over 600 lines: ";
const EXCUSE_WITHIN: usize = 5;

/// Fails with every file that is too long.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask"] {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut long = Vec::new();
    for file in files {
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let lines = text.lines().count();
        if lines > LIMIT
            && !text
                .lines()
                .take(EXCUSE_WITHIN)
                .any(|line| line.contains(EXCUSE))
        {
            let name = file.strip_prefix(root).unwrap_or(&file).display();
            long.push(format!(
                "{name} has {lines} lines: split it, or begin it with `// {EXCUSE}` and the reason"
            ));
        }
    }
    if long.is_empty() {
        Ok(())
    } else {
        Err(long.join("\n"))
    }
}

/// All Rust files under a folder but tests, benches and what is built.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !["tests", "benches", "target"].contains(&&*stem) {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "tests" {
            files.push(path);
        }
    }
    Ok(())
}
