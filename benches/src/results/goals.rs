use anyhow::{Context, Result};
use serde::Deserialize;

/// What the presets have to reach, in the order of the report.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goals {
    /// One entry a preset.
    pub preset: Vec<Goal>,
}

/// What a preset has to reach.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// The preset.
    pub name: String,
    /// The network, in a few words.
    pub network: String,
    /// What others reached.
    #[serde(default = "nothing")]
    pub beat: String,
    /// The mean test accuracy in per cent that it has to reach, if there is one.
    #[serde(default)]
    pub must: Option<f64>,
    /// What else there is to say.
    #[serde(default)]
    pub note: Option<String>,
}

fn nothing() -> String {
    "-".into()
}

impl Goals {
    /// The goals of `benches/results.toml`.
    ///
    /// # Errors
    /// If the file is broken.
    pub fn read() -> Result<Self> {
        toml::from_str(include_str!("../../results.toml")).context("benches/results.toml")
    }

    /// The goals of `names`, or all where none is named.
    ///
    /// # Errors
    /// If a name is none of a preset here.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<&Goal>> {
        if names.is_empty() {
            return Ok(self.preset.iter().collect());
        }
        let find = |name: &String| {
            let found = self.preset.iter().find(|goal| goal.name == *name);
            found.with_context(|| {
                let known: Vec<_> = self.preset.iter().map(|goal| &*goal.name).collect();
                format!("no preset \"{name}\" has results (there are: {})", known.join(", "))
            })
        };
        names.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_is_a_presets() {
        let goals = Goals::read().unwrap();
        for goal in &goals.preset {
            eventprop::Config::preset(&goal.name).unwrap_or_else(|error| panic!("{error}"));
        }
        assert!(goals.chosen(&["mnits".into()]).is_err());
    }
}
