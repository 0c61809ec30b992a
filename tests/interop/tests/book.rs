//! README.md and the book in `docs/` show what works: every talk and every command in them runs.
//!
//! Each page is run from its top to its end, in a folder of its own where `examples/` is that of the repository. What a
//! fence says behind its language decides:
//!
//! - a file's name (```` ```talk chat.talk ````, ```` ```csv users.csv ````): the block is written to that file;
//! - `talk`, always: it is without errors. With `both` it is served as a mock and tested against itself, and passes; a
//!   `server` serves the `client` blocks behind it, which pass, or with `client fails` do not. Such talks name the address
//!   127.0.0.1:4000, in whose place comes a free port;
//! - `console`: a line `$ COMMAND` is run with `wiretalk` on the path, and prints the lines below it, where `…` stands for
//!   anything in a line, and a line of it for any lines; `$ COMMAND &` is a server, which is waited for until it listens
//!   and ended with the block. With `exits 1` the last command ends with that code. The servers take the ports that are
//!   written there.
//!
//! Blocks of `rust` are documentation tests of the facade crate, which takes in every page that has one.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use wiretalk_interop::{Process, Program, Server, repository};

/// Where the talks of the book connect to, and listen.
const ADDRESS: &str = "127.0.0.1:4000";

struct Block {
    line: usize,
    words: Vec<String>,
    text: String,
}

/// README.md, and the pages of the book, with their paths below the repository.
fn pages() -> Vec<(PathBuf, String)> {
    let root = repository();
    let mut folders = vec![root.join("docs")];
    let mut pages = vec![root.join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    let named = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a page");
        let name = path.strip_prefix(&root).expect("it is in the repository");
        (name.to_owned(), text)
    };
    pages.into_iter().map(named).collect()
}

/// The pages of the reference.
fn reference() -> Vec<(PathBuf, String)> {
    let mut pages = pages();
    pages.retain(|(name, _)| name.starts_with("docs/reference"));
    pages
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block {
                    line: index + 1,
                    words: info.split_whitespace().map(str::to_owned).collect(),
                    text: String::new(),
                });
            }
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "every fence is closed");
    blocks
}

/// What was run.
#[derive(Default)]
struct Count {
    checked: usize,
    played: usize,
    commands: usize,
}

/// One page being run, in a folder of its own.
struct Page {
    name: String,
    folder: tempfile::TempDir,
    server: Option<Server>,
    wrong: Vec<String>,
    count: Count,
}

impl Page {
    fn run(name: &Path, text: &str) -> Self {
        let mut page = Self {
            name: name.display().to_string(),
            folder: tempfile::tempdir().expect("a folder"),
            server: None,
            wrong: Vec::new(),
            count: Count::default(),
        };
        let examples = repository().join("examples");
        let examples = examples.canonicalize().expect("there are examples");
        let link = page.folder.path().join("examples");
        std::os::unix::fs::symlink(examples, link).expect("a link");
        for block in &blocks(text) {
            let words: Vec<&str> = block.words.iter().map(String::as_str).collect();
            match words[..] {
                ["talk"] => page.check(block, &[]),
                ["talk", "both"] => {
                    page.check(block, &[]);
                    page.serve(block);
                    page.test(block, 0);
                    page.server = None;
                }
                ["talk", "server"] => page.serve(block),
                ["talk", "client"] => page.test(block, 0),
                ["talk", "client", "fails"] => page.test(block, 1),
                ["console"] => page.console(block, 0),
                ["console", "exits", code] => page.console(block, code.parse().expect("a code")),
                [language, file] if file.contains('.') => {
                    page.write(file, &block.text);
                    if language == "talk" {
                        page.check(block, &[]);
                    }
                }
                [] | [_] => {}
                _ => page.wrong(block, "its fence says what no test knows"),
            }
        }
        page
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("it is written");
        path
    }

    fn wrong(&mut self, block: &Block, what: &str) {
        let place = format!("{}:{}", self.name, block.line);
        self.wrong.push(format!("{place}: {what}\n{}", block.text));
    }

    /// Whether the block is without errors.
    fn check(&mut self, block: &Block, role: &[&str]) {
        let talk = self.write(&format!("block-{}.talk", block.line), &block.text);
        let checked = Program::wiretalk()
            .arg("check")
            .args(role)
            .arg(talk)
            .finish("");
        self.count.checked += 1;
        if checked.code != Some(0) {
            self.wrong(block, &checked.err());
        }
    }

    fn serve(&mut self, block: &Block) {
        self.server = None;
        let before = self.wrong.len();
        self.check(block, &["--role", "mock"]);
        if self.wrong.len() == before {
            let talk = self
                .folder
                .path()
                .join(format!("block-{}.talk", block.line));
            self.server = Some(Server::talk(&talk, &[]));
        }
    }

    fn test(&mut self, block: &Block, code: i32) {
        let Some(server) = &self.server else {
            return self.wrong(block, "no server stands before it on the page");
        };
        if !block.text.contains(ADDRESS) {
            return self.wrong(block, &format!("does not name {ADDRESS}"));
        }
        let place = server.origin.strip_prefix("ws://").expect("an address");
        let text = block.text.replace(ADDRESS, place);
        let talk = self.write(&format!("client-{}.talk", block.line), &text);
        let tested = Program::wiretalk().arg("test").arg(&talk).finish("");
        self.count.played += 1;
        if tested.code != Some(code) {
            let said = format!(
                "ends with {:?}:\n{}{}",
                tested.code,
                tested.out(),
                tested.err()
            );
            self.wrong(block, &said);
        }
    }

