//! The talk language: parse, format, check, match and render talks; and the player, a state machine that is given
//! events and the time and answers with actions. Nothing here does I/O, looks at a clock or prints.
//!
//! ```
//! let parsed = wiretalk_talk::parse("hello.talk", "connect ws://127.0.0.1:8765\n> hi\n< hi\n");
//! assert!(parsed.diagnostics.is_empty());
//! ```

pub mod assist;
mod check;
mod diagnostic;
mod directory;
mod expression;
mod files;
mod format;
mod pattern;
pub mod player;
mod query;
mod scope;
mod source;
mod syntax;
#[cfg(test)]
mod testing;
mod types;
mod update;
mod value;
mod world;
pub mod write;

pub use check::{Role, check, check_served};
pub use diagnostic::{Diagnostic, Severity};
pub use directory::{Alone, Directory, History};
pub use format::format;
pub use pattern::{Difference, JsonDifference, Mismatch};
pub use scope::{Bindings, Client};
pub use source::{Source, Span};
pub use syntax::{NotUtf8, Parsed, Talk, decode, parse};
pub use update::{Edit, Update, update};
pub use value::Value;
pub use world::World;

/// Whether a variable of this name may be given from outside: the rule of `set NAME = …`.
///
/// # Errors
/// Why not, as a sentence without a full stop.
pub fn may_be_bound(name: &str) -> Result<(), String> {
    if !pattern::is_name(name) {
        return Err(format!(
            "`{name}` is not a name: a letter or underscore, then letters, digits and underscores"
        ));
    }
    pattern::bind_name(name).map_err(|(what, mend)| format!("{what}: {mend}"))
}
