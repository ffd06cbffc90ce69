//! Configurations are read, checked and written back; what is wrong is said with its place.

use eventprop::Config;
use eventprop::config::Overrides;
use proptest::prelude::*;

fn preset(name: &str) -> Config {
    Config::preset(name).unwrap_or_else(|error| panic!("{error}"))
}

/// The error of a preset in which `from` was replaced by `to`.
fn error_of(preset_name: &str, from: &str, to: &str) -> String {
    let text = preset(preset_name).to_toml();
    assert!(text.contains(from), "{from} is not in:\n{text}");
    let message = Config::parse(&text.replacen(from, to, 1), "my.toml").unwrap_err().to_string();
    assert!(!message.contains('\n'), "more than one line: {message}");
    message
}

#[test]
fn every_preset_is_valid_and_comes_back_from_its_toml() {
    for name in Config::presets() {
        let config = preset(name);
        assert_eq!(config.name, name);
        assert_eq!(Config::parse(&config.to_toml(), "again").unwrap(), config);
    }
}

#[test]
fn the_papers_recipe_is_the_papers() {
    let config = preset("mnist-paper");
    assert_eq!((config.training.batch_size, config.training.epochs), (5, 100));
    assert_eq!((config.data.dropout, config.data.validation), (0.2, 5000));
    let rate = config.training.learning_rate();
    assert_eq!(rate.at(1, 0, 11_000), 0.005);
    assert!((rate.at(99, 0, 11_000) - 0.005 * 0.95_f64.powi(98)).abs() < 1e-12);
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    let message = error_of("mnist", "epochs =", "epoch =");
    assert!(message.starts_with("my.toml:"), "{message}");
    assert!(message.contains("unknown key \"epoch\"; did you mean \"epochs\"?"), "{message}");

    let message = error_of("mnist-paper", "tau_mem =", "tau_men =");
    assert!(message.contains("did you mean \"tau_mem\"?"), "{message}");
    let message = error_of("mnist-paper", "mean =", "meen =");
    assert!(message.contains("did you mean \"mean\"?"), "{message}");
    let message = error_of("mnist-paper", "vmax_cross_entropy", "vmax_crossentropy");
    assert!(message.contains("did you mean \"vmax_cross_entropy\"?"), "{message}");
    let message = error_of("seed", "variant =", "varient =");
    assert!(message.contains("did you mean \"variant\"?"), "{message}");
    let message = error_of("mnist", "\"lif\"", "\"lfi\"");
    assert!(message.contains("did you mean \"lif\"?"), "{message}");
    let message = Config::preset("mnits").unwrap_err().to_string();
    assert!(message.contains("did you mean \"mnist\"?"), "{message}");
}

#[test]
fn the_place_of_an_unknown_key_is_its_line_and_column() {
    let text = preset("mnist").to_toml();
    for (known, unknown) in [("batch_size = ", "batchsize = "), ("beta1 = ", "beta_1 = ")] {
        let text = text.replacen(known, unknown, 1);
        let (index, line) = text
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(unknown))
            .unwrap_or_else(|| panic!("{unknown} is not in:\n{text}"));
        let place = format!("my.toml:{}:{}:", index + 1, line.find(unknown).unwrap() + 1);
        let message = Config::parse(&text, "my.toml").unwrap_err().to_string();
        assert!(message.starts_with(&place), "{message}, not {place}");
    }
}

