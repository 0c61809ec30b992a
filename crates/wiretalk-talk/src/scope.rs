//! The names that holes and expressions see.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use minijinja::value::Kwargs;

use crate::directory::{Directory, Heard};
use crate::player::{ConnectionId, Load, Rooms};
use crate::value::Value;
use crate::world::World;

/// Names and what they are bound to.
pub type Bindings = BTreeMap<String, Value>;

/// A client of a mock, as `client.*` shows it.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Counts from 1, in the order of connecting.
    pub id: u64,
    /// The address it came from, without the port: behind proxies that are trusted, that of the client itself.
    pub ip: Option<IpAddr>,
    /// The path it asked for, without the query.
    pub path: Arc<str>,
    /// The query's names and values, decoded.
    pub query: Vec<(String, String)>,
    /// The handshake's headers.
    pub headers: Vec<(String, String)>,
    /// The claims of the token that it was let in with, if there was one.
    pub token: Option<Arc<serde_json::Value>>,
    /// What `set client.NAME` bound. It stands before the token and the rooms.
    pub values: Bindings,
}

impl Client {
    fn to_expression(&self, rooms: &Rooms) -> minijinja::Value {
        use minijinja::Value as V;
        let mut members: BTreeMap<String, V> = BTreeMap::new();
        if let Some(token) = &self.token {
            members.insert("token".into(), crate::value::json_to_expression(token));
        }
        let rooms = rooms.rooms_of(ConnectionId(self.id));
        members.insert("rooms".into(), V::from_iter(rooms));
        let values = self.values.iter();
        members.extend(values.map(|(name, value)| (name.clone(), value.to_expression())));
        members.insert("id".into(), V::from(self.id));
        members.insert(
            "ip".into(),
            V::from(self.ip.map(|ip| ip.to_string()).unwrap_or_default()),
        );
        members.insert("path".into(), V::from(&*self.path));
        let mut query = BTreeMap::new();
        for (name, value) in &self.query {
            query
                .entry(name.clone())
                .or_insert_with(|| V::from(value.as_str()));
        }
        members.insert("query".into(), V::from_pairs(query));
        let headers = V::from_object(Headers(self.headers.clone()));
        members.insert("header".into(), headers);
        V::from_pairs(members)
    }
}

/// `client.header`: names in any case, and `_` for the `-` that an expression would take for a minus.
#[derive(Debug)]
struct Headers(Vec<(String, String)>);

impl minijinja::value::Object for Headers {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let asked = key.as_str()?;
        let dashed = asked.replace('_', "-");
        let named =
            |name: &str| name.eq_ignore_ascii_case(asked) || name.eq_ignore_ascii_case(&dashed);
        let (_, value) = self.0.iter().find(|(name, _)| named(name))?;
        Some(minijinja::Value::from(value.as_str()))
    }
}

/// All that is in sight at one place of a talk.
pub(crate) struct Context<'a> {
    /// Bindings, innermost first: of the run, of the client, of the test, of the talk.
    pub(crate) layers: [&'a Bindings; 4],
    /// What `set global.NAME` bound.
    pub(crate) global: &'a Bindings,
    /// The text that was just received.
    pub(crate) message: Option<&'a str>,
    /// What is known of that text as JSON.
    pub(crate) parsed: Option<&'a crate::value::document::Parsed>,
    /// The client in whose name this runs.
    pub(crate) client: Option<&'a Client>,
    /// How many clients are connected, in a mock.
    pub(crate) clients: usize,
    /// Who is in which room.
    pub(crate) rooms: &'a Arc<Rooms>,
    /// Who is in which room elsewhere, and what rooms have heard.
    pub(crate) directory: &'a Arc<dyn Directory>,
    /// What `load.user` and `load.iteration` are.
    pub(crate) load: Load,
    /// The world outside.
    pub(crate) world: &'a Arc<dyn World>,
}

