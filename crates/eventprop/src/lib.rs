//! Spiking neural networks trained with exact EventProp gradients.
