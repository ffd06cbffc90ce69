//! Small files that are right.

use eventprop::lif_core::Parameters;
use eventprop::lif_core::engine::OptimiserState;
use eventprop::problem::Problem;
use eventprop::{Checkpoint, Config, Progress};
use eventprop_nir::{Spikes, to_bytes};

/// Words of problem files and of checkpoints' descriptions.
pub(crate) const JSON: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "-1",
    "0",
    "1e308",
    "1e-308",
    "-0.0",
    "1e999",
    "18446744073709551615",
    "4294967296",
    "\"\"",
    "\"size\"",
    "\"shape\"",
    "\"conv2d\"",
    "\"sum_pool2d\"",
    "\"stride\":[0,0]",
    "\"padding\":[9999999,9999999]",
    "\"delays\"",
    "\"refractory\"",
    "\"adaptation\"",
    "\"duration\"",
    "[[[[",
    "]]]]",
    "\\u0000",
    "\"spikes\"",
    "\"label\"",
    "\"bias\"",
    "NaN",
    ",",
    ":",
];

/// Words of configurations.
pub(crate) const TOML: &[&str] = &[
    "nan",
    "inf",
    "-inf",
    "1e308",
    "0",
    "-1",
    "9223372036854775807",
    "[[network.layers]]\n",
    "[grid]\n",
    "kind = \"conv2d\"\n",
    "kernel = [3, 3]\n",
    "shape = [1, 28, 28]\n",
    "shape = [4294967296, 4294967296, 2]\n",
    "size = 9223372036854775807\n",
    "stride = [0, 0]\n",
    "\"\"\"",
    "'''",
    "=",
    "\n",
    "{ normal = {",
    "delays = { uniform = { low = 0.0, high = 5.0 } }\n",
    "[",
    "]",
    "name = \"hidden\"\n",
    "#",
    "schedule = ",
    "rate_targets = [{ layer = \"hidden\", target = 1.0, strength = 0.1 }]\n",
];

pub(crate) fn idx_images() -> Vec<Vec<u8>> {
    let mut bytes = vec![0, 0, 8, 3];
    for size in [3_u32, 2, 4] {
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend(0..24);
    vec![bytes, GZIP.to_vec()]
}

pub(crate) fn idx_labels() -> Vec<Vec<u8>> {
    let mut bytes = vec![0, 0, 8, 1, 0, 0, 0, 9];
    bytes.extend(0..9);
    vec![bytes, GZIP.to_vec()]
}

pub(crate) fn problems() -> Vec<Vec<u8>> {
    [DENSE, CONVOLUTION].map(|text| text.as_bytes().to_vec()).into()
}

pub(crate) fn configs() -> Vec<Vec<u8>> {
    let presets = Config::presets().filter_map(|name| Config::preset(name).ok());
    presets.map(|config| config.to_toml().into_bytes()).collect()
}

pub(crate) fn checkpoints() -> Vec<Vec<u8>> {
    let config = Config::parse(SMALL, "small").expect("a configuration that is right");
    let network = config.network.build().expect("checked with its configuration");
    let zeros = Parameters::zeros(&network);
    let checkpoint = Checkpoint {
        parameters: Parameters::initial(&network),
        optimiser: OptimiserState { steps: 3, first: zeros.clone(), second: zeros },
        progress: Progress { epoch: 1, batch: 2, ..Progress::default() },
        config,
        network,
    };
    vec![checkpoint.to_bytes()]
}

pub(crate) fn nmnist() -> Vec<Vec<u8>> {
    vec![[[3, 4, 0x80, 1, 0], [33, 33, 0, 2, 0], [0, 240, 0, 0, 0], [5, 6, 0, 0, 9]].concat()]
}

pub(crate) fn aedat() -> Vec<Vec<u8>> {
    let mut bytes = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n".to_vec();
    for (kind, events) in [(1_u16, 3_u32), (2, 1), (1, 1)] {
        bytes.extend([kind.to_le_bytes(), 1_u16.to_le_bytes()].concat());
        for field in [8, 4, 0, events, events, events] {
            bytes.extend(field.to_le_bytes());
        }
        for event in 0..events {
            bytes.extend((event << 17 | event << 2 | 3).to_le_bytes());
            bytes.extend((1000 * event).to_le_bytes());
        }
    }
    vec![bytes]
}

pub(crate) fn spoken() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../mnist-spikes/tests/data/shd_like.h5").to_vec()]
}

