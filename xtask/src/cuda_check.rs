use crate::{native, pypi};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

/// Compile every CUDA kernel with the real compiler, which needs no GPU: for each architecture print
/// registers and spills, and compare the machine code with what is checked in.
///
/// The compiler comes from PyPI into `target/cuda-tools`. Exit status 1 if a kernel uses more than the
/// bound, or the checked-in machine code is not that of the sources.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the machine code instead of comparing it.
    #[arg(long)]
    write: bool,
}

/// One version of all tools: mixed ones produce code that older drivers refuse.
const PACKAGES: [&str; 4] = [
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
];

/// A100, H100 and H200, B200.
const ARCHITECTURES: [u32; 3] = [80, 90, 100];
/// What the PTX is for: everything newer.
const PTX: u32 = 75;

/// Registers a thread: with 80, blocks of 128 threads fill three of eight thread slots of a multiprocessor. To walk
/// forwards with 64, two of which spill, was no faster on an H200, with 48 much slower.
const MAX_REGISTERS: u32 = 80;

/// What the assembler says of a kernel.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    registers: u32,
    spilled: u32,
    shared: u32,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let kernels = crate::root()?.join("crates/eventprop-cuda/kernels");
    let nvcc = tools()?;
    let mut table: BTreeMap<String, Vec<Usage>> = BTreeMap::new();
    // To make the machine code takes as long as to compile for one architecture after the other.
    let made = thread::scope(|scope| -> Result<_> {
        let made = scope.spawn(|| fatbin(&nvcc, &kernels));
        for architecture in ARCHITECTURES {
            for (kernel, usage) in usage(&nvcc, &kernels, architecture)? {
                table.entry(kernel).or_default().push(usage);
            }
        }
        made.join().expect("what starts a compiler does not panic")
    })?;
    let over = print(&table);
    let checked_in = kernels.join("kernels.fatbin");
    if args.write {
        fs::write(&checked_in, &made).context("cannot write kernels.fatbin")?;
        println!("wrote {} bytes of machine code", made.len());
    } else if fs::read(&checked_in).ok().as_deref() != Some(&made) {
        println!("kernels.fatbin is not what the sources make: run cargo xtask cuda-check --write");
        return Ok(ExitCode::FAILURE);
    } else {
        println!("kernels.fatbin ({} bytes) is what the sources make", made.len());
    }
    for kernel in &over {
        println!("{kernel} spills, or uses more than {MAX_REGISTERS} registers");
    }
    Ok(if over.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The path of nvcc, installed if need be.
fn tools() -> Result<PathBuf> {
    let home = pypi::environment("cuda-tools", &PACKAGES)?;
    let library = home.join("lib");
    let python = fs::read_dir(&library)?.next().context("the virtual environment is empty")??;
    let nvcc = python.path().join("site-packages/nvidia/cu13/bin/nvcc");
    ensure!(nvcc.exists(), "{} does not exist; remove {}", nvcc.display(), home.display());
    Ok(nvcc)
}

/// Each kernel's usage on an architecture.
fn usage(nvcc: &Path, kernels: &Path, architecture: u32) -> Result<Vec<(String, Usage)>> {
    let output = Command::new(nvcc)
        .args(["-std=c++17", "-cubin", "-Xptxas", "-v", "-Werror", "all-warnings"])
        .arg(format!("-arch=sm_{architecture}"))
        .arg("-o")
        .arg(crate::root()?.join("target/kernels.cubin"))
        .arg("all.cu")
        .current_dir(kernels)
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("nvcc -arch=sm_{architecture} failed:\n{text}");
    }
    let mut found: Vec<(String, Usage)> = Vec::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let name = rest.split('\'').next().unwrap_or_default();
            found.push((name.to_owned(), Usage::default()));
        }
        let Some((_, usage)) = found.last_mut() else { continue };
        usage.spilled += before(line, " bytes spill stores") + before(line, " bytes spill loads");
        usage.registers += before(line, " registers");
        usage.shared += before(line, " bytes smem");
    }
    ensure!(!found.is_empty(), "nvcc named no kernel:\n{text}");
    Ok(found)
}

/// The number that stands before `what`; 0 if there is none.
fn before(line: &str, what: &str) -> u32 {
    let number = line.split_once(what).and_then(|(head, _)| head.rsplit([' ', ',']).next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn fatbin(nvcc: &Path, kernels: &Path) -> Result<Vec<u8>> {
    let output = crate::root()?.join("target/kernels.fatbin");
    let mut command = Command::new(nvcc);
    command.args(["-std=c++17", "-fatbin", "--compress-mode=size"]);
    for architecture in ARCHITECTURES {
        let code = format!("arch=compute_{architecture},code=sm_{architecture}");
        command.args(["-gencode", &code]);
    }
    command.args(["-gencode", &format!("arch=compute_{PTX},code=compute_{PTX}")]);
    native::execute(command.arg("-o").arg(&output).arg("all.cu").current_dir(kernels))?;
    Ok(fs::read(output)?)
}

/// Prints the table and returns the kernels over a bound.
fn print(table: &BTreeMap<String, Vec<Usage>>) -> Vec<String> {
    print!("{:<22}", "registers, spilled, shared");
    ARCHITECTURES.iter().for_each(|architecture| print!("{:>18}", format!("sm_{architecture}")));
    println!();
    let mut over = Vec::new();
    for (kernel, usages) in table {
        print!("{kernel:<26}");
        for usage in usages {
            let Usage { registers, spilled, shared } = usage;
            print!("{:>18}", format!("{registers:>3} {spilled:>4} {shared:>6}"));
        }
        println!();
        if usages.iter().any(|usage| usage.registers > MAX_REGISTERS || usage.spilled > 0) {
            over.push(kernel.clone());
        }
    }
    over
}
