//! One hash for one meaning, however a specification is written.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256, in hex, of the JSON of `spec` with the keys of every object in ascending order.
pub(super) fn canonical_hash(spec: &impl Serialize) -> String {
    let json = serde_json::to_value(spec).expect("a specification has text keys and finite numbers");
    let mut text = String::new();
    write_sorted(&json, &mut text);
    hex::encode(Sha256::digest(text))
}

/// Sorts by hand: whether `serde_json` keeps its maps sorted depends on features of other crates.
fn write_sorted(json: &Value, text: &mut String) {
    match json {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_sorted(item, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_change_the_hash() {
        let one: Value = serde_json::from_str(r#"{"a": 1, "b": {"c": [1, 2], "d": "x"}}"#).expect("is JSON");
        let other: Value =
            serde_json::from_str(r#"{"b": {"d": "x", "c": [1, 2]}, "a": 1}"#).expect("is JSON");
        let third: Value =
            serde_json::from_str(r#"{"b": {"d": "x", "c": [2, 1]}, "a": 1}"#).expect("is JSON");
        assert_eq!(canonical_hash(&one), canonical_hash(&other));
        assert_ne!(canonical_hash(&one), canonical_hash(&third));
    }
}
