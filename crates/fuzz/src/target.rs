use crate::corpus;
use crate::sign::signed;
use eventprop::problem::Problem;
use eventprop::{Checkpoint, Config};
use eventprop_nir::ImportOptions;
use mnist_spikes::events::{Spoken, parse_spoken, read_aedat, read_nmnist};
use mnist_spikes::idx;

/// A parser and what makes input for it.
pub struct Target {
    /// What selects it.
    pub name: &'static str,
    parse: fn(&[u8]) -> bool,
    corpus: fn() -> Vec<Vec<u8>>,
    words: &'static [&'static str],
}

/// Every parser of bytes that come from outside.
pub const TARGETS: [Target; 9] = [
    Target {
        name: "idx-images",
        parse: |bytes| idx::read_images(bytes).is_ok(),
        corpus: corpus::idx_images,
        words: &[],
    },
    Target {
        name: "idx-labels",
        parse: |bytes| idx::read_labels(bytes).is_ok(),
        corpus: corpus::idx_labels,
        words: &[],
    },
    Target {
        name: "problem",
        parse: |bytes| Problem::parse(bytes).is_ok(),
        corpus: corpus::problems,
        words: corpus::JSON,
    },
    Target {
        name: "config",
        parse: |bytes| {
            std::str::from_utf8(bytes).is_ok_and(|text| Config::parse(text, "fuzz").is_ok())
        },
        corpus: corpus::configs,
        words: corpus::TOML,
    },
    Target {
        name: "checkpoint",
        parse: |bytes| {
            let right = Checkpoint::from_bytes(bytes).is_ok();
            // Few alterations get past the checksum; signed anew they do.
            let signed = signed(bytes).map(|bytes| Checkpoint::from_bytes(&bytes).is_ok());
            signed.unwrap_or(right)
        },
        corpus: corpus::checkpoints,
        words: corpus::JSON,
    },
    Target {
        name: "nmnist",
        parse: |bytes| read_nmnist(bytes).is_ok(),
        corpus: corpus::nmnist,
        words: &[],
    },
    Target {
        name: "aedat",
        parse: |bytes| read_aedat(bytes).is_ok(),
        corpus: corpus::aedat,
        words: &["#!AER-DAT3.1\r\n", "#!END-HEADER\r\n"],
    },
    Target {
        name: "spoken",
        parse: |bytes| parse_spoken(bytes.to_vec(), Spoken::Digits).is_ok(),
        corpus: corpus::spoken,
        words: &["TREE", "HEAP", "SNOD", "GCOL", "OHDR"],
    },
    Target {
        name: "nir",
        parse: |bytes| {
            let options = ImportOptions { duration: Some(30.0), ..ImportOptions::default() };
            eventprop_nir::from_bytes(bytes.to_vec(), options).is_ok()
        },
        corpus: corpus::nir,
        words: &[
            "TREE", "SNOD", "GCOL", "OHDR", "CubaLIF", "CubaLI", "LIF", "Linear", "Affine", "Delay",
        ],
    },
];

impl Target {
    /// Whether the parser takes `bytes` for right.
    pub fn accepts(&self, bytes: &[u8]) -> bool {
        (self.parse)(bytes)
    }

    /// Files that are right, to be altered.
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        (self.corpus)()
    }

    pub(crate) fn words(&self) -> &'static [&'static str] {
        self.words
    }
}
