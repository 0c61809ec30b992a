//! A world that holds still, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::diagnostic::Diagnostic;
use crate::scope::{Bindings, Client, Context};
use crate::source::Source;
use crate::value::Value;
use crate::world::World;

#[derive(Default)]
pub(crate) struct StillWorld {
    pub(crate) variables: BTreeMap<String, String>,
    state: AtomicU64,
}

impl World for StillWorld {
    fn unix_time(&self) -> f64 {
        1_700_000_000.5
    }

    fn local_time(&self, format: &str) -> Result<String, String> {
        match format {
            "%Y-%m-%dT%H:%M:%S%:z" => Ok("2023-11-14T22:13:20+00:00".into()),
            "%H:%M:%S" => Ok("22:13:20".into()),
            other => Err(format!("`{other}` is not a time format")),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn random(&self) -> u64 {
        // SplitMix64: well spread, and the same each time.
        let mut z = self
            .state
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A scene in which a pattern is matched or filled: the names that are bound, and what was received.
pub(crate) struct Scene {
    world: Arc<dyn World>,
    names: Bindings,
    none: Bindings,
    message: Option<String>,
    client: Option<Client>,
}

impl Scene {
    /// A scene with names bound as `set` would: `name=value`, with blanks between.
    pub(crate) fn with(names: &str) -> Self {
        let names = names.split_whitespace().map(|pair| {
            let (name, value) = pair.split_once('=').expect("name=value");
            (name.to_owned(), Value::read(value))
        });
        let variables = [("TOKEN".to_owned(), "s3cret".to_owned())];
        Self {
            world: Arc::new(StillWorld {
                variables: variables.into(),
                ..StillWorld::default()
            }),
            names: names.collect(),
            none: Bindings::new(),
            message: None,
            client: None,
        }
    }

    pub(crate) fn message(mut self, text: &str) -> Self {
        self.message = Some(text.to_owned());
        self
    }

    pub(crate) fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            layers: [&self.names, &self.none, &self.none],
            global: &self.none,
            message: self.message.as_deref(),
            client: self.client.as_ref(),
            clients: 3,
            world: &self.world,
        }
    }
}

/// A diagnostic as `line:column severity: what / mend`.
pub(crate) fn show(source: &Source, diagnostic: &Diagnostic) -> String {
    let (line, column) = source.position(diagnostic.span.start);
    let severity = if diagnostic.is_error() {
        "error"
    } else {
        "warning"
    };
    format!(
        "{line}:{column} {severity}: {} / {}",
        diagnostic.what, diagnostic.mend
    )
}
