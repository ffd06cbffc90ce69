use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// An executable that cargo built.
pub(crate) struct Executable {
    /// Of the target.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Beside a program of the default members: what it is made of is compiled with the features that `cargo test` gives it, and
/// not a second time. Those are unlike where nothing is built that needs dependencies of tests; an example does.
pub(crate) const AS_FOR_TESTS: [&str; 2] = ["--example", "start_up"];

/// `cargo ARGUMENTS`, such as a build.
pub(crate) fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(crate::root()?);
    Ok(command)
}

/// Runs such a command, `last` after all other arguments, and returns the executables it built.
pub(crate) fn executables(cargo: &mut Command, last: &[String]) -> Result<Vec<Executable>> {
    cargo.arg("--message-format=json").args(last).stderr(Stdio::inherit());
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "{cargo:?} failed");
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(executable).collect())
}

/// One of what was built.
pub(crate) fn named<'a>(programs: &'a [Executable], name: &str) -> Result<&'a Executable> {
    let found = programs.iter().find(|program| program.name == name);
    found.with_context(|| format!("cargo built no {name}"))
}

/// The executable that a line of cargo's messages names.
fn executable(line: &str) -> Option<Executable> {
    let field = |text: &str, name: &str| -> Option<String> {
        let (_, rest) = text.split_once(&format!("\"{name}\":\""))?;
        Some(rest.split('"').next()?.to_owned())
    };
    let (_, target) = line.split_once("\"target\":{")?;
    Some(Executable { name: field(target, "name")?, path: field(line, "executable")?.into() })
}
