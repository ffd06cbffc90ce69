//! What single precision, in which networks are trained, cannot hold.

use super::Config;
use lif_core::DescriptionError;
use serde_json::Value;

/// Refuses the first number that is finite as it is written and infinite once it is used.
pub(super) fn check(config: &Config) -> Result<(), DescriptionError> {
    let values = serde_json::to_value(config)
        .map_err(|error| DescriptionError::new("", error.to_string()))?;
    check_value(&mut String::new(), &values)
}

fn check_value(path: &mut String, value: &Value) -> Result<(), DescriptionError> {
    let length = path.len();
    let mut within = |step: String, value| {
        path.push_str(&step);
        let outcome = check_value(path, value);
        path.truncate(length);
        outcome
    };
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            let dot = if length == 0 { "" } else { "." };
            within(format!("{dot}{key}"), value)
        }),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| within(format!("[{index}]"), value)),
        Value::Number(number) => match number.as_f64() {
            Some(number) if (number as f32).is_infinite() => {
                let reason =
                    format!("must be at most {:e} (single precision), got {number:e}", f32::MAX);
                Err(DescriptionError::new(&**path, reason))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
