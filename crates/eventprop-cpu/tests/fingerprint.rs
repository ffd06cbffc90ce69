//! The same training gives the same weights, to the bit, on every machine and in builds for every
//! instruction set with fused multiply-add.
//!
//! A hash of the weights stands in `fingerprint.txt`, one line a recipe. Run the test in a build for
//! another instruction set to compare the two:
//!
//! ```text
//! RUSTFLAGS="-C target-cpu=native" cargo test -p eventprop-cpu --test fingerprint --target-dir target/native
//! ```
//!
//! Losses call the C library's expf and logf; the hashes were made with glibc's.
//!
//! Who changes the arithmetic on purpose writes the file anew and says so in the commit:
//!
//! ```text
//! WRITE_FINGERPRINT=1 cargo test -p eventprop-cpu --test fingerprint
//! ```

mod training;

use std::path::Path;
use training::{RECIPES, train};

#[test]
#[cfg_attr(
    not(all(target_feature = "fma", target_env = "gnu")),
    ignore = "needs fused multiply-add and glibc"
)]
fn weights_have_the_committed_fingerprint() {
    let hashes: String = RECIPES
        .iter()
        .map(|recipe| format!("{:016x} {}\n", hash(&train(recipe, 2)), recipe.name))
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fingerprint.txt");
    if std::env::var_os("WRITE_FINGERPRINT").is_some() {
        std::fs::write(&path, &hashes).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        hashes, committed,
        "the weights after training changed; if the arithmetic was changed on purpose, \
         run: WRITE_FINGERPRINT=1 cargo test -p eventprop-cpu --test fingerprint"
    );
}

/// FNV-1a of the weights' bits.
fn hash(weights: &[f32]) -> u64 {
    weights
        .iter()
        .flat_map(|weight| weight.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}
