//! Trained networks as files: see [`Checkpoint`].

mod error;
mod file;
mod tensors;
mod write;

pub use error::CheckpointError;
pub use file::write_atomically;
pub(crate) use file::{TEMPORARY, write_atomically_with};

use crate::config::Config;
use crate::progress::Progress;
use lif_core::engine::OptimiserState;
use lif_core::{Network, Parameters};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use tensors::Tensor;
use write::Json;

/// The entry of the safetensors metadata that holds the description. One entry only: the order of
/// several is not fixed, and the same checkpoint should be the same bytes.
const KEY: &str = "eventprop";

/// A training at one moment, complete: a run goes on from it as if it had never stopped.
///
/// The file is in the safetensors format, which Python reads too: tensors
/// `parameters.connections.0.weights` (dense `[source, target]`, convolution `[out, in, ky, kx]`),
/// `parameters.layers.hidden.tau_mem` ..., and the optimiser's as `first.` and `second.`, all f32. Its
/// metadata hold one entry `eventprop`, JSON: format version, SHA-256, configuration, network, progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The configuration of the run.
    pub config: Config,
    /// The network.
    pub network: Network,
    /// The parameters.
    pub parameters: Parameters<f32>,
    /// The optimiser's state.
    pub optimiser: OptimiserState<f32>,
    /// How far the run has come.
    pub progress: Progress,
}

/// The JSON in the metadata. The network is held beside the configuration so that a network that was
/// built from code can be read back too.
///
/// Files of format 1 must stay readable: what is added here, or to a type used here, has a default.
#[derive(Serialize, Deserialize)]
struct Description<'a> {
    version: u32,
    /// Of everything else; see [`checksum`]. Empty while that is being computed.
    sha256: String,
    config: String,
    network: Cow<'a, Network>,
    optimiser_steps: u64,
    progress: Cow<'a, Progress>,
}

/// What is known of a description of any version.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Checkpoint {
    /// The version of the format that is written. Every version from 1 is read.
    pub const FORMAT: u32 = 1;

    /// Writes the file in one piece: whoever opens `path` sees the old file or the new one, and
    /// never a part, also after a power cut.
    ///
    /// # Errors
    /// If the folder cannot be written or is full, or if there are values that are not finite, which nobody would read; a
    /// file that stood there is unharmed.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let (description, tensors) = self.contents();
        if let Some(tensor) = tensors.iter().find(|tensor| !tensor.is_finite()) {
            return Err(CheckpointError::NotFinite {
                path: path.into(),
                tensor: tensor.name.clone(),
            });
        }
        write_atomically_with(path, |file| write::write(file, (KEY, &Json(&description)), &tensors))
            .map_err(|source| CheckpointError::Write { path: path.into(), source })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is no checkpoint, is of another version, truncated or altered.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path)
            .map_err(|source| CheckpointError::Read { path: path.into(), source })?;
        Self::from_bytes(&bytes).map_err(|error| error.at(path))
    }

    /// Refuses a checkpoint of another network than `network`.
    ///
    /// # Errors
    /// Says what differs.
    pub fn check_network(&self, network: &Network) -> Result<(), CheckpointError> {
        if self.network == *network {
            return Ok(());
        }
        let sizes = |network: &Network| {
            let sizes: Vec<_> =
                network.layers().iter().map(|layer| layer.size.to_string()).collect();
            sizes.join("-")
        };
        let (held, wanted) = (sizes(&self.network), sizes(network));
        let detail = if held == wanted {
            format!("the same sizes {held}, other constants or connections")
        } else {
            format!("{held} in place of {wanted}")
        };
        Err(CheckpointError::OtherNetwork(detail))
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (description, tensors) = self.contents();
        let mut bytes = Vec::new();
        write::write(&mut bytes, (KEY, &Json(&description)), &tensors)
            .expect("memory takes what is written");
        bytes
    }

    /// What the file holds.
    fn contents(&self) -> (Description<'_>, Vec<Tensor<'_>>) {
        let tensors = tensors::of_checkpoint(self);
        let mut description = Description {
            version: Self::FORMAT,
            sha256: String::new(),
            config: self.config.to_toml(),
            network: Cow::Borrowed(&self.network),
            optimiser_steps: self.optimiser.steps,
            progress: Cow::Borrowed(&self.progress),
        };
        let named = tensors.iter().map(|tensor| (&*tensor.name, tensor.bytes()));
        description.sha256 = checksum(&Json(&description), named);
        (description, tensors)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let broken = |reason: String| CheckpointError::Broken(reason);
        let (_, metadata) = SafeTensors::read_metadata(bytes)
            .map_err(|error| broken(format!("it is truncated or no safetensors file ({error})")))?;
        let Some(text) = metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)) else {
            return Err(broken("it is a safetensors file of something else".into()));
        };
        let Version { version } = serde_json::from_str(text)
            .map_err(|error| broken(format!("its description is damaged ({error})")))?;
        if version == 0 || version > Self::FORMAT {
            return Err(CheckpointError::Version { found: version, known: Self::FORMAT });
        }
        let description: Description<'_> = serde_json::from_str(text)
            .map_err(|error| broken(format!("its description is damaged ({error})")))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| broken(error.to_string()))?;
        let mut named: Vec<_> = tensors.iter().collect();
        named.sort_by_key(|(name, _)| *name);
        let named = named.iter().map(|(name, view)| (*name, view.data()));
        // The text as it stands: a program that knows more fields would write another.
        let signed = text.replacen(&description.sha256, "", 1);
        if checksum(&signed, named) != description.sha256 {
            return Err(broken("it was altered: the checksum does not match".into()));
        }
        let Description { config, network, optimiser_steps, progress, .. } = description;
        let (network, progress) = (network.into_owned(), progress.into_owned());
        let config = Config::parse(&config, "its configuration")
            .map_err(|error| broken(error.to_string()))?;
        let read = |group| tensors::read(&tensors, &network, group).map_err(broken);
        Ok(Self {
            parameters: read(tensors::PARAMETERS)?,
            optimiser: OptimiserState {
                steps: optimiser_steps,
                first: read(tensors::FIRST)?,
                second: read(tensors::SECOND)?,
            },
            config,
            network,
            progress,
        })
    }
}

/// SHA-256 over the description's JSON (with its own `sha256` empty) and the tensors by name, each
/// with its length before it.
fn checksum<'a>(
    description: &impl fmt::Display,
    tensors: impl Iterator<Item = (&'a str, impl AsRef<[u8]>)>,
) -> String {
    let mut hash = Sha256::new();
    hash.update(write::length(description).to_le_bytes());
    write::into(&mut |bytes| hash.update(bytes), description);
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for (name, bytes) in tensors {
        add(name.as_bytes());
        add(bytes.as_ref());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
