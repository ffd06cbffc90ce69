//! The data sets that the program has something to say about.

use std::path::Path;

/// A data set.
pub(super) struct Set {
    /// What selects it, and its folder in the cache.
    pub(super) name: &'static str,
    /// What it is, in a few words.
    pub(super) what: &'static str,
    pub(super) source: Source,
}

impl Set {
    /// Whether all that is fetched of it lies in `folder`.
    pub(super) fn is_in(&self, folder: &Path) -> bool {
        match self.source {
            Source::Files { files, .. } => {
                files.iter().all(|file| folder.join(file.name).is_file())
            }
            Source::ByHand { .. } => folder.is_dir(),
        }
    }
}

/// Where it comes from.
pub(super) enum Source {
    /// Files whose checksums are known.
    Files { base: &'static str, files: &'static [SetFile] },
    /// Files without a published SHA-256: they are not fetched.
    ByHand { page: &'static str, files: &'static str },
}

pub(super) struct SetFile {
    pub(super) name: &'static str,
    /// In bytes.
    pub(super) size: u64,
    pub(super) sha256: &'static str,
}

const fn file(name: &'static str, size: u64, sha256: &'static str) -> SetFile {
    SetFile { name, size, sha256 }
}

/// Checksums are those that torchvision's prototype data sets pin for the same files.
pub(super) const SETS: [Set; 7] = [
    Set {
        name: "fashion-mnist",
        what: "28 x 28 images of clothes (Xiao et al. 2017, MIT)",
        source: Source::Files {
            base: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            files: &[
                file(
                    "train-images-idx3-ubyte.gz",
                    26_421_880,
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                ),
                file(
                    "train-labels-idx1-ubyte.gz",
                    29_515,
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                ),
                file(
                    "t10k-images-idx3-ubyte.gz",
                    4_422_102,
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                ),
                file(
                    "t10k-labels-idx1-ubyte.gz",
                    5_148,
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
            ],
        },
    },
    Set {
        name: "kmnist",
        what: "28 x 28 images of Kuzushiji characters (Clanuwat et al. 2018, CC BY-SA 4.0)",
        source: Source::Files {
            base: "https://codh.rois.ac.jp/kmnist/dataset/kmnist",
            files: &[
                file(
                    "train-images-idx3-ubyte.gz",
                    18_165_135,
                    "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                ),
                file(
                    "train-labels-idx1-ubyte.gz",
                    29_497,
                    "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                ),
                file(
                    "t10k-images-idx3-ubyte.gz",
                    3_041_136,
                    "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                ),
                file(
                    "t10k-labels-idx1-ubyte.gz",
                    5_120,
                    "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
                ),
            ],
        },
    },
    Set {
        name: "emnist",
        what: "28 x 28 images of letters and digits (Cohen et al. 2017)",
        source: Source::ByHand {
            page: "https://www.nist.gov/itl/products-and-services/emnist-dataset",
            files: "gzip.zip",
        },
    },
    Set {
        name: "n-mnist",
        what: "MNIST before a moving event camera (Orchard et al. 2015)",
        source: Source::ByHand {
            page: "https://www.garrickorchard.com/datasets/n-mnist",
            files: "Train.zip and Test.zip",
        },
    },
    Set {
        name: "shd",
        what: "spoken digits as spikes of an inner ear (Cramer et al. 2022)",
        source: Source::ByHand {
            page: "https://zenkelab.org/datasets",
            files: "shd_train.h5.gz and shd_test.h5.gz",
        },
    },
    Set {
        name: "ssc",
        what: "spoken commands as spikes of an inner ear (Cramer et al. 2022)",
        source: Source::ByHand {
            page: "https://zenkelab.org/datasets",
            files: "ssc_train.h5.gz, ssc_valid.h5.gz and ssc_test.h5.gz",
        },
    },
    Set {
        name: "dvs-gesture",
        what: "gestures before an event camera (Amir et al. 2017)",
        source: Source::ByHand {
            page: "https://ibm.ent.box.com/s/3hiq58ww1pbbjrinh367ykfdf60xsfm8",
            files: "DvsGesture.tar.gz",
        },
    },
];
