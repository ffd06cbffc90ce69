//! Programs that start where glibc is older than here.

use crate::native;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The newest minor version of glibc 2 that is asked for.
const NEWEST: u32 = 34;

/// 2.35 gave `hypotf` a new version, which differs in errno only: calls are led to the old one.
const OLDER: &str = r#"
__asm__(".symver older_hypotf, hypotf@GLIBC_2.2.5");
float older_hypotf(float, float);
float __wrap_hypotf(float x, float y) { return older_hypotf(x, y); }
"#;

/// What rustc is told, for a program that calls what became newer since.
pub(crate) fn link_older() -> Result<Vec<String>> {
    let folder = crate::root()?.join("target/glibc");
    fs::create_dir_all(&folder)?;
    let (source, object) = (folder.join("older.c"), folder.join("older.o"));
    fs::write(&source, OLDER)?;
    let mut compile = Command::new("cc");
    native::succeed(compile.args(["-O2", "-c", "-o"]).args([&object, &source]), "compiling C")?;
    let object = object.display();
    Ok([&format!("link-arg={object}"), "link-arg=-Wl,--wrap=hypotf"]
        .into_iter()
        .flat_map(|argument| [String::from("-C"), argument.to_owned()])
        .collect())
}

/// Checks that a program asks for no newer one.
pub(crate) fn check(program: &Path) -> Result<()> {
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let name = b"GLIBC_2.";
    let versions = bytes.windows(name.len() + 2).filter(|window| window.starts_with(name));
    let minor = |window: &[u8]| str::from_utf8(&window[name.len()..]).ok()?.parse::<u32>().ok();
    let newest = versions.filter_map(minor).max().unwrap_or(0);
    ensure!(newest <= NEWEST, "{} asks for glibc 2.{newest}", program.display());
    Ok(())
}
