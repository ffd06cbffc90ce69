//! `eventprop data`.

mod download;
mod sets;

use crate::out::Stdout;
use anyhow::{Context, Result, bail};
use download::Download;
use eventprop::config::DatasetName;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sets::{SETS, Set, Source};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Fetch data sets, the only command that uses the network.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop data list                             what can be fetched, and what is there
  eventprop data fetch kmnist
  eventprop data fetch fashion-mnist --into fashion

The cache folder is $EVENTPROP_DATA, or eventprop in the user's own cache folder.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Fetch(FetchArgs),
    /// Say which data sets there are, which of them were fetched, and where from the others come.
    List,
}

/// Fetch a data set over HTTPS into the cache folder, and check each file against its SHA-256.
///
/// What was broken off is gone on with; a file that is there and right is left alone.
#[derive(clap::Args)]
struct FetchArgs {
    /// Its name, as `eventprop data list` prints it.
    name: String,
    /// The folder to put it in, in place of one in the cache folder.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Where the same files lie too: the address before their names. Checked in the same way.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Print nothing but the last line.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.command {
        Command::Fetch(args) => fetch(args),
        Command::List => list(),
    }
}

/// Where a data set of the configuration was fetched to, if it was.
pub(crate) fn fetched(name: DatasetName) -> Option<PathBuf> {
    let name = fetched_as(name)?;
    found().into_iter().find_map(|(found, folder)| (found == name).then_some(folder))
}

/// What a data set of the configuration is called here, if it can be fetched.
pub(crate) fn fetched_as(name: DatasetName) -> Option<&'static str> {
    match name {
        DatasetName::FashionMnist => Some("fashion-mnist"),
        DatasetName::Kmnist => Some("kmnist"),
        _ => None,
    }
}

/// The data sets that are whole in the cache folder: names and folders.
pub(crate) fn found() -> Vec<(&'static str, PathBuf)> {
    let Ok(cache) = cache() else { return Vec::new() };
    let whole = SETS.iter().filter(|set| set.is_in(&cache.join(set.name)));
    whole.map(|set| (set.name, cache.join(set.name))).collect()
}

fn fetch(args: &FetchArgs) -> Result<()> {
    let Set { name, source, .. } = find(&args.name)?;
    let (base, files) = match source {
        Source::Files { base, files } => (args.from.as_deref().unwrap_or(base), files),
        Source::ByHand { page, files } => bail!(
            "{name} has no published SHA-256 to check it against: fetch {files} from {page} and name \
             their folder with --data-folder"
        ),
    };
    let folder = match &args.into {
        Some(folder) => folder.clone(),
        None => cache()?.join(name),
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for file in *files {
        let bar = bar(file.name, file.size, args.quiet);
        let download = Download {
            url: &format!("{}/{}", base.trim_end_matches('/'), file.name),
            path: &folder.join(file.name),
            size: file.size,
            sha256: file.sha256,
            // Whoever names another place may have it without encryption: the checksum decides.
            https_only: args.from.is_none(),
        };
        let outcome = download.run(|done| bar.set_position(done));
        bar.finish_and_clear();
        if outcome.is_err() {
            // Where nothing came, nothing stays; what is not empty is not removed.
            let _ = fs::remove_dir(&folder);
        }
        outcome?;
    }
    let folder = folder.display();
    Ok(writeln!(Stdout, "{name} is in {folder}: eventprop train --data-folder {folder}")?)
}

fn list() -> Result<()> {
    let cache = cache()?;
    let mut out = Stdout;
    for set @ Set { name, what, source } in &SETS {
        let folder = cache.join(name);
        let place = match source {
            _ if set.is_in(&folder) => format!("in {}", folder.display()),
            Source::Files { base, files } => {
                let size: u64 = files.iter().map(|file| file.size).sum();
                format!("{:.0} MB from {base}", size as f64 / 1e6)
            }
            Source::ByHand { page, .. } => format!("by hand from {page}"),
        };
        writeln!(out, "{name:<15} {what}; {place}")?;
    }
    Ok(())
}

fn find(name: &str) -> Result<&'static Set> {
    let known = || SETS.iter().map(|set| set.name).collect::<Vec<_>>().join(", ");
    let found = SETS.iter().find(|set| set.name == name.replace('_', "-"));
    found.with_context(|| format!("there is no data set \"{name}\"; there are: {}", known()))
}

/// `$EVENTPROP_DATA`, or `eventprop` in the user's cache folder.
fn cache() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = variable("EVENTPROP_DATA") {
        return Ok(folder.into());
    }
    let user = if cfg!(windows) { variable("LOCALAPPDATA") } else { variable("XDG_CACHE_HOME") };
    let home = || variable("HOME").map(|home| Path::new(&home).join(".cache"));
    let folder = user.map(PathBuf::from).or_else(home);
    Ok(folder.context("there is no home folder; set EVENTPROP_DATA")?.join("eventprop"))
}

fn bar(name: &'static str, size: u64, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(size), target).with_prefix(name);
    let style = "{prefix} {bar:24.cyan/blue} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
    bar.with_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()))
}
