//! Every public item of the library crates has an example in its documentation. That it runs is for the documentation
//! tests to show.

use std::collections::HashSet;

use serde_json::Value;

/// What an item must have examples for. Fields and variants are shown by those of their types.
const KINDS: [&str; 5] = ["struct", "enum", "trait", "function", "macro"];

/// The items without an example, of what rustdoc tells of a crate as JSON.
pub(crate) fn missing(json: &Value) -> Vec<String> {
    let mut walk = Walk {
        index: &json["index"],
        seen: HashSet::new(),
        missing: Vec::new(),
    };
    walk.item(&json["root"], &mut Vec::new());
    walk.missing.sort();
    walk.missing
}

struct Walk<'a> {
    index: &'a Value,
    seen: HashSet<String>,
    missing: Vec<String>,
}

impl<'a> Walk<'a> {
    fn item(&mut self, id: &'a Value, path: &mut Vec<String>) {
        // What is not in the index belongs to another crate.
        let Some(item) = self.get(id) else { return };
        let public = matches!(item["visibility"].as_str(), Some("public" | "default"));
        let Some((kind, inner)) = item["inner"].as_object().and_then(|of| of.iter().next()) else {
            return;
        };
        if !public || !self.seen.insert(id.to_string()) {
            return;
        }
        if kind == "use" {
            return self.import(inner, path);
        }
        path.push(item["name"].as_str().unwrap_or_default().to_owned());
        if kind == "module" {
            self.all(&inner["items"], path);
        } else if KINDS.contains(&&**kind) {
            if !item["docs"].as_str().unwrap_or_default().contains("```") {
                self.missing.push(path.join("::"));
            }
            if kind == "trait" {
                self.all(&inner["items"], path);
            }
            for id in inner["impls"].as_array().into_iter().flatten() {
                let of = &self.get(id).unwrap_or(&Value::Null)["inner"]["impl"];
                if of["trait"].is_null() {
                    self.all(&of["items"], path);
                }
            }
        }
        path.pop();
    }

    fn import(&mut self, import: &'a Value, path: &mut Vec<String>) {
        if import["is_glob"] == true {
            if let Some(module) = self.get(&import["id"]) {
                self.all(&module["inner"]["module"]["items"], path);
            }
        } else {
            self.item(&import["id"], path);
        }
    }

    fn all(&mut self, ids: &'a Value, path: &mut Vec<String>) {
        for id in ids.as_array().into_iter().flatten() {
            self.item(id, path);
        }
    }

    fn get(&self, id: &Value) -> Option<&'a Value> {
        self.index.get(id.to_string())
    }
}

#[cfg(test)]
mod tests;
