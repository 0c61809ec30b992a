//! `wiretalk check`

use std::path::PathBuf;

use clap::Args;
use wiretalk_engine::load;
use wiretalk_talk::Role;

use super::Given;
use crate::exit::Exit;
use crate::{diagnostics, terminal};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wiretalk check chat.talk
  wiretalk check tests/ README.md
  wiretalk check --role mock examples/*.talk

Exits with 1 if there is an error; warnings alone exit with 0.")]
pub(crate) struct Check {
    /// The talks; Markdown documents with talks in them; folders, for every .talk in them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The role that they play; by default each that a talk has lines for
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Option<Role>,
    #[command(flatten)]
    given: Given,
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "test" => Ok(Role::Test),
        "mock" => Ok(Role::Mock),
        _ => Err("the roles are test and mock".into()),
    }
}

impl Check {
    pub(crate) fn run(self) -> Exit {
        let outside = match self.given.read() {
            Ok(outside) => outside,
            Err(why) => {
                terminal::error(&why);
                return Exit::USAGE;
            }
        };
        let files = match load::files(&self.files) {
            Ok(files) => files,
            Err(error) => {
                terminal::error(&error.to_string());
                return Exit::USAGE;
            }
        };
        let given = outside.names();
        let (mut talks, mut errors, mut warnings, mut unreadable) = (0, 0, 0, 0);
        for file in &files {
            let found = match load::load_all(file) {
                Ok(found) => found,
                Err(error) => {
                    terminal::error(&error.to_string());
                    unreadable += 1;
                    continue;
                }
            };
            talks += found.len();
            for loaded in found {
                outside.hide_secrets_of(loaded.source());
                let loaded = match self.role {
                    Some(role) => loaded.check(role, &given),
                    None => loaded.check_all(&given),
                };
                let (own_errors, own_warnings) = diagnostics::show(&loaded);
                errors += own_errors;
                warnings += own_warnings;
            }
        }
        let talks = terminal::count(talks + unreadable, "talk", "talks");
        let errors_said = terminal::count(errors, "error", "errors");
        let warnings_said = terminal::count(warnings, "warning", "warnings");
        terminal::out(&format!("{talks}: {errors_said}, {warnings_said}"));
        match (unreadable, errors) {
            (0, 0) => Exit::SUCCESS,
            (0, _) => Exit::FAILED,
            _ => Exit::USAGE,
        }
    }
}
