//! Where two records differ.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::scored_rows::{KeptRow, UnreadableRows};

/// One place where what was recorded and what was found again differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The place, as `statistics.slices[3].ratio`.
    pub path: String,
    /// What stands there in the record; null where nothing does.
    pub recorded: Value,
    /// What was found again; null likewise.
    pub replayed: Value,
}

/// All places where two documents differ, in the order of their paths. Numbers differ where their digits do.
pub(super) fn in_json(recorded: &Value, replayed: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    compare(String::new(), recorded, replayed, &mut differences);
    differences
}

fn compare(path: String, recorded: &Value, replayed: &Value, differences: &mut Vec<Difference>) {
    match (recorded, replayed) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let at = |fields: &serde_json::Map<String, Value>| fields.get(key).cloned();
                compare(
                    place,
                    &at(one).unwrap_or(Value::Null),
                    &at(other).unwrap_or(Value::Null),
                    differences,
                );
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for at in 0..one.len().max(other.len()) {
                let of = |items: &[Value]| items.get(at).cloned().unwrap_or(Value::Null);
                compare(format!("{path}[{at}]"), &of(one), &of(other), differences);
            }
        }
        (recorded, replayed) => {
            // As text: 0 and -0 are equal numbers and different bits.
            let [one, other] = [recorded, replayed].map(Value::to_string);
            if one != other {
                let (recorded, replayed) = (recorded.clone(), replayed.clone());
                differences.push(Difference { path, recorded, replayed });
            }
        }
    }
}

/// The first row that two files do not share; `None` if they have the same rows, or one cannot be read to the end.
pub(super) fn in_rows(
    mut recorded: impl Iterator<Item = Result<KeptRow, UnreadableRows>>,
    mut replayed: impl Iterator<Item = Result<KeptRow, UnreadableRows>>,
) -> Option<Difference> {
    for at in 0_u64.. {
        let one = recorded.next().transpose().ok()?;
        let other = replayed.next().transpose().ok()?;
        if one.is_none() && other.is_none() {
            break;
        }
        if one != other {
            let [recorded, replayed] = [one, other].map(|row| row.as_ref().map_or(Value::Null, document));
            return Some(Difference { path: format!("scored_rows[{at}]"), recorded, replayed });
        }
    }
    None
}

fn document(row: &KeptRow) -> Value {
    let KeptRow { series, origin, target, actual, candidate, incumbent, scale } = row;
    json!({
        "unique_id": series, "origin": origin, "ds": target, "y": actual, "candidate": candidate,
        "incumbent": incumbent, "scale": scale,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_that_differs_is_named_with_both_values() {
        let recorded = json!({ "a": { "b": [1, 2.5, { "c": "x" }] }, "same": 0.1, "gone": true });
        let replayed =
            json!({ "a": { "b": [1, 2.500_000_000_000_000_4, { "c": "y" }, 4] }, "same": 0.1, "zero": -0.0 });
        let told: Vec<String> = in_json(&recorded, &replayed)
            .iter()
            .map(|Difference { path, recorded, replayed }| format!("{path}: {recorded}, {replayed}"))
            .collect();
        let expected = [
            "a.b[1]: 2.5, 2.5000000000000004",
            "a.b[2].c: \"x\", \"y\"",
            "a.b[3]: null, 4",
            "gone: true, null",
            "zero: null, -0.0",
        ];
        assert_eq!(told, expected);
        assert_eq!(in_json(&recorded, &recorded), []);
        assert_eq!(in_json(&json!(0.0), &json!(-0.0)).len(), 1, "not the same bits");
    }

    #[test]
    fn the_first_row_that_differs_is_named() {
        let row = |y: f64| KeptRow {
            series: "a".parse().expect("an id"),
            origin: jiff::Timestamp::UNIX_EPOCH,
            target: jiff::Timestamp::UNIX_EPOCH,
            actual: y,
            candidate: Some(1.0),
            incumbent: None,
            scale: 1.0,
        };
        let compare = |one: &[f64], other: &[f64]| {
            let rows = |values: &[f64]| {
                values.iter().map(|y| Ok::<_, UnreadableRows>(row(*y))).collect::<Vec<_>>().into_iter()
            };
            in_rows(rows(one), rows(other))
        };
        assert_eq!(compare(&[1.0, 2.0], &[1.0, 2.0]), None);
        let difference = compare(&[1.0, 2.0], &[1.0, 3.0]).expect("differ");
        assert_eq!((difference.path.as_str(), &difference.replayed["y"]), ("scored_rows[1]", &json!(3.0)));
        let longer = compare(&[1.0], &[1.0, 3.0]).expect("differ");
        assert_eq!((longer.path.as_str(), longer.recorded), ("scored_rows[1]", Value::Null));
    }
}
