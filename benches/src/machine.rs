//! What is known about the machine and the build: a report says it beside its figures.

use std::fs;
use std::thread;
use std::time::Duration;

/// The machine and the build at one time.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor's own name and model numbers.
    pub processor: String,
    /// Threads the machine runs at once.
    pub threads: usize,
    /// The instruction set the program was built for.
    pub built_for: &'static str,
    /// The instruction set the processor has.
    pub has: &'static str,
    /// Sizes of the caches in bytes, L1 to L3.
    pub caches: [usize; 3],
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        Self {
            processor: processor(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            built_for: built_for(),
            has: has(),
            caches: cache_sizes(),
        }
    }
}

/// The share of the machine's time that is in use, looked at for two seconds while the caller does
/// nothing: 0 on a quiet machine. None where the system does not say.
pub fn share_in_use() -> Option<f64> {
    let before = times()?;
    thread::sleep(Duration::from_secs(2));
    let after = times()?;
    let (used, all) = (after.0 - before.0, after.1 - before.1);
    (all > 0.0).then(|| used / all)
}

/// The time used, and all time, of all threads of the machine since its start.
fn times() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.strip_prefix("cpu")?.split_whitespace();
    // user nice system idle iowait irq softirq steal, then parts of user and nice.
    let times: Vec<f64> = fields.take(8).map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let all: f64 = times.iter().sum();
    Some((all - times.get(3)? - times.get(4)?, all))
}

/// User and system time of all threads of this process so far, in s; none where the system does not
/// say.
pub fn cpu_seconds() -> Option<f64> {
    // The kernel counts in hundredths (USER_HZ), fields 14 and 15; the second may hold spaces.
    let line = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = line.rsplit(')').next()?.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

/// Today, as year-month-day (UTC).
pub fn today() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}

/// Data and unified caches of the first core, L1 to L3, in bytes; common sizes where the system does
/// not say.
pub(crate) fn cache_sizes() -> [usize; 3] {
    let mut sizes = [32 << 10, 1 << 20, 16 << 20];
    for index in 0..8 {
        let read = |name: &str| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{name}");
            fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
        };
        let (Some(level), Some(kind), Some(size)) = (read("level"), read("type"), read("size"))
        else {
            continue;
        };
        let kilobytes = size.strip_suffix('K').and_then(|size| size.parse::<usize>().ok());
        let level = level.parse::<usize>().ok().filter(|level| (1..=3).contains(level));
        if let (Some(level), Some(kilobytes), true) = (level, kilobytes, kind != "Instruction") {
            sizes[level - 1] = kilobytes << 10;
        }
    }
    sizes
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.split(':').next().map(str::trim) == Some(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    match (field("model name"), field("cpu family"), field("model")) {
        (Some(name), Some(family), Some(model)) => {
            format!("{name} (family {family}, model {model})")
        }
        (Some(name), ..) => name,
        _ => std::env::consts::ARCH.to_owned(),
    }
}

const AVX512: &str = "AVX-512 (x86-64-v4)";
const AVX2: &str = "AVX2 and FMA (x86-64-v3)";

fn built_for() -> &'static str {
    if cfg!(all(target_feature = "avx512f", target_feature = "avx512vl")) {
        AVX512
    } else if cfg!(all(target_feature = "avx2", target_feature = "fma")) {
        AVX2
    } else {
        std::env::consts::ARCH
    }
}

#[cfg(target_arch = "x86_64")]
fn has() -> &'static str {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
        AVX512
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        AVX2
    } else {
        std::env::consts::ARCH
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn has() -> &'static str {
    built_for()
}