    fn console(&mut self, block: &Block, code: i32) {
        let mut servers: Vec<Process> = Vec::new();
        let steps: Vec<&str> = block.text.split("\n$ ").collect();
        for (index, step) in steps.iter().enumerate() {
            let step = step.strip_prefix("$ ").unwrap_or(step);
            let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
            if let Some(server) = command.strip_suffix(" &") {
                assert_eq!(
                    expected.trim(),
                    "",
                    "{}: a server's output is not shown",
                    self.name
                );
                let mut server = self.shell(&format!("exec {server}")).start();
                server.expect("listening on ");
                servers.push(server);
                continue;
            }
            let wanted = if index + 1 == steps.len() { code } else { 0 };
            let ended = self.shell(command).finish("");
            self.count.commands += 1;
            if ended.code != Some(wanted) {
                let said = format!(
                    "{:?} instead of {wanted}:\n{}{}",
                    ended.code,
                    ended.out(),
                    ended.err()
                );
                self.wrong(block, &format!("`{command}` ends with {said}"));
            } else if !shown(expected).is_match(ended.out().trim_end()) {
                self.wrong(block, &format!("`{command}` prints\n{}", ended.out()));
            }
        }
    }

    /// A command line in the page's folder, with our binary in the path.
    fn shell(&self, command: &str) -> Program {
        let binary = env::var_os("WIRETALK_BIN").expect("it is set for all these tests");
        let own = PathBuf::from(binary).parent().map(Path::to_owned);
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(own.into_iter().chain(env::split_paths(&path)));
        Program::system("sh")
            .args(["-c", command])
            .in_folder(self.folder.path())
            .env("PATH", path.expect("the folder's name has no colon"))
    }
}

/// What matches the output that a page shows.
fn shown(expected: &str) -> Regex {
    let lines: Vec<String> = expected
        .trim_end()
        .lines()
        .map(|line| match line {
            "…" => "(?s:.*)".to_owned(),
            line => regex::escape(line.trim_end()).replace('…', ".*"),
        })
        .collect();
    Regex::new(&format!("^{}$", lines.join("\n"))).expect("it is escaped")
}

/// All pages one after the other: two may name the same port.
#[test]
fn every_talk_and_every_command_in_the_documentation_runs() {
    let (mut count, mut wrong) = (Count::default(), Vec::new());
    let only = env::var("WIRETALK_PAGE").unwrap_or_default();
    for (name, text) in pages() {
        if !name.display().to_string().contains(&only) {
            continue;
        }
        let page = Page::run(&name, &text);
        count.checked += page.count.checked;
        count.played += page.count.played;
        count.commands += page.count.commands;
        wrong.extend(page.wrong);
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    if only.is_empty() {
        assert!(count.checked > 60 && count.played > 60 && count.commands > 10);
    }
}

#[test]
fn every_page_with_rust_is_among_the_documentation_tests() {
    let book =
        fs::read_to_string(repository().join("crates/wiretalk/src/book.rs")).expect("a file");
    let mut found = 0;
    for (name, text) in pages() {
        let rust = blocks(&text).iter().any(|block| {
            let word = block.words.first().map_or("", String::as_str);
            word.split(',').next() == Some("rust")
        });
        if rust {
            found += 1;
            let taken_in = format!("include_str!(\"../../../{}\")", name.display());
            assert!(
                book.contains(&taken_in),
                "{} is not in {book}",
                name.display()
            );
        }
    }
    assert!(found >= 3, "the pages about the library have examples");
}

/// The first cells of the rows of a page's tables.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| "));
    cells
        .filter_map(|row| row.split(" | ").next())
        .filter(|cell| cell.starts_with('`') || cell.starts_with("(none)"))
}

#[test]
fn every_row_of_the_language_has_a_heading_in_the_reference() {
    let language = fs::read_to_string(repository().join("docs/talk.md")).expect("docs/talk.md");
    let pages = reference();
    let headings: BTreeSet<&str> = pages
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let missing: Vec<&str> = rows(&language)
        .filter(|row| !headings.contains(row))
        .collect();
    assert!(
        missing.is_empty(),
        "no example in docs/reference for: {missing:#?}"
    );
    assert!(rows(&language).count() > 40, "the language has tables");
}

#[test]
fn every_heading_of_the_reference_has_a_talk_that_runs() {
    for (name, text) in reference() {
        for section in text.split("\n## ").skip(1) {
            let heading = section.lines().next().unwrap_or_default();
            let run = [
                "```talk both\n",
                "```talk client\n",
                "```talk client fails\n",
            ];
            let runs = run.iter().any(|fence| section.contains(fence));
            assert!(runs, "{}: nothing runs under `{heading}`", name.display());
        }
    }
}

#[test]
fn the_table_of_contents_names_every_page_and_no_other() {
    let contents = repository().join("docs/SUMMARY.md");
    let contents = fs::read_to_string(contents).expect("docs/SUMMARY.md");
    let named: BTreeSet<PathBuf> = links(&contents)
        .map(|link| Path::new("docs").join(link))
        .collect();
    let there = pages().into_iter().map(|(name, _)| name);
    let there = there.filter(|name| name != Path::new("docs/SUMMARY.md"));
    let there: BTreeSet<PathBuf> = there
        .filter(|name| name != Path::new("README.md"))
        .collect();
    assert_eq!(named, there);
}

#[test]
fn every_link_leads_to_something() {
    for (name, text) in pages() {
        let page = repository().join(&name);
        let folder = page.parent().expect("a folder");
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{}: {link} leads nowhere", name.display());
            if !place.is_empty() {
                let text = fs::read_to_string(&target).expect("a page");
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let there = headings.any(|line| anchor(line) == place);
                assert!(there, "{}: {link} has no such heading", name.display());
            }
        }
    }
}

/// The targets of the links of a page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

/// What a heading is called in an address.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
