//! `schema FILE`: a JSON Schema that a value must satisfy.

use std::sync::{Arc, OnceLock};

use crate::syntax::FileName;
use crate::value::Json;
use compiled::Compiled;

/// A schema by the name of its file; it is compiled when the talk's files are read, once for all that share it.
#[derive(Clone)]
pub(crate) struct Schema {
    pub(crate) file: FileName,
    compiled: Arc<OnceLock<ReadySchema>>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema({})", self.file.path)
    }
}

impl Schema {
    pub(super) fn new(file: FileName) -> Self {
        Self {
            file,
            compiled: Arc::default(),
        }
    }

    /// Takes what stands in the file.
    pub(crate) fn set(&self, ready: &ReadySchema) {
        // Who comes second finds the same schema there.
        let _ = self.compiled.set(ready.clone());
    }

    /// Whether a value satisfies the schema.
    ///
    /// # Errors
    /// A sentence, if the file was not read.
    pub(super) fn holds(&self, value: &Json) -> Result<bool, String> {
        let compiled = self.compiled.get();
        compiled
            .map(|ready| ready.0.holds(value))
            .ok_or_else(|| format!("the schema `{}` was not read", self.file.path))
    }

    /// Where a value does not satisfy the schema, and why.
    pub(super) fn why_not(&self, value: &Json) -> String {
        self.compiled
            .get()
            .map(|ready| ready.0.why_not(value))
            .unwrap_or_default()
    }
}

/// A schema that was read and compiled, for all that name its file.
#[derive(Clone)]
pub(crate) struct ReadySchema(Arc<Compiled>);

impl ReadySchema {
    /// Takes what stands in a file.
    ///
    /// # Errors
    /// Why it is no schema, as a sentence.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let schema: Json =
            serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
        Compiled::new(&schema).map(|compiled| Self(Arc::new(compiled)))
    }
}

#[cfg(feature = "schema")]
mod compiled {
    use jsonschema::Validator;

    use crate::value::Json;

    /// Places that one failure lists.
    const MOST_PLACES: usize = 5;

    pub(super) struct Compiled(Validator);

    impl Compiled {
        pub(super) fn new(schema: &Json) -> Result<Self, String> {
            jsonschema::validator_for(schema)
                .map(Self)
                .map_err(|error| format!("it is not a JSON Schema: {error}"))
        }

        pub(super) fn holds(&self, value: &Json) -> bool {
            self.0.is_valid(value)
        }

        pub(super) fn why_not(&self, value: &Json) -> String {
            let places = self.0.iter_errors(value).take(MOST_PLACES).map(|error| {
                let path = error.instance_path().to_string();
                match path.as_str() {
                    "" => error.to_string(),
                    path => format!("at {path}: {error}"),
                }
            });
            places.collect::<Vec<_>>().join("; ")
        }
    }
}

#[cfg(not(feature = "schema"))]
mod compiled {
    use crate::value::Json;

    /// No schema can be compiled, so that there is none.
    pub(super) enum Compiled {}

    impl Compiled {
        pub(super) fn new(_: &Json) -> Result<Self, String> {
            Err("this program was built without the feature `schema`".into())
        }

        pub(super) fn holds(&self, _: &Json) -> bool {
            match *self {}
        }

        pub(super) fn why_not(&self, _: &Json) -> String {
            match *self {}
        }
    }
}
