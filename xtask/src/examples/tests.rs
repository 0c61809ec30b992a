use serde_json::{Value, json};

use super::missing;

#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
fn item(name: &str, docs: &str, inner: Value) -> Value {
    json!({ "name": name, "visibility": "public", "docs": docs, "inner": inner })
}

#[test]
fn what_has_no_example_is_found_by_every_way_to_it() {
    let mut index = json!({
        "0": item("wire", "", json!({ "module": { "items": [1, 3, 8] } })),
        "1": item("", "", json!({ "use": { "id": 2, "is_glob": false } })),
        "2": item("Shown", "```\nlet a = 1;\n```", json!({ "struct": { "impls": [4, 6] } })),
        "3": item("", "", json!({ "use": { "id": 9, "is_glob": true } })),
        "4": item("", "", json!({ "impl": { "trait": null, "items": [5] } })),
        "5": item("method", "Does it.", json!({ "function": {} })),
        "6": item("", "", json!({ "impl": { "trait": { "path": "Debug" }, "items": [7] } })),
        "7": item("fmt", "", json!({ "function": {} })),
        "8": item("", "", json!({ "use": { "id": 77, "is_glob": false } })),
        "9": item("inner", "", json!({ "module": { "items": [10, 11] } })),
        "10": item("Bare", "A trait.", json!({ "trait": { "items": [12] } })),
        "11": item("LIMIT", "A number.", json!({ "constant": {} })),
        "12": item("ask", "Asks.", json!({ "function": {} })),
        "13": item("unreached", "", json!({ "function": {} })),
    });
    index["12"]["visibility"] = json!("default");
    let found = missing(&json!({ "root": 0, "index": index }));
    assert_eq!(
        found,
        ["wire::Bare", "wire::Bare::ask", "wire::Shown::method"]
    );
}
