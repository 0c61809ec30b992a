//! The files that a talk names: read by the caller, kept with the talk.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::scope::Bindings;

/// What stands in the files that a talk names, each under the path as the talk writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Of payloads: `>file PATH`.
    pub(crate) bytes: BTreeMap<String, Arc<[u8]>>,
    /// Of `each FILE`: each row's columns.
    pub(crate) rows: BTreeMap<String, Arc<[Bindings]>>,
}
