//! With the environment variable SIMT_EMULATOR set, builds a stand-in for libcuda.so.1 from the kernels
//! and `emulator/`; without it, does nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rustc-check-cfg=cfg(simt_emulator)");
    for watched in ["SIMT_EMULATOR", "SIMT_TSAN", "SIMT_KERNELS"] {
        println!("cargo::rerun-if-env-changed={watched}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("SIMT_EMULATOR").is_none() {
        return;
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let emulator = root.join("emulator");
    // Another folder of kernels may be named: to see that a fault in them is caught.
    let kernels = env::var_os("SIMT_KERNELS").map_or_else(|| root.join("kernels"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", kernels.display());
    println!("cargo::rerun-if-changed={}", emulator.display());

    let registry = out.join("registry.cpp");
    fs::write(&registry, registrations(&kernels)).expect("the output folder can be written");
    let tsan = env::var_os("SIMT_TSAN").is_some();
    let library = out.join("libcuda.so.1");
    let objects = [
        compile(&registry, &out.join("kernels.o"), &emulator, &kernels, tsan, tsan),
        compile(&emulator.join("simt.cpp"), &out.join("simt.o"), &emulator, &kernels, false, tsan),
        compile(&emulator.join("fakecuda.cpp"), &out.join("fakecuda.o"), &emulator, &kernels, false, tsan),
    ];
    let mut link = Command::new(compiler());
    link.args(["-shared", "-Wl,-soname,libcuda.so.1", "-o"]).arg(&library).args(objects).arg("-lpthread");
    if tsan {
        link.arg("-fsanitize=thread");
    }
    run(&mut link);
    println!("cargo::rustc-cfg=simt_emulator");
    println!("cargo::rustc-env=SIMT_LIBRARY={}", library.display());
}

/// A source that takes in every kernel and names it to the emulator.
fn registrations(kernels: &Path) -> String {
    let mut text = String::from("#include \"all.cu\"\n");
    let mut sources: Vec<_> = fs::read_dir(kernels)
        .expect("the kernels are there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "cu"))
        .collect();
    sources.sort();
    for source in sources {
        let source = fs::read_to_string(source).expect("a kernel is text");
        for line in source.lines() {
            let Some(rest) = line.strip_prefix("extern \"C\" __global__ void ") else { continue };
            if let Some((name, _)) = rest.split_once('(') {
                text.push_str(&format!("SIMT_KERNEL({name})\n"));
            }
        }
    }
    text
}

fn compile(
    source: &Path,
    object: &Path,
    emulator: &Path,
    kernels: &Path,
    instrument: bool,
    tsan: bool,
) -> PathBuf {
    let mut command = Command::new(compiler());
    command.args(["-std=c++17", "-O2", "-g", "-fPIC", "-ftls-model=initial-exec", "-Wall", "-Wextra"]);
    command.arg("-I").arg(emulator).arg("-I").arg(kernels);
    command.arg("-include").arg(emulator.join("simt.h"));
    if tsan {
        command.arg("-DSIMT_TSAN");
    }
    if instrument {
        command.arg("-fsanitize=thread");
    }
    run(command.arg("-c").arg(source).arg("-o").arg(object));
    object.to_owned()
}

fn compiler() -> std::ffi::OsString {
    env::var_os("CXX").unwrap_or_else(|| "g++".into())
}

fn run(command: &mut Command) {
    let status = command.status();
    assert!(status.is_ok_and(|status| status.success()), "the emulator cannot be built: {command:?}");
}
