//! Where two configurations differ.

use eventprop::Config;
use serde_json::Value;

/// The first key whose values differ, with both.
pub(super) fn difference(one: &Config, other: &Config) -> Option<(String, [String; 2])> {
    let values = |config| serde_json::to_value(config).unwrap_or_default();
    in_values("", &values(one), &values(other))
}

fn in_values(path: &str, one: &Value, other: &Value) -> Option<(String, [String; 2])> {
    match (one, other) {
        (Value::Object(fields), Value::Object(others)) => {
            let mut keys = fields.keys().chain(others.keys());
            keys.find_map(|key| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                in_values(&path, &one[key], &other[key])
            })
        }
        (Value::Array(entries), Value::Array(others)) if entries.len() == others.len() => {
            let mut pairs = entries.iter().zip(others).enumerate();
            pairs.find_map(|(index, (one, other))| {
                in_values(&format!("{path}[{index}]"), one, other)
            })
        }
        _ if one == other => None,
        _ => Some((path.into(), [one, other].map(said))),
    }
}

fn said(value: &Value) -> String {
    if value.is_null() { "nothing".into() } else { value.to_string() }
}
