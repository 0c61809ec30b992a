//! `wiretalk fmt`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use wiretalk_engine::load;
use wiretalk_talk::Source;

use crate::exit::Exit;
use crate::{diagnostics, terminal};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wiretalk fmt chat.talk               lay the file out anew
  wiretalk fmt --check tests/*.talk    say which files are not laid out, and exit with 1
  wiretalk fmt - < chat.talk           from standard input to standard output

A payload is never changed.")]
pub(crate) struct Fmt {
    /// The talks; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing, and exit with 1 if something would be
    #[arg(long)]
    check: bool,
}

/// What became of one file.
enum Done {
    Same,
    Changed,
    Failed(Exit),
}

impl Fmt {
    pub(crate) fn run(self) -> Exit {
        let mut exit = Exit::SUCCESS;
        for file in &self.files {
            let done = if file == Path::new("-") {
                self.standard_input()
            } else {
                self.file(file)
            };
            match done {
                Done::Same => {}
                Done::Changed if self.check => {
                    let name = if file == Path::new("-") {
                        STANDARD_INPUT.to_owned()
                    } else {
                        file.display().to_string()
                    };
                    terminal::out(&format!("{name} is not laid out"));
                    if exit == Exit::SUCCESS {
                        exit = Exit::FAILED;
                    }
                }
                Done::Changed => {
                    terminal::err(&format!("{} laid out", file.display()));
                }
                Done::Failed(failed) => exit = failed,
            }
        }
        exit
    }

    fn file(&self, file: &Path) -> Done {
        let text = match load::no_document(file).and_then(|()| load::read(file)) {
            Ok(text) => text,
            Err(error) => return failed(&error.to_string()),
        };
        let laid_out = match wiretalk_talk::format(&file.display().to_string(), &text) {
            Ok(laid_out) => laid_out,
            Err(findings) => {
                let source = Source::new(&file.display().to_string(), &text);
                diagnostics::show_all(&source, &findings);
                return Done::Failed(Exit::USAGE);
            }
        };
        if laid_out == text {
            return Done::Same;
        }
        if !self.check
            && let Err(error) = replace(file, &laid_out)
        {
            return failed(&format!("cannot write `{}`: {error}", file.display()));
        }
        Done::Changed
    }

    fn standard_input(&self) -> Done {
        let text = match load::read_from(STANDARD_INPUT, std::io::stdin().lock()) {
            Ok(text) => text,
            Err(error) => return failed(&error.to_string()),
        };
        let laid_out = match wiretalk_talk::format("-", &text) {
            Ok(laid_out) => laid_out,
            Err(findings) => {
                diagnostics::show_all(&Source::new("-", &text), &findings);
                return Done::Failed(Exit::USAGE);
            }
        };
        if self.check {
            return if laid_out == text {
                Done::Same
            } else {
                Done::Changed
            };
        }
        let mut stdout = std::io::stdout().lock();
        match stdout
            .write_all(laid_out.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Ok(()) => Done::Same,
            Err(error) => failed(&format!("cannot write: {error}")),
        }
    }
}

/// What `-` is called.
const STANDARD_INPUT: &str = "standard input";

fn failed(what: &str) -> Done {
    terminal::error(what);
    Done::Failed(Exit::USAGE)
}

/// Puts the new text in place in one step, so that a crash leaves the old file or the new one. A link stays a link.
pub(super) fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let file = std::fs::canonicalize(file)?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = file.with_file_name(name);
    let permissions = std::fs::metadata(&file)?.permissions();
    // Nobody else may read it before it has the rights of the old one.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(&new)?;
    let written = opened
        .set_permissions(permissions)
        .and_then(|()| opened.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&new, &file));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}
