//! The names that holes and expressions see.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::value::Value;
use crate::world::World;

/// Names and what they are bound to.
pub type Bindings = BTreeMap<String, Value>;

/// A client of a mock, as `client.*` shows it.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Counts from 1, in the order of connecting.
    pub id: u64,
    /// The address it came from, without the port.
    pub ip: String,
    /// The path it asked for, without the query.
    pub path: String,
    /// The query's names and values, decoded.
    pub query: Vec<(String, String)>,
    /// The handshake's headers.
    pub headers: Vec<(String, String)>,
    /// What `set client.NAME` bound.
    pub values: Bindings,
}

impl Client {
    fn to_expression(&self) -> minijinja::Value {
        use minijinja::Value as V;
        let first = |pairs: &[(String, String)], name: fn(&str) -> String| {
            let mut map = BTreeMap::new();
            for (key, value) in pairs {
                map.entry(name(key))
                    .or_insert_with(|| V::from(value.as_str()));
            }
            V::from_pairs(map)
        };
        let mut members: BTreeMap<String, V> = self
            .values
            .iter()
            .map(|(name, value)| (name.clone(), value.to_expression()))
            .collect();
        members.insert("id".into(), V::from(self.id));
        members.insert("ip".into(), V::from(self.ip.as_str()));
        members.insert("path".into(), V::from(self.path.as_str()));
        members.insert("query".into(), first(&self.query, str::to_owned));
        // `client.header.user_agent` and `client.header["user-agent"]` both find `User-Agent`.
        let mut headers = BTreeMap::new();
        for (name, value) in &self.headers {
            let name = name.to_ascii_lowercase();
            for key in [name.replace('-', "_"), name] {
                headers
                    .entry(key)
                    .or_insert_with(|| V::from(value.as_str()));
            }
        }
        members.insert("header".into(), V::from_pairs(headers));
        V::from_pairs(members)
    }
}

/// All that is in sight at one place of a talk.
pub(crate) struct Context<'a> {
    /// Bindings, innermost first: of the run, of the client or test, of the talk.
    pub(crate) layers: [&'a Bindings; 3],
    /// What `set global.NAME` bound.
    pub(crate) global: &'a Bindings,
    /// The text that was just received.
    pub(crate) message: Option<&'a str>,
    /// The client in whose name this runs.
    pub(crate) client: Option<&'a Client>,
    /// How many clients are connected, in a mock.
    pub(crate) clients: usize,
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

    /// What an expression finds under a name; `fields` tells that it looks inside `message`.
    pub(crate) fn expression_value(&self, name: &str, fields: bool) -> Option<minijinja::Value> {
        use minijinja::Value as V;
        let world = Arc::clone(self.world);
        match name {
            "message" if fields => {
                let json = serde_json::from_str(self.message?).ok()?;
                return Some(Value::Json(json).to_expression());
            }
            "client" => return self.client.map(Client::to_expression),
            "server" => return Some(V::from_pairs([("clients", V::from(self.clients))])),
            "global" => {
                let pairs = self.global.iter();
                return Some(V::from_pairs(
                    pairs.map(|(name, value)| (name.clone(), value.to_expression())),
                ));
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
        self.value(name).map(|value| value.to_expression())
    }
}