impl Context<'_> {
    /// The value of a plain name.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.layers
            .iter()
            .find_map(|layer| layer.get(name).cloned())
            .or_else(|| match name {
                "message" => self.message.map(|text| Value::Text(text.to_owned())),
                _ => None,
            })
    }

    /// The value of a plain name that a line looks at.
    pub(crate) fn looked_at(&self, name: &str) -> Option<Value> {
        self.value(name).or_else(|| match name {
            "epoch" => Some(Value::Text(self.epoch())),
            _ => None,
        })
    }

    /// Within which the offsets of rooms mean something.
    fn epoch(&self) -> String {
        self.directory.history("", 0, None).epoch.to_string()
    }

    /// What an expression finds under a name; `fields` tells that it looks inside `message`.
    pub(crate) fn expression_value(&self, name: &str, fields: bool) -> Option<minijinja::Value> {
        use minijinja::Value as V;
        let world = Arc::clone(self.world);
        match name {
            "message" if fields => {
                let once = crate::value::document::Parsed::default();
                let parsed = self.parsed.unwrap_or(&once);
                let text = crate::value::document::Document::new(self.message?, parsed);
                return text.json().ok().map(crate::value::json_to_expression);
            }
            "client" => return self.client.map(|client| client.to_expression(self.rooms)),
            "server" => return Some(V::from_pairs([("clients", V::from(self.clients))])),
            "global" => {
                let pairs = self.global.iter();
                return Some(V::from_pairs(
                    pairs.map(|(name, value)| (name.clone(), value.to_expression())),
                ));
            }
            "load" => {
                return Some(V::from_pairs([
                    ("user", V::from(self.load.user)),
                    ("iteration", V::from(self.load.iteration)),
                ]));
            }
            "members" => {
                let (rooms, directory) = (Arc::clone(self.rooms), Arc::clone(self.directory));
                return Some(V::from_function(move |room: String| {
                    let mut members = rooms.members(&room);
                    add_others(&mut members, directory.others(&room));
                    V::from_iter(members.iter().map(Value::to_expression))
                }));
            }
            "env" => return Some(V::from_object(crate::expression::Variables(world))),
            "uuid" => {
                return Some(V::from_function(move || {
                    V::from(crate::world::uuid(world.as_ref()))
                }));
            }
            "now" => return Some(crate::expression::now(world)),
            _ => {}
        }
        if let Some(value) = self.value(name) {
            return Some(value.to_expression());
        }
        // These names are older in talks than in the language: what a talk binds stands before them.
        let directory = Arc::clone(self.directory);
        match name {
            "history" => Some(V::from_function(
                move |room: String, limit: Option<usize>, options: Kwargs| {
                    let after = options.get::<Option<u64>>("after")?;
                    options.assert_all_used()?;
                    let limit = limit.unwrap_or(usize::MAX);
                    let heard = Heard(directory.history(&room, limit, after));
                    Ok::<_, minijinja::Error>(V::from_object(heard))
                },
            )),
            "offset" => Some(V::from_function(move |room: String| {
                directory.history(&room, 0, None).offset
            })),
            "epoch" => Some(V::from(self.epoch())),
            _ => None,
        }
    }
}

/// Who is in a room on other nodes, behind those that are here: each user once.
fn add_others(members: &mut Vec<Value>, others: Vec<Value>) {
    if others.is_empty() {
        return;
    }
    let mut known: BTreeSet<String> = members.iter().map(Value::to_string).collect();
    members.extend(
        others
            .into_iter()
            .filter(|other| known.insert(other.to_string())),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_in_any_case_and_with_underscores() {
        let client = Client {
            headers: vec![("user-agent".into(), "me".into())],
            ..Client::default()
        };
        let headers = client
            .to_expression(&Rooms::default())
            .get_attr("header")
            .expect("headers");
        for name in ["user_agent", "User_Agent", "user-agent", "USER-AGENT"] {
            let found = headers.get_attr(name).expect("a look-up");
            assert_eq!(found.as_str(), Some("me"), "{name}");
        }
        assert!(headers.get_attr("agent").expect("a look-up").is_undefined());
    }
}
