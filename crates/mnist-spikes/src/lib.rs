//! Image data sets (MNIST bundled) and their encoding into spike trains.
