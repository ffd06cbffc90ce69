//! With the environment variable SIMT_EMULATOR set, builds a stand-in for libcuda.so.1 from the kernels
//! and `emulator/`; without it, does nothing.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(simt_emulator)");
    println!("cargo::rerun-if-env-changed=SIMT_EMULATOR");
    println!("cargo::rerun-if-changed=build.rs");
    let Some(kind) = env::var_os("SIMT_EMULATOR") else { return };
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-changed=emulator");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut build = Command::new("sh");
    build.args(["emulator/build.sh", "kernels"]).arg(&out);
    if kind == "tsan" {
        build.arg("tsan");
    }
    let status = build.status();
    assert!(status.is_ok_and(|status| status.success()), "the emulator cannot be built: {build:?}");
    println!("cargo::rustc-cfg=simt_emulator");
    println!("cargo::rustc-env=SIMT_BUILT_LIBRARY={}", out.join("libcuda.so.1").display());
}
