//! What a player is given, and how it is to play.

use std::sync::Arc;

use super::Incoming;
use crate::directory::Directory;
use crate::scope::Bindings;
use crate::source::Span;
use crate::world::World;

/// What a player needs beside the talk.
#[derive(Clone)]
pub struct Setup {
    /// The world that expressions see.
    pub world: Arc<dyn World>,
    /// What a mock knows of rooms beside its own clients; [`Alone`](crate::Alone) knows nothing.
    pub directory: Arc<dyn Directory>,
    /// Variables from outside: they win over `set` lines of the same name.
    pub variables: Bindings,
    /// How the talk is played.
    pub manner: Manner,
}

impl Setup {
    /// A player in this world, with nothing from outside.
    ///
    /// ```
    /// # struct Fixed;
    /// # impl wiretalk_talk::World for Fixed {
    /// #     fn unix_time(&self) -> f64 { 0.0 }
    /// #     fn local_time(&self, _: &str) -> Result<String, String> { Ok(String::new()) }
    /// #     fn variable(&self, _: &str) -> Option<String> { None }
    /// #     fn random(&self) -> u64 { 4 }
    /// # }
    /// use wiretalk_talk::player::{Manner, Setup};
    ///
    /// let manner = Manner { strict: true, ..Manner::default() };
    /// let setup = Setup { manner, ..Setup::new(std::sync::Arc::new(Fixed)) };
    /// assert!(setup.variables.is_empty());
    /// ```
    #[must_use]
    pub fn new(world: Arc<dyn World>) -> Self {
        Self {
            world,
            directory: Arc::new(crate::Alone),
            variables: Bindings::new(),
            manner: Manner::default(),
        }
    }
}

/// How a talk is played, whatever it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// As `option strict` in every talk.
    pub strict: bool,
    /// Whether a test waits where a line is sent `after` a time, as a mock does.
    pub paced: bool,
    /// Whether a message that differs from its line is taken all the same, and told as a [`Change`] in the outcome.
    pub update: bool,
    /// Which row of `each` a test plays, from 0.
    pub row: usize,
    /// In a mock, whatever the talk says: for how many clients the bodies of rules run at once, each client's one after
    /// the other.
    pub workers: Option<usize>,
    /// Who plays, and the how manieth time, in a load run.
    pub load: Load,
}

/// What `load.user` and `load.iteration` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The user, counted from 1.
    pub user: u64,
    /// How often this user has played the talk before.
    pub iteration: u64,
}

impl Default for Load {
    /// Outside a load run: the first user, for the first time.
    fn default() -> Self {
        Self {
            user: 1,
            iteration: 0,
        }
    }
}

/// What came in place of what a line expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The line of the talk.
    pub span: Span,
    /// What came.
    pub came: Incoming,
}