#[test]
fn values_out_of_range_are_named() {
    for (preset, from, to, expected) in [
        ("mnist-paper", "tau_mem = 20.0", "tau_mem = nan", "network.layers[1].tau_mem: "),
        ("mnist-paper", "tau_syn = 5.0", "tau_syn = -5.0", "network.layers[1].tau_syn: "),
        (
            "mnist-paper",
            "tau_syn = 5.0",
            "tau_syn = 5.0\nthreshold = 0.5\nreset = 0.5",
            "threshold",
        ),
        ("mnist", "to = \"hidden\"", "to = \"hiddne\"", "did you mean \"hidden\"?"),
        ("mnist", "from = \"hidden\"", "from = \"hiden\"", "no layer is called \"hiden\""),
        ("mnist", "epochs = ", "epochs = 0 #", "training.epochs: "),
        ("mnist", "lr = ", "lr = inf #", "training.lr: "),
        ("mnist", "dropout = ", "dropout = 1.0 #", "data.dropout: "),
        ("mnist-paper", "sd = 0.045", "sd = -0.1", "network.connections[0].weights: "),
        ("mnist", "beta1 = ", "beta1 = 1.0 #", "training.optimiser.beta1: "),
        ("mnist", "name = \"mnist\"", "name = \"../mnist\"", "name: "),
        ("mnist", "kind = \"li\"", "kind = \"lif\"", "loss.kind: "),
        ("seed", "dt = 1.0", "dt = 0.0", "grid.dt: "),
        ("seed", "silent = \"none\"", "skip_silent_label = true", "training.skip_silent_label: "),
        ("seed", "tau = 2.0", "tau = 0.0", "loss.tau: "),
        ("seed", "every = 10", "every = 0", "training.schedule.step.every: "),
        (
            "mnist",
            "floor = 0.0",
            "floor = -1.0",
            "training.schedule.cosine.floor: must be at least 0",
        ),
        ("mnist", "delays = 0.0", "delays = 5.0", "training.learning_rates.delays: means nothing"),
        ("mnist", "adaptation = 0.0", "adaptation = 5.0", "rates.adaptation: means nothing"),
        ("mnist", "silent = \"none\"", "skip_silent_label = true", "training.skip_silent_label: "),
        ("yin-yang-delays", "low = 0.0", "low = -1.0", "network.connections[0].delays: "),
        // What is finite, but not in single precision.
        ("seed", "t_max = ", "t_max = 1e39 #", "data.encoding.two_time.t_max: must be at most"),
        ("mnist", "tau_syn = ", "bias = -1e39\ntau_syn = ", "network.layers[1].bias: "),
        ("yin-yang", "bias = ", "bias = 1e39 #", "data.encoding.points.bias: "),
        ("yin-yang", "bias = ", "bias = -1.0 #", "data.encoding.points.bias: must be finite"),
        // What no grid has.
        ("seed", "kind = \"dense\"", "kind = \"dense\"\ndelays.constant = 1.0", "my.toml:"),
        ("seed", "dt = 1.0", "dt = 1e9", "my.toml:"),
    ] {
        let message = error_of(preset, from, to);
        assert!(message.contains(expected), "{from} -> {to}: {message}");
    }
}

#[test]
fn values_of_another_form_are_named_with_one_that_is_right() {
    for (key, value, form) in [
        ("training.schedule", "\"cosine\"", "{ cosine = { floor = 0.0 } }"),
        ("training.optimiser", "\"adam\"", "{ kind = \"adam\" }"),
        ("training.clip", "1.0", "{ norm = 1.0 }"),
        ("data.encoding", "\"latency\"", "{ latency = { t_max = 20.0 } }"),
        ("network.connections.0.weights", "0.5", "{ constant = 0.5 }"),
        ("loss", "\"mse\"", "{ kind = \"vmax_cross_entropy\" }"),
        ("network.layers.1.tau_mem", "\"x\"", "a number, or a list of one a neuron"),
    ] {
        let assignment = format!("{key}={value}");
        let message = preset("mnist").with(&assignment).unwrap_err().to_string();
        assert!(message.contains(form), "{message}");
        // The same where a file says it, in TOML and in JSON.
        let last = key.rsplit('.').next().unwrap();
        let text = format!("{last} = {value}\n");
        let message = match key.split('.').next().unwrap() {
            "network" => continue,
            "loss" => Config::parse(&text, "my.toml"),
            table => Config::parse(&format!("[{table}]\n{text}"), "my.toml"),
        };
        let message = message.unwrap_err().to_string();
        assert!(message.contains(form) && message.starts_with("my.toml:"), "{message}");
        let mut json = serde_json::to_value(preset("mnist")).unwrap();
        let (table, value) = (key.split_once('.'), serde_json::from_str(value).unwrap());
        match table {
            Some((table, key)) => json[table][key] = value,
            None => json[key] = value,
        }
        let message = Config::read(json, "my.json").unwrap_err().to_string();
        assert!(message.contains(form) && message.contains(last), "{message}");
    }
}

