//! Filling a template.

use super::{Captures, Hole, HoleKind, Pattern, Place, Segment};
use crate::scope::Context;
use crate::value::{Json, Value};

/// A payload ready to be sent, and the values that were made up for it.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// Names that got a value here, to be the same from now on.
    pub(crate) bound: Vec<(String, Value)>,
}

impl Pattern {
    /// Fills the holes.
    ///
    /// # Errors
    /// A sentence: a hole for which there is no value.
    pub(crate) fn render(&self, context: &Context<'_>) -> Result<Rendered, String> {
        let mut text = String::with_capacity(self.raw.len());
        let mut bound: Vec<(String, Value)> = Vec::new();
        for segment in self.sent.as_deref().unwrap_or(&self.segments) {
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Hole(index) => {
                    let hole = &self.holes[*index];
                    let value = hole.fill(context, &mut bound)?;
                    write_value(&value, hole.place, &mut text);
                }
            }
        }
        Ok(Rendered { text, bound })
    }

    /// The payload with the values that are known here, other holes left as they are: what was expected.
    pub(crate) fn filled(&self, context: &Context<'_>) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Hole(index) => {
                    let hole = &self.holes[*index];
                    match hole.known(context, &[]) {
                        Some(Ok(value)) => write_value(&value, hole.place, &mut text),
                        _ => {
                            text.push_str("{{");
                            text.push_str(&hole.raw);
                            text.push_str("}}");
                        }
                    }
                }
            }
        }
        text
    }
}

impl Pattern {
    /// The value of what stands behind `set NAME =`: a lone hole keeps its type, any other text is read as JSON if it
    /// is JSON.
    ///
    /// # Errors
    /// A sentence: a hole for which there is no value.
    pub(crate) fn value(&self, context: &Context<'_>) -> Result<(Value, Captures), String> {
        if let [Segment::Hole(only)] = self.segments[..] {
            let mut bound = Captures::new();
            let value = self.holes[only].fill(context, &mut bound)?;
            return Ok((value, bound));
        }
        let rendered = self.render(context)?;
        Ok((Value::read(&rendered.text), rendered.bound))
    }
}

impl Hole {
    fn fill(
        &self,
        context: &Context<'_>,
        bound: &mut Vec<(String, Value)>,
    ) -> Result<Value, String> {
        if let Some(known) = self.known(context, bound) {
            return known;
        }
        let fresh = || self.ty()?.fresh(context.world.as_ref());
        match &self.kind {
            HoleKind::Declare { name, example, .. } => {
                let value = example.clone().or_else(fresh).ok_or_else(|| {
                    format!(
                        "`{{{{{}}}}}` has no value to send: `{name}` is not bound, and it has no example",
                        self.raw
                    )
                })?;
                bound.push((name.clone(), value.clone()));
                Ok(value)
            }
            HoleKind::Wildcard(_) | HoleKind::Name(_) | HoleKind::Expression(_) => {
                fresh().ok_or_else(|| format!("`{{{{{}}}}}` has no value to send", self.raw))
            }
        }
    }

    /// Why this hole can never be sent, if so.
    pub(crate) fn cannot_be_sent(&self, world: &dyn crate::world::World) -> Option<String> {
        let made_up = |ty: Option<&std::sync::Arc<dyn crate::types::HoleType>>| {
            ty.is_some_and(|ty| ty.fresh(world).is_some())
        };
        match &self.kind {
            HoleKind::Wildcard(ty) if !made_up(ty.as_ref()) => Some(match ty {
                None => "`{{_}}` says nothing of what to send".to_owned(),
                Some(ty) => format!("no value can be made up for {}", ty.describe()),
            }),
            _ => None,
        }
    }
}

/// Writes a value the way its place asks for.
fn write_value(value: &Value, place: Place, text: &mut String) {
    match (place, value) {
        (Place::Text, value) => text.push_str(&value.to_string()),
        (Place::JsonString, value) => {
            let quoted = Json::String(value.to_string()).to_string();
            text.push_str(&quoted[1..quoted.len() - 1]);
        }
        (Place::JsonValue, Value::Json(json)) => text.push_str(&json.to_string()),
        (Place::JsonValue, Value::Text(string)) => {
            text.push_str(&Json::String(string.clone()).to_string());
        }
    }
}
