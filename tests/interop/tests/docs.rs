//! What README.md and docs/ show: each block marked `talk` is a talk without errors, each block marked `console` runs.
//!
//! A `console` block is what a reader types at the repository's root, with `wiretalk` on the path: a line `$ COMMAND`
//! is run and must print the lines below it, where `…` stands for anything; a `$ COMMAND &` is a server, which is
//! waited for until it listens, and ended with the block. The servers take the ports that are written there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use wiretalk_interop::{Process, Program, repository};

/// A fenced block.
struct Block {
    /// Where it stands, to be shown.
    place: String,
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let root = repository();
    let mut files: Vec<PathBuf> = fs::read_dir(root.join("docs"))
        .expect("there is a folder docs")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    files.insert(0, root.join("README.md"));
    files.iter().flat_map(|file| blocks_of(file)).collect()
}

fn blocks_of(file: &Path) -> Vec<Block> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        open = match (open, line.strip_prefix("```")) {
            (None, None) => None,
            (None, Some(kind)) => {
                let name = file.file_name().unwrap_or_default().display();
                Some(Block {
                    place: format!("{name}:{}", index + 1),
                    kind: kind.to_owned(),
                    text: String::new(),
                })
            }
            (Some(block), Some(_)) => {
                blocks.push(block);
                None
            }
            (Some(mut block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
                Some(block)
            }
        };
    }
    if let Some(block) = open {
        panic!("{}: the block is not closed", block.place);
    }
    blocks
}

#[test]
fn every_talk_in_the_documentation_is_without_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut checked = 0;
    for block in blocks().iter().filter(|block| block.kind == "talk") {
        let talk = folder.path().join("block.talk");
        fs::write(&talk, &block.text).expect("it is written");
        let found = Program::wiretalk().arg("check").arg(&talk).finish("");
        assert!(found.code == Some(0), "{}: {}", block.place, found.err());
        checked += 1;
    }
    assert!(checked > 0, "there are talks in the documentation");
}

/// All blocks one after the other: two may name the same port.
#[test]
fn every_command_in_the_documentation_runs_and_prints_what_it_says() {
    let mut run = 0;
    for block in blocks().iter().filter(|block| block.kind == "console") {
        run_console(block);
        run += 1;
    }
    assert!(run > 0, "there are commands in the documentation");
}

fn run_console(block: &Block) {
    let place = &block.place;
    let mut servers: Vec<Process> = Vec::new();
    for step in block.text.split("\n$ ") {
        let step = step.strip_prefix("$ ").unwrap_or(step);
        let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
        if let Some(server) = command.strip_suffix(" &") {
            assert_eq!(expected, "", "{place}: the output of a server is not shown");
            let mut server = shell(&format!("exec {server}")).start();
            server.expect("listening on ");
            servers.push(server);
            continue;
        }
        let printed = shell(command).finish("").with_code(0).out();
        let pattern = regex::escape(expected.trim_end()).replace('…', ".*");
        let pattern = Regex::new(&format!("^{pattern}$")).expect("it is escaped");
        assert!(
            pattern.is_match(printed.trim_end()),
            "{place}: `{command}` prints\n{printed}\ninstead of\n{expected}"
        );
    }
}

/// A command line, with our binary in the path.
fn shell(command: &str) -> Program {
    let binary = PathBuf::from(env::var_os("WIRETALK_BIN").expect("it is set for all these tests"));
    let own = binary.parent().map(Path::to_owned);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(own.into_iter().chain(env::split_paths(&path)));
    Program::system("sh")
        .args(["-c", command])
        .env("PATH", path.expect("the folder's name has no colon"))
}
