//! Parameters, their gradient and the optimiser's moments: four buffers of one layout on the device, and the gradient on
//! the host where someone may have changed it.

use crate::device::{Buffer, Device};
use crate::layout::Layout;
use crate::probe::unavailable;
use lif_core::engine::{EngineError, OptimiserState};
use lif_core::{Network, Parameters, update};

/// The four buffers.
pub(crate) struct Stored {
    pub(crate) values: Buffer<f32>,
    pub(crate) gradient: Buffer<f32>,
    pub(crate) first: Buffer<f32>,
    pub(crate) second: Buffer<f32>,
    pub(crate) layout: Layout,
    host_gradient: Option<Vec<f32>>,
}

impl Stored {
    /// Zeros.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if there are more than kernels number, or memory has room for.
    pub(crate) fn zeros(device: &Device, layout: Layout) -> Result<Self, EngineError> {
        if i32::try_from(layout.len()).is_err() {
            return unavailable(format!(
                "{} parameters are more than this engine numbers",
                layout.len()
            ));
        }
        let zeros = || device.zeros(layout.len());
        Ok(Self {
            values: zeros()?,
            gradient: zeros()?,
            first: zeros()?,
            second: zeros()?,
            layout,
            host_gradient: None,
        })
    }

    /// The values in place of those of `parameters`.
    pub(crate) fn parameters(
        &self,
        device: &Device,
        parameters: Parameters<f32>,
    ) -> Result<Parameters<f32>, EngineError> {
        self.read(device, &self.values, parameters)
    }

    /// Replaces the values.
    pub(crate) fn load(
        &mut self,
        device: &Device,
        parameters: &Parameters<f32>,
    ) -> Result<(), EngineError> {
        device.write(&self.layout.pack(parameters), &mut self.values)
    }

    /// The moments after `steps` updates.
    pub(crate) fn optimiser_state(
        &self,
        device: &Device,
        network: &Network,
        steps: u64,
    ) -> Result<OptimiserState<f32>, EngineError> {
        let read = |buffer| self.read(device, buffer, Parameters::zeros(network));
        Ok(OptimiserState { steps, first: read(&self.first)?, second: read(&self.second)? })
    }

    /// Replaces the moments, which must be of the shape of `own`.
    pub(crate) fn load_optimiser_state(
        &mut self,
        device: &Device,
        own: &Parameters<f32>,
        state: &OptimiserState<f32>,
    ) -> Result<(), EngineError> {
        update::check_shape(own, &state.first)?;
        update::check_shape(own, &state.second)?;
        device.write(&self.layout.pack(&state.first), &mut self.first)?;
        device.write(&self.layout.pack(&state.second), &mut self.second)
    }

    /// The gradient.
    pub(crate) fn gradient(
        &self,
        device: &Device,
        network: &Network,
    ) -> Result<Parameters<f32>, EngineError> {
        let zeros = Parameters::zeros(network);
        match &self.host_gradient {
            Some(gradient) => Ok(self.layout.unpack(gradient, zeros)),
            None => self.read(device, &self.gradient, zeros),
        }
    }

    /// The gradient on the host, to be changed there.
    pub(crate) fn gradient_buffer(&mut self, device: &Device) -> Result<&mut [f32], EngineError> {
        let gradient = match self.host_gradient.take() {
            Some(gradient) => gradient,
            None => device.read(&self.gradient, self.layout.len())?,
        };
        Ok(self.host_gradient.insert(gradient))
    }

    /// Brings the gradient back to the device, if someone had it on the host.
    pub(crate) fn return_gradient(&mut self, device: &Device) -> Result<(), EngineError> {
        match self.host_gradient.take() {
            Some(gradient) => device.write(&gradient, &mut self.gradient),
            None => Ok(()),
        }
    }

    /// A new gradient is about to be computed on the device.
    pub(crate) fn forget_gradient(&mut self) {
        self.host_gradient = None;
    }

    /// A gradient of 0.
    pub(crate) fn clear_gradient(&mut self, device: &Device) -> Result<(), EngineError> {
        self.forget_gradient();
        device.clear(&mut self.gradient)
    }

    fn read(
        &self,
        device: &Device,
        buffer: &Buffer<f32>,
        parameters: Parameters<f32>,
    ) -> Result<Parameters<f32>, EngineError> {
        let packed = device.read(buffer, self.layout.len())?;
        Ok(self.layout.unpack(&packed, parameters))
    }
}
