//! `eventprop completions` and `eventprop man`.

use crate::Cli;
use crate::out::Stdout;
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Print completions for a shell.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop completions bash > ~/.local/share/bash-completion/completions/eventprop
  eventprop completions fish > ~/.config/fish/completions/eventprop.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Write the manual, one page a command, into a folder.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop man man1                              then: man -l man1/eventprop-train.1")]
pub(crate) struct Man {
    /// The folder; made if it does not exist.
    folder: PathBuf,
}

pub(crate) fn completions(args: &Completions) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "eventprop", &mut text);
    Ok(Stdout.write_all(&text)?)
}

pub(crate) fn man(args: &Man) -> Result<()> {
    let folder = &args.folder;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = Cli::command();
    // Gives every command its full name.
    command.build();
    pages(&command, "eventprop", folder)
}

fn pages(command: &clap::Command, name: &str, folder: &Path) -> Result<()> {
    let path = folder.join(format!("{name}.1"));
    let page = clap_mangen::Man::new(command.clone()).title(name.to_uppercase());
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    for below in below {
        pages(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    Ok(())
}
