//! Whom the lines of a dialogue can mean.

use std::collections::BTreeSet;

/// Who is there, and has spoken, as a dialogue goes on.
#[derive(Default)]
pub(super) struct Speech<'a> {
    pub(super) connected: bool,
    pub(super) names: BTreeSet<&'a str>,
    /// Whether a connection has no name.
    pub(super) nameless: bool,
    pub(super) spoke: bool,
}

impl<'a> Speech<'a> {
    pub(super) fn connect(&mut self, name: Option<&'a str>) {
        self.connected = true;
        match name {
            Some(name) => {
                self.names.insert(name);
            }
            None => self.nameless = true,
        }
    }
}
