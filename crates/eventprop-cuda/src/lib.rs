//! The CUDA engine of eventprop.
