//! Image sets that others publish in MNIST's format. None is part of this crate; one that is not there
//! is asked for by name and address.

use crate::folder::{self, FolderError};
use crate::images::TrainTest;
use std::path::{Path, PathBuf};

/// A published image set of four IDX files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub name: &'static str,
    /// Where it is published.
    pub url: &'static str,
    /// The package that holds it, and where that puts it.
    package: Option<Package>,
    /// Whether its images lie on their side.
    on_side: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Package {
    name: &'static str,
    folder: &'static str,
}

impl Published {
    /// Fashion-MNIST (Xiao, Rasul & Vollgraf 2017): ten kinds of clothing.
    pub const FASHION_MNIST: Self = Self {
        name: "Fashion-MNIST",
        url: "https://github.com/zalandoresearch/fashion-mnist",
        package: Some(Package {
            name: "dataset-fashion-mnist",
            folder: "/usr/share/datasets/fashion-mnist",
        }),
        on_side: false,
    };

    /// KMNIST (Clanuwat et al. 2018): ten characters of cursive Japanese.
    pub const KMNIST: Self = Self {
        name: "KMNIST",
        url: "http://codh.rois.ac.jp/kmnist",
        package: None,
        on_side: false,
    };

    /// EMNIST (Cohen et al. 2017): digits and letters, six sets in one folder.
    pub const EMNIST: Self = Self {
        name: "EMNIST",
        url: "https://www.nist.gov/itl/products-and-services/emnist-dataset",
        package: None,
        on_side: true,
    };

    /// Reads the set from `folder`, or from where its package puts it; `set` names one of several
    /// there (see [`folder::find`]). Images stand upright.
    ///
    /// # Errors
    /// If it is not there, not whole, or its files are not right.
    pub fn load(&self, folder: Option<&Path>, set: Option<&str>) -> Result<TrainTest, FolderError> {
        let folder = match (folder, self.package) {
            (Some(folder), _) => folder,
            (None, Some(package)) => Path::new(package.folder),
            (None, None) => return Err(self.not_there(None)),
        };
        if !folder.is_dir() {
            return Err(self.not_there(Some(folder.to_owned())));
        }
        let images = folder::load(folder, set).map_err(|error| match error {
            FolderError::Missing { folder, .. } => self.not_there(Some(folder)),
            other => other,
        })?;
        Ok(if self.on_side { images.transposed() } else { images })
    }

    fn not_there(&self, folder: Option<PathBuf>) -> FolderError {
        let place = match folder {
            Some(folder) => format!("is not in {}", folder.display()),
            None => String::from("is not part of the program"),
        };
        let package = match self.package {
            Some(Package { name, .. }) => format!("install Debian's package {name}, or "),
            None => String::new(),
        };
        FolderError::NotThere { name: self.name, url: self.url, place, package }
    }
}