#[test]
fn ten_lines_are_a_configuration_and_what_is_silent_is_spelled_out() {
    let text = "network.duration = 60.0
network.layers = [
    { name = \"input\", kind = \"input\", size = 784 },
    { name = \"hidden\", kind = \"lif\", size = 100, tau_mem = 20.0, tau_syn = 5.0 },
    { name = \"output\", kind = \"li\", size = 10, tau_mem = 20.0, tau_syn = 5.0 },
]
network.connections = [
    { from = \"input\", to = \"hidden\", weights = { normal = { mean = 0.08, sd = 0.05 } } },
    { from = \"hidden\", to = \"output\", weights = { normal = { mean = 0.2, sd = 0.4 } } },
]";
    assert_eq!(text.lines().count(), 10);
    let config = Config::parse(text, "ten.toml").unwrap();
    assert_eq!(config.name, Config::UNNAMED);
    let written = config.to_toml();
    for line in ["kind = \"vmax_cross_entropy\"", "epochs = 10", "beta1 = 0.9", "t_max = 20.0"] {
        assert!(written.contains(line), "{line} is not in:\n{written}");
    }
    assert_eq!(Config::parse(&written, "again").unwrap(), config);

    // What is out of range is pointed at where it stands, or where it is missing.
    for (from, to, place, reason) in [
        ("20.0, tau_syn = 5.0 },\n]", "-20.0, tau_syn = 5.0 },\n]", "5:58", "must be positive"),
        (
            ", tau_syn = 5.0 },\n    { name = \"output\"",
            " },\n    { name = \"output\"",
            "4:5",
            "is missing",
        ),
        ("from = \"hidden\"", "from = \"hiden\"", "9:14", "did you mean \"hidden\"?"),
        ("sd = 0.4", "sd = -0.4", "9:49", "sd of at least 0"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = Config::parse(&text.replacen(from, to, 1), "ten.toml").unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with(&format!("ten.toml:{place}: network.")), "{message}");
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn data_settings_that_do_not_go_together_are_named() {
    let recorded = "name = \"shd\"\nencoding = \"recorded\"";
    let points = "name = \"yin_yang\"\nencoding = { points = { t_max = 30.0 } }";
    for (data, expected) in [
        ("name = \"mnits\"", "did you mean \"mnist\"?"),
        ("name = \"fashion-mnist\"", "did you mean \"fashion_mnist\"?"),
        ("name = \"nmnist\"", "data.encoding: events are spikes already"),
        ("name = \"mnist\"\nencoding = \"recorded\"", "data.encoding: "),
        ("name = \"nmnist\"\nencoding = \"recorded\"\nvalidation = 5", "data.validation: "),
        (&format!("{points}\nvalidation = 5"), "data.validation: "),
        (&format!("{points}\nfolder = \"here\""), "data.folder: yin_yang is drawn"),
        (&format!("{points}\naugmentation = {{ shift = 1.0 }}"), "data.augmentation: "),
        (
            &format!("{points}\ndraws = {{ test = {{ size = 0, seed = 1 }} }}"),
            "data.draws.test.size: ",
        ),
        ("draws = { test = { size = 9, seed = 1 } }", "data.draws: are those of yin_yang"),
        ("set = \"emnist-letters\"", "data.set: "),
        ("camera = { threshold = 0.5 }", "data.camera: is that of moving_mnist"),
        (
            "name = \"moving_mnist\"\nencoding = \"recorded\"\ncamera = { threshold = 0.0 }",
            "data.camera: ",
        ),
        ("augmentation = { shift = -1.0 }", "data.augmentation: augmentation: shift is -1"),
        ("augmentation = { rotation = nan }", "rotation is NaN"),
        ("augmentation = { spacing = 0.5 }", "spacing is 0.5"),
        ("augmentation = { jitter = 1.0 }", "data.augmentation.jitter: means nothing for images"),
        ("augmentation = { shif = 1.0 }", "did you mean \"shift\"?"),
        (&format!("{recorded}\naugmentation = {{ elastic = 1.0 }}"), "data.augmentation.elastic: "),
        (&format!("{recorded}\naugmentation = {{ flip = true }}"), "data.augmentation.flip: "),
        (
            &format!("{recorded}\naugmentation = {{ shift = 1.5 }}"),
            "data.augmentation.shift: must be a whole",
        ),
        (&format!("{recorded}\naugmentation = {{ blend = 1.5 }}"), "data.augmentation.blend: "),
        (&format!("{recorded}\naugmentation = {{ drop = 2.0 }}"), "drop is 2"),
    ] {
        let text = preset("mnist").to_toml();
        let start = text.find("[data]").unwrap();
        let end = text.find("[network]").unwrap();
        let text = format!("{}[data]\n{data}\n{}", &text[..start], &text[end..]);
        let message = Config::parse(&text, "my.toml").unwrap_err().to_string();
        assert!(message.contains(expected) && !message.contains('\n'), "{data}: {message}");
    }
}

#[test]
fn times_of_recordings_are_not_for_flags_to_change() {
    let mut config = preset("mnist");
    config.data.encoding = eventprop::config::EncodingConfig::Recorded;
    let flags = Overrides { t_max: Some(9.0), ..Overrides::default() };
    let message = flags.apply(&mut config).unwrap_err().to_string();
    assert!(message.starts_with("--t_max means nothing for \"mnist\": its spikes"), "{message}");
}

#[test]
fn the_seeds_flags_change_what_they_name() {
    let mut config = preset("seed");
    let overrides = Overrides {
        xi: Some(0.5),
        tau_syn: Some(4.0),
        dt: Some(0.5),
        duration: Some(30.0),
        t_max: Some(9.0),
        ..Overrides::default()
    };
    overrides.apply(&mut config).unwrap();
    let text = config.to_toml();
    for line in [
        "tau = 2.0",
        "tau_early = 8.0",
        "dt = 0.5",
        "duration = 30.0",
        "t_max = 9.0",
        "tau_syn = 4.0",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[test]
fn names_with_line_breaks_are_quoted_in_one_line() {
    let text = preset("mnist").to_toml().replacen("from = \"input\"", "from = \"\\nput\"", 1);
    let message = Config::parse(&text, "my.toml").unwrap_err().to_string();
    assert!(message.contains("no layer is called \"\\nput\""), "{message}");
}

#[test]
fn flags_that_mean_nothing_are_refused_with_a_reason() {
    let xi = Overrides { xi: Some(0.5), ..Overrides::default() };
    let message = xi.apply(&mut preset("mnist")).unwrap_err().to_string();
    assert!(message.starts_with("--xi means nothing for \"mnist\": its loss"), "{message}");
    let dt = Overrides { dt: Some(0.5), ..Overrides::default() };
    let message = dt.apply(&mut preset("mnist")).unwrap_err().to_string();
    assert!(message.starts_with("--dt means nothing for \"mnist\": its spike times"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*") {
        let _ = Config::parse(&text, "text");
    }

    #[test]
    fn a_damaged_configuration_is_an_error_or_a_configuration(
        at in any::<prop::sample::Index>(),
        with in "[\\x00-\\x7f]{0,3}",
    ) {
        let mut text = preset("mnist").to_toml();
        let at = at.index(text.len());
        text.replace_range(at..at + 1, &with);
        if let Err(error) = Config::parse(&text, "my.toml") {
            prop_assert!(!error.to_string().contains('\n'), "{}", error);
        }
    }

    #[test]
    fn numbers_survive_being_written(lr in 1e-300..1e38, seed in 0..=i64::MAX as u64) {
        let mut config = preset("mnist");
        (config.training.lr, config.training.seed) = (lr, seed);
        prop_assert_eq!(Config::parse(&config.to_toml(), "again").unwrap(), config);
    }
}
