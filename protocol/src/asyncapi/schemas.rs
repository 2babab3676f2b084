//! Schemas from the types, with what a type cannot say: ranges and patterns, by the name of the field.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Names of models and datasets: they become routing keys.
const NAME: &str = "^[a-z][a-z0-9-]{0,62}$";
const SHA256: &str = "^[0-9a-f]{64}$";

/// Makes the schemas that `AsyncAPI` reads without being told: draft 7, as components.
pub(super) fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    settings.into_generator()
}

/// All schemas that were asked for and what they consist of, by name.
pub(super) fn finish(mut generator: SchemaGenerator) -> Value {
    let mut schemas = Value::Object(generator.take_definitions(true));
    let rules = rules();
    let mut used = vec![false; rules.len()];
    complete(&mut schemas, &rules, &mut used);
    let unused: Vec<_> =
        rules.iter().zip(used).filter(|(_, used)| !used).map(|((field, _), _)| field).collect();
    assert!(unused.is_empty(), "no field is called {unused:?}");
    schemas
}

/// What is true of every field of this name.
fn rules() -> Vec<(&'static str, Value)> {
    let at_least = |least: u32| json!({ "minimum": least });
    vec![
        ("model", json!({ "pattern": NAME })),
        ("dataset", json!({ "pattern": NAME })),
        ("spec_hash", json!({ "pattern": SHA256 })),
        ("sha256", json!({ "pattern": SHA256 })),
        ("id", json!({ "minLength": 1, "maxLength": 200 })),
        ("horizon", json!({ "minimum": 1, "maximum": 10_000 })),
        ("frequency", json!({ "pattern": "^P", "examples": ["PT1H", "P1D"] })),
        ("version", at_least(1)),
        ("incumbent_version", at_least(1)),
        ("previous_version", at_least(1)),
        ("average", at_least(0)),
        ("worst_case", at_least(0)),
        ("average_error", at_least(0)),
        ("worst_case_error", at_least(0)),
    ]
}

/// Adds the rules to the fields, and makes plain text of what was written for Rust's documentation.
fn complete(schema: &mut Value, rules: &[(&str, Value)], used: &mut [bool]) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(|one| complete(one, rules, used)),
        Value::Object(map) => {
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = plain(text);
            }
            if let Some(Value::Object(fields)) = map.get_mut("properties") {
                for ((name, rule), used) in rules.iter().zip(used.iter_mut()) {
                    if let Some(Value::Object(field)) = fields.get_mut(*name) {
                        *used = true;
                        add(field, rule);
                    }
                }
            }
            map.values_mut().for_each(|inner| complete(inner, rules, used));
        }
        _ => {}
    }
}

fn add(field: &mut Map<String, Value>, rule: &Value) {
    for (key, value) in rule.as_object().expect("a map") {
        field.insert(key.clone(), value.clone());
    }
}

/// One line, and "[`Name`](super::Name)" as "`Name`".
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        let (name, after) = link.split_once("`]").expect("a link ends");
        plain.extend([before, "`", name, "`"]);
        rest = match after.strip_prefix('(') {
            Some(target) => target.split_once(')').expect("a target ends").1,
            None => after,
        };
    }
    plain.push_str(rest);
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn links_of_the_documentation_become_their_names() {
    assert_eq!(plain("A [`B`](super::B)\nand [`C`]; d."), "A `B` and `C`; d.");
    assert_eq!(plain("a [list] of\n\n`b`"), "a [list] of `b`");
}
