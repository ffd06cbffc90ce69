//! Graphs in HDF5 files, in the layout of the Python package `nir` 1.0.

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
