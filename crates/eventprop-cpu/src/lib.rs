//! The CPU engine of eventprop: rayon over work, SIMD over neurons.
