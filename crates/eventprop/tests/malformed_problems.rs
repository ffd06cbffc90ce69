//! Malformed problem files: an error that says where, never a panic, never memory that the file does
//! not warrant.

use eventprop::problem::Problem;
use proptest::prelude::*;
use serde_json::{Value, json};

fn valid() -> Value {
    json!({
        "duration": 20.0,
        "layers": [
            {"name": "input", "kind": "input", "size": 4, "shape": [1, 2, 2]},
            {"name": "conv", "kind": "lif", "size": 8, "shape": [2, 2, 2], "tau_mem": 20.0,
             "tau_syn": 5.0, "threshold": 1.0, "bias": 0.1, "refractory": 1.0,
             "adaptation": {"beta": 0.1, "tau": 30.0}},
            {"name": "out", "kind": "li", "size": 2, "tau_mem": 20.0, "tau_syn": 5.0},
        ],
        "connections": [
            {"from": "input", "to": "conv", "kind": "conv2d", "weights": [[[[1.0]]], [[[2.0]]]],
             "delays": [[[[1.0]]], [[[0.0]]]]},
            {"from": "conv", "to": "out", "kind": "dense", "weights": vec![vec![0.1, 0.2]; 8]},
        ],
        "samples": [{"spikes": [[1.5, 3], [0.5, 0]], "label": 1}],
        "loss": {"kind": "vmax_cross_entropy"},
    })
}

fn parse(value: &Value) -> Result<Problem, String> {
    Problem::parse(&serde_json::to_vec(value).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn each_mistake_is_named_with_its_place() {
    parse(&valid()).unwrap();
    let spike_loss = json!({"kind": "spike_time_sum"});
    let ttfs = json!({"kind": "ttfs_cross_entropy", "tau": 0, "alpha": 0, "tau_early": 1});
    let huge = 16_000_000;
    let cases = [
        ("/duration", json!(-1), "duration: must be positive"),
        ("/layers/1/tau_mem", json!(-3), "layers[1].tau_mem: must be positive and finite, got -3"),
        ("/layers/1/tau_mem", json!("x"), "layers[1].tau_mem: "),
        ("/layers/1/bias", json!([0.1]), "layers[1].bias: has 1 values for 8 neurons"),
        ("/layers/1/kind", json!("liff"), "did you mean `lif`?"),
        ("/layers/1/adaptation/beta", json!(-1), "layers[1].adaptation.beta: "),
        ("/layers/1/threshold", json!(-0.5), "layers[1].threshold: "),
        ("/layers/2/name", json!("conv"), "layers[2].name: "),
        ("/layers/2/size", json!(huge), "layers[2].size: makes 16000008 neurons"),
        ("/connections/0/to", json!("cnv"), "connections[0].to: no layer is called \"cnv\""),
        ("/connections/0/weights", json!([1.0]), "connections[0].weights: must be nested"),
        (
            "/connections/0/weights",
            json!([[[[1.0, 1.0, 1.0]]], [[[1.0, 1.0, 1.0]]]]),
            "connections[0].weights: ",
        ),
        ("/connections/0/delays/1/0/0/0", json!(-2), "connections[0].delays[1][0][0][0]: "),
        ("/connections/0/delays", json!([[1.0]]), "connections[0].delays: must be of shape"),
        ("/connections/1/weights/3", json!([0.1]), "connections[1].weights[3]: has 1 entries"),
        ("/connections/1/weights/3", json!(0.1), "connections[1].weights[3]: expected a list"),
        ("/connections/1/weights/3/1", json!(null), "connections[1].weights[3][1]: "),
        ("/samples", json!([]), "samples: at least one"),
        ("/samples/0/label", json!(2), "samples[0].label: there are 2 outputs"),
        ("/samples/0/spikes/1/1", json!(4), "samples[0].spikes[1][1]: there are 4 inputs"),
        ("/samples/0/spikes/1/0", json!(-4), "samples[0].spikes[1][0]: must not be negative"),
        ("/loss", spike_loss, "loss.kind: spike_time_sum looks at spikes"),
        ("/loss", ttfs, "loss.tau: must be positive"),
        ("/loss/kind", json!("vmax"), "did you mean `vmax_cross_entropy`?"),
    ];
    for (pointer, value, expected) in cases {
        let mut problem = valid();
        *problem.pointer_mut(pointer).unwrap() = value;
        let error = parse(&problem).unwrap_err();
        assert!(error.contains(expected), "{pointer}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn unknown_fields_are_refused_with_the_nearest_known_one() {
    for (pointer, field, nearest) in [
        ("", "sampels", "samples"),
        ("/layers/1", "tau_men", "tau_mem"),
        ("/layers/1/adaptation", "bta", "beta"),
        ("/connections/0", "weigths", "weights"),
        ("/samples/0", "lable", "label"),
    ] {
        let mut problem = valid();
        problem.pointer_mut(pointer).unwrap()[field] = json!(1);
        let error = parse(&problem).unwrap_err();
        assert!(error.contains(&format!("did you mean `{nearest}`?")), "{error}");
    }
}

/// Every place in a tree of JSON.
fn pointers(value: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.into());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| pointers(value, &format!("{path}/{key}"), all));
        }
        Value::Array(values) => {
            let inner = values.iter().enumerate();
            inner.for_each(|(key, value)| pointers(value, &format!("{path}/{key}"), all));
        }
        _ => {}
    }
}

fn junk() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just(0_u64), Just(1), Just(1 << 23), Just(u64::MAX)].prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[[[[1.0]]]]]])),
        Just(json!([4_000_000, 1, 1])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Problem::parse(&bytes).is_err());
    }

    #[test]
    fn damaged_files_never_panic(cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = serde_json::to_vec(&valid()).unwrap();
        let place = cut.index(json.len());
        let _ = Problem::parse(&json[..place]);
        json[place] = byte;
        let _ = Problem::parse(&json);
    }

    #[test]
    fn replaced_values_never_take_more_memory_than_warranted(
        places in proptest::collection::vec((any::<prop::sample::Index>(), junk()), 1..3),
    ) {
        let mut problem = valid();
        for (place, junk) in places {
            let mut all = Vec::new();
            pointers(&problem, "", &mut all);
            *problem.pointer_mut(&all[place.index(all.len())]).unwrap() = junk;
        }
        let bytes = serde_json::to_vec(&problem).unwrap();
        if let Ok(parsed) = Problem::parse(&bytes) {
            let mut numbers = 0;
            parsed.parameters.for_each(|_, values| numbers += values.len());
            prop_assert!(numbers <= 2 * bytes.len() + (1 << 16));
        }
    }
}
