//! `wiretalk check`

use std::path::PathBuf;

use clap::Args;
use wiretalk_engine::load;
use wiretalk_talk::{Role, Value};

use crate::exit::Exit;
use crate::{diagnostics, terminal};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wiretalk check chat.talk
  wiretalk check --role mock examples/*.talk

Exits with 1 if there is an error; warnings alone exit with 0.")]
pub(crate) struct Check {
    /// The talks
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The role that they play; by default each that a talk has lines for
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Option<Role>,
    /// A variable that comes from outside
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::variable)]
    set: Vec<(String, Value)>,
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
        let given: Vec<String> = super::variables(&self.set).into_keys().collect();
        let (mut errors, mut warnings, mut unreadable) = (0, 0, false);
        for file in &self.files {
            let mut loaded = match load::load(file) {
                Ok(loaded) => loaded,
                Err(error) => {
                    terminal::error(&error.to_string());
                    unreadable = true;
                    continue;
                }
            };
            let plan = loaded.plan();
            let roles = match self.role {
                Some(role) => vec![role],
                None if plan.serves() && plan.tests().next().is_some() => {
                    vec![Role::Test, Role::Mock]
                }
                None if plan.serves() => vec![Role::Mock],
                None => vec![Role::Test],
            };
            for role in roles {
                loaded = loaded.check(role, &given);
            }
            let (own_errors, own_warnings) = diagnostics::show(&loaded);
            errors += own_errors;
            warnings += own_warnings;
        }
        let talks = terminal::count(self.files.len(), "talk", "talks");
        let errors_said = terminal::count(errors, "error", "errors");
        let warnings_said = terminal::count(warnings, "warning", "warnings");
        terminal::out(&format!("{talks}: {errors_said}, {warnings_said}"));
        match (unreadable, errors) {
            (true, _) => Exit::USAGE,
            (false, 0) => Exit::SUCCESS,
            (false, _) => Exit::FAILED,
        }
    }
}
