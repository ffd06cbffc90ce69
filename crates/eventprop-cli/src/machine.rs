//! What the program was built for, and what the machine has.

/// The instruction set the program was built for, and a warning if the machine has a wider one.
pub(crate) fn instruction_sets() -> (&'static str, Option<String>) {
    let built = LEVELS.iter().find(|level| level.built).map_or("the baseline", |level| level.name);
    let here = LEVELS.iter().find(|level| (level.here)()).map_or(built, |level| level.name);
    let built_index = LEVELS.iter().position(|level| level.name == built);
    let here_index = LEVELS.iter().position(|level| level.name == here);
    let wider = match (here_index, built_index) {
        (Some(here), Some(built)) => here < built,
        (here, None) => here.is_some(),
        (None, _) => false,
    };
    let warning = wider.then(|| {
        format!("this machine has {here}: `cargo xtask train` builds for it and runs faster")
    });
    (built, warning)
}

/// The widest instruction set of this machine.
pub(crate) fn available() -> &'static str {
    LEVELS.iter().find(|level| (level.here)()).map_or("the baseline", |level| level.name)
}

struct Level {
    name: &'static str,
    built: bool,
    here: fn() -> bool,
}

/// From the widest; each implies those after it.
#[cfg(target_arch = "x86_64")]
const LEVELS: [Level; 2] = [
    Level {
        name: "x86-64-v4 (AVX-512)",
        built: cfg!(all(target_feature = "avx512f", target_feature = "avx512vl")),
        here: || is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl"),
    },
    Level {
        name: "x86-64-v3 (AVX2, FMA)",
        built: cfg!(all(target_feature = "avx2", target_feature = "fma")),
        here: || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
    },
];

#[cfg(not(target_arch = "x86_64"))]
const LEVELS: [Level; 1] = [Level { name: std::env::consts::ARCH, built: true, here: || true }];
