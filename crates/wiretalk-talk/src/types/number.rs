//! `int`, `number` and `bool`.

use std::cmp::Ordering;

use super::HoleType;
use crate::value::number::{compare, is_number};
use crate::value::{Json, Value};
use crate::world::World;

/// `int` or `number`, with a range whose ends both belong to it.
#[derive(Debug)]
pub(super) struct Number {
    int: bool,
    from: Option<String>,
    to: Option<String>,
}

impl Number {
    pub(super) fn new(int: bool, range: Option<&str>) -> Result<Self, (String, String)> {
        let Some(range) = range else {
            return Ok(Self {
                int,
                from: None,
                to: None,
            });
        };
        let wrong = || {
            (
                format!("`{range}` is not a range"),
                "write the least and the greatest value with two dots between: `1..100`".to_owned(),
            )
        };
        let (from, to) = range.split_once("..").ok_or_else(wrong)?;
        let end = |text: &str| match text.trim() {
            "" => Ok(None),
            text if is_number(text, false) => Ok(Some(text.to_owned())),
            _ => Err(wrong()),
        };
        let (from, to) = (end(from)?, end(to)?);
        if let (Some(from), Some(to)) = (&from, &to)
            && compare(from, to) == Some(Ordering::Greater)
        {
            return Err((
                format!("the range `{range}` is empty"),
                "put the smaller end first".into(),
            ));
        }
        Ok(Self { int, from, to })
    }

    fn in_range(&self, text: &str) -> bool {
        let above = self
            .from
            .as_deref()
            .is_none_or(|from| compare(text, from) != Some(Ordering::Less));
        let below = self
            .to
            .as_deref()
            .is_none_or(|to| compare(text, to) != Some(Ordering::Greater));
        above && below
    }

    fn end(end: Option<&String>, otherwise: f64) -> f64 {
        end.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }
}

impl HoleType for Number {
    fn accepts_text(&self, text: &str) -> bool {
        is_number(text, self.int) && self.in_range(text)
    }

    fn accepts_json(&self, json: &Json) -> bool {
        matches!(json, Json::Number(number) if self.accepts_text(number.as_str()))
    }

    fn read(&self, text: &str) -> Value {
        Value::read(text)
    }

    fn reach(&self, rest: &str) -> Option<usize> {
        let belongs = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        Some(rest.find(|c| !belongs(c)).unwrap_or(rest.len()))
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        let below = Self::end(self.to.as_ref(), 0.0).min(0.0);
        let lowest = if below < 0.0 {
            below - 1_000_000.0
        } else {
            0.0
        };
        let from = Self::end(self.from.as_ref(), lowest);
        let to = Self::end(self.to.as_ref(), from.max(0.0) + 1_000_000.0);
        // 53 random bits make a fraction in 0..1 that a double holds exactly.
        let fraction = (world.random() >> 11) as f64 / (1_u64 << 53) as f64;
        let number = if self.int {
            let (low, high) = (from.ceil(), to.floor());
            if low > high {
                return None;
            }
            format!(
                "{}",
                (low + (fraction * (high - low + 1.0)).floor()).min(high)
            )
        } else {
            format!("{:.3}", from + fraction * (to - from))
        };
        // Rounding to three places may step over a narrow range: then its end is as good as any.
        let number = if self.in_range(&number) {
            number
        } else {
            self.from.clone().or_else(|| self.to.clone())?
        };
        Some(Value::read(&number))
    }

    fn describe(&self) -> String {
        let name = if self.int { "an integer" } else { "a number" };
        match (&self.from, &self.to) {
            (None, None) => name.into(),
            (Some(from), None) => format!("{name} of {from} or more"),
            (None, Some(to)) => format!("{name} of {to} or less"),
            (Some(from), Some(to)) => format!("{name} from {from} to {to}"),
        }
    }
}

/// `bool`: `true` or `false`.
#[derive(Debug)]
pub(super) struct Bool;

impl HoleType for Bool {
    fn accepts_text(&self, text: &str) -> bool {
        matches!(text, "true" | "false")
    }

    fn accepts_json(&self, json: &Json) -> bool {
        json.is_boolean()
    }

    fn read(&self, text: &str) -> Value {
        Value::Json(Json::Bool(text == "true"))
    }

    fn reach(&self, rest: &str) -> Option<usize> {
        let end = rest.find(|c: char| !c.is_ascii_lowercase());
        Some(end.unwrap_or(rest.len()))
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        Some(Value::Json(Json::Bool(world.random() & 1 == 1)))
    }

    fn describe(&self) -> String {
        "true or false".into()
    }
}
