//! What the talk's expressions see of the hub: who of other nodes is in a room, and what rooms have heard.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wiretalk_hub::{HistoryLimits, Hub, HubOptions, Present};
use wiretalk_talk::player::Plan;
use wiretalk_talk::{Directory, History, Value};

use crate::serve::command::Command;

/// A mock's hub, as its talk sees it.
pub(super) struct Rooms(pub(super) Hub<Command>);

impl Directory for Rooms {
    fn others(&self, room: &str) -> Vec<Value> {
        let others = self.0.others(room).into_iter();
        others
            .map(
                |Present {
                     node,
                     connection,
                     user,
                 }| {
                    Value::Text(match user {
                        Some(user) => user.to_string(),
                        // The number of a connection means something in its own hub alone.
                        None => format!("{node:x}-{connection}"),
                    })
                },
            )
            .collect()
    }

    fn history(&self, room: &str, limit: usize, after: Option<u64>) -> History {
        let history = self.0.history(room, limit, after);
        let messages = history.messages.into_iter();
        History {
            epoch: history.epoch,
            offset: history.offset,
            complete: history.complete,
            messages: messages
                .map(|(offset, message)| (offset, value_of(&message.payload())))
                .collect(),
        }
    }
}

/// JSON as its value, as a pattern takes it: an object or an array; other texts as they are, and bytes in base64.
fn value_of(payload: &[u8]) -> Value {
    let Ok(text) = std::str::from_utf8(payload) else {
        return Value::Text(STANDARD.encode(payload));
    };
    let json = text.trim_start().starts_with(['{', '[']);
    match json.then(|| serde_json::from_str(text)) {
        Some(Ok(json)) => Value::from_json(json),
        _ => Value::Text(text.to_owned()),
    }
}

/// A hub for a talk: as much is remembered as the talk says, or else what is usual.
pub(super) fn hub_options(plan: &Plan) -> HubOptions {
    let usual = HistoryLimits::default();
    let wish = plan.remembers().unwrap_or_default();
    HubOptions {
        history: HistoryLimits {
            messages: wish.messages.unwrap_or(usual.messages),
            // A talk that says how many and not for how long wants no other end.
            age: match wish.messages {
                Some(_) => wish.age.unwrap_or(std::time::Duration::MAX),
                None => usual.age,
            },
            ..usual
        },
        clock: Arc::new(milliseconds),
        node: crate::fresh_seed().max(1),
        ..HubOptions::default()
    }
}

/// Since 1970.
fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
