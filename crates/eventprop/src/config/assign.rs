use super::place::steps;
use super::{Config, ConfigError};
use toml::{Table, Value};

impl Config {
    /// The same with one value replaced: `assignment` is KEY=VALUE, the key as in
    /// `network.layers.1.size` (or `layers[1]`), the value as in TOML; what is no TOML is text. A key
    /// that was left out is added. Call [`check`](Self::check) afterwards: ranges are not looked at.
    ///
    /// ```
    /// let config = eventprop::Config::preset("mnist")?;
    /// let config = config.with("training.slope_floor=0.1")?.with("data.name=kmnist")?;
    /// assert_eq!(config.training.slope_floor, 0.1);
    /// let error = config.with("training.slop_floor=0.1").unwrap_err();
    /// assert!(error.to_string().contains("did you mean \"slope_floor\"?"));
    /// # Ok::<(), eventprop::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// Names what is no assignment, a key that is not known, with the nearest that is, or a value of
    /// another type.
    pub fn with(&self, assignment: &str) -> Result<Self, ConfigError> {
        let refuse = |reason: &str| ConfigError::assignment(assignment, reason);
        let (key, value) = assignment
            .split_once('=')
            .ok_or_else(|| refuse("give KEY=VALUE, such as training.lr=0.001"))?;
        let mut whole: Table =
            toml::from_str(&self.to_toml()).map_err(|error| refuse(error.message()))?;
        put(&mut whole, key.trim(), read(value.trim())).map_err(|reason| refuse(&reason))?;
        // From text, as files are read: from the values, the whole reader would be compiled once more.
        toml::from_str(&whole.to_string()).map_err(|error| refuse(error.message()))
    }
}

fn read(text: &str) -> Value {
    let line = toml::from_str::<Table>(&format!("value = {text}"));
    let value =
        line.ok().filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| text.into())
}

/// Puts `value` where `key` leads, through tables that are made where they are missing.
fn put(whole: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let steps: Vec<_> = steps(key).collect();
    let Some((last, before)) = steps.split_last() else { return Err("it has no key".into()) };
    let mut place = Place::Table(whole);
    for step in before {
        place = match place.step(step, || Table::new().into())? {
            Value::Table(table) => Place::Table(table),
            Value::Array(array) => Place::Array(array),
            _ => return Err(format!("\"{step}\" is one value, without parts")),
        };
    }
    *place.step(last, || false.into())? = value;
    Ok(())
}

enum Place<'a> {
    Table(&'a mut Table),
    Array(&'a mut Vec<Value>),
}

impl<'a> Place<'a> {
    fn step(self, step: &str, new: impl FnOnce() -> Value) -> Result<&'a mut Value, String> {
        match self {
            Self::Table(table) => Ok(table.entry(step).or_insert_with(new)),
            Self::Array(array) => {
                let count = array.len();
                let entry = step.parse::<usize>().ok().and_then(|index| array.get_mut(index));
                entry.ok_or_else(|| {
                    format!("\"{step}\" is none of {count} entries, numbered from 0")
                })
            }
        }
    }
}