/// The networks of the problems, without what NIR has no equal for.
pub(crate) fn nir() -> Vec<Vec<u8>> {
    let more = ",\n\"refractory\":1.0,\"adaptation\":{\"beta\":0.3,\"tau\":60.0}";
    let files = [DENSE.replace(more, ""), CONVOLUTION.into()].map(|text| {
        let problem = Problem::parse(text.as_bytes()).expect("a problem that is right");
        let written = to_bytes(&problem.network, &problem.parameters, Spikes::Delta);
        written.expect("a network that NIR has an equal for")
    });
    files.into()
}

/// Three labels in gzip.
const GZIP: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x63, 0x60, 0xe0, 0x60, 0x64, 0x60,
    0x60, 0x60, 0x66, 0x64, 0x62, 0x00, 0x00, 0x31, 0xb4, 0xb4, 0x3d, 0x0b, 0x00, 0x00, 0x00,
];

const DENSE: &str = r#"{"duration":40.0,"layers":[{"name":"in","kind":"input","size":2},
{"name":"h","kind":"lif","size":2,"tau_mem":20.0,"tau_syn":[5.0,6.0],"threshold":1.0,"reset":0.0,"bias":[0.1,0.0],
"refractory":1.0,"adaptation":{"beta":0.3,"tau":60.0}},{"name":"out","kind":"li","size":2,"tau_mem":20.0,"tau_syn":5.0}],
"connections":[{"from":"in","to":"h","kind":"dense","weights":[[3.1,2.7],[2.9,3.3]],"delays":[[1.5,0.0],[0.0,2.0]]},
{"from":"h","to":"h","kind":"dense","weights":[[0.1,0.2],[0.3,-0.1]]},
{"from":"h","to":"out","kind":"dense","weights":[[0.4,-0.3],[0.2,0.7]]}],
"samples":[{"spikes":[[0.5,0],[2.0,1]],"label":1}],"loss":{"kind":"vmax_cross_entropy"}}"#;

const CONVOLUTION: &str = r#"{"duration":40.0,"layers":[{"name":"in","kind":"input","size":9,"shape":[1,3,3]},
{"name":"h","kind":"lif","size":8,"shape":[2,2,2],"tau_mem":20.0,"tau_syn":5.0},
{"name":"p","kind":"lif","size":2,"shape":[2,1,1],"tau_mem":20.0,"tau_syn":5.0}],
"connections":[{"from":"in","to":"h","kind":"conv2d","stride":[2,2],"padding":[1,1],
"weights":[[[[0.9,1],[1,1]]],[[[1,2],[3,4]]]]},
{"from":"h","to":"p","kind":"sum_pool2d","kernel":[2,2],"stride":[2,2],"weight":0.5}],
"samples":[{"spikes":[[0.4,3],[2.25,0]],"label":1}],"loss":{"kind":"spike_time_sum"}}"#;

const SMALL: &str = r#"
network.duration = 20.0
network.layers = [
    { name = "in", kind = "input", size = 2 },
    { name = "h", kind = "lif", size = 2, tau_mem = 20.0, tau_syn = 5.0 },
    { name = "out", kind = "li", size = 2, tau_mem = 20.0, tau_syn = 5.0 },
]
network.connections = [
    { from = "in", to = "h", kind = "dense", weights = { constant = 1.0 } },
    { from = "h", to = "out", kind = "dense", weights = "zeros" },
]
loss.kind = "vmax_cross_entropy"
training = { epochs = 4, batch_size = 10, lr = 0.02, optimiser = { kind = "sgd" } }
"#;
