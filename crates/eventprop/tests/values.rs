//! Configurations and problems from files of either form, and from values in memory.

use eventprop::Config;
use eventprop::problem::Problem;
use serde_json::Value;
use std::path::Path;

fn json_of(config: &Config) -> Value {
    serde_json::to_value(config).unwrap()
}

#[test]
fn json_says_what_toml_says() {
    let folder = tempfile::tempdir().unwrap();
    let (json, toml) = (folder.path().join("own.json"), folder.path().join("own.toml"));
    for name in Config::presets() {
        let config = Config::preset(name).unwrap();
        std::fs::write(&json, json_of(&config).to_string()).unwrap();
        std::fs::write(&toml, config.to_toml()).unwrap();
        assert_eq!(Config::load(&json).unwrap(), config);
        assert_eq!(Config::load(&toml).unwrap(), config);
        assert_eq!(Config::read(json_of(&config), "values").unwrap(), config);
    }
}

#[test]
fn what_is_wrong_is_placed() {
    let whole = json_of(&Config::preset("mnist").unwrap());
    let error = |edit: fn(&mut Value)| {
        let mut values = whole.clone();
        edit(&mut values);
        Config::read(values, "own.json").unwrap_err().to_string()
    };
    let unknown = error(|values| values["network"]["layers"][1]["tau_men"] = 3.0.into());
    assert!(unknown.starts_with("own.json: network.layers[1]"), "{unknown}");
    assert!(unknown.contains("unknown key \"tau_men\"; did you mean \"tau_mem\"?"), "{unknown}");
    let kind = error(|values| values["training"]["epochs"] = "x".into());
    assert!(kind.starts_with("own.json: training.epochs: invalid type"), "{kind}");
    let range = error(|values| values["training"]["epochs"] = 0.into());
    assert_eq!(range, "own.json: training.epochs: must be at least 1, got 0");
}

#[test]
fn files_are_named() {
    let missing = Config::load(Path::new("no/such.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read configuration no/such.toml: "), "{missing}");
    let missing = Problem::load(Path::new("no/such.json")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read no/such.json: "), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.json");
    for (content, expected) in [
        ("{", "own.json: this is not JSON"),
        (r#"{"duration": 3, "layers": [{"name": 3}]}"#, "own.json: layers[0].name: invalid type"),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = Problem::load(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    std::fs::write(&path, json_of(&Config::preset("mnist").unwrap()).to_string() + "}").unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("own.json: trailing characters"), "{error}");
}
