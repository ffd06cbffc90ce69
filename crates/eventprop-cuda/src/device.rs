//! One device: memory, copies, kernels, graphs. With `library` the crate's only `unsafe` code.
//!
//! What the driver cannot check is kept here. A kernel is started with arguments that must be of the
//! types its source names, and with addresses of buffers that are long enough: both are decided in
//! [`crate::batch`], from one description of the sizes, and for what measures the device in
//! [`crate::ceilings`]; every launch of every kernel is run
//! by the tests on the emulator, where a buffer ends at a page that faults. Addresses stay valid while
//! a launch or graph may use them because buffers are dropped only by an engine that holds its device,
//! graphs first, and freeing is put into the same stream, behind the work that uses them.

#![allow(unsafe_code)]

use crate::abi::Address;
use crate::code;
use crate::probe::{failed, open, unavailable};
use bytemuck::{AnyBitPattern, NoUninit, Pod};
use cudarc::driver::sys::{CUdevice_attribute, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaModule, CudaSlice, CudaStream, DevicePtr, result,
};
use lif_core::engine::EngineError;
use std::collections::HashMap;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

/// A device with the engine's kernels, and the stream that all its work goes through.
pub(crate) struct Device {
    stream: Arc<CudaStream>,
    functions: HashMap<&'static str, CudaFunction>,
}

/// Memory on a device: `len` values of type T.
pub(crate) struct Buffer<T> {
    bytes: CudaSlice<u8>,
    len: usize,
    kind: PhantomData<T>,
}

/// Work that was recorded and can be started again as it was.
pub(crate) struct Graph(CudaGraph);

// SAFETY: a graph may be used by any thread, one at a time; it is only reached through `&mut` of the
// engine that owns it, and every call binds the device's context to the calling thread first.
unsafe impl Send for Graph {}

/// How many threads run a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) grid: (u32, u32),
    pub(crate) block: (u32, u32),
}

impl Device {
    /// Opens device number `ordinal` and loads the kernels.
    pub(crate) fn open(ordinal: usize) -> Result<Self, EngineError> {
        let Opened { context, module, .. } = opened(ordinal)?;
        // SAFETY: one stream only, so nothing has to be ordered by events; capturing needs them off.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(|error| failed("making a stream", error))?;
        Ok(Self { stream, functions: functions(&module)? })
    }

    /// Free memory in bytes.
    pub(crate) fn free_memory(&self) -> Result<usize, EngineError> {
        let info = self.stream.context().mem_get_info();
        info.map(|(free, _)| free).map_err(|error| failed("asking for free memory", error))
    }

    /// Its multiprocessors.
    pub(crate) fn multiprocessors(&self) -> Result<u32, EngineError> {
        let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        let count = self.stream.context().attribute(attribute);
        count.map(i32::unsigned_abs).map_err(|error| failed("asking for multiprocessors", error))
    }

    /// `len` zeros.
    pub(crate) fn zeros<T: Pod>(&self, len: usize) -> Result<Buffer<T>, EngineError> {
        // No length 0: the address must be one.
        let bytes = (len * size_of::<T>()).max(16);
        let bytes = self
            .stream
            .alloc_zeros::<u8>(bytes)
            .map_err(|error| failed(&format!("allocating {bytes} bytes on the device"), error))?;
        Ok(Buffer { bytes, len, kind: PhantomData })
    }

    /// `len` values that are whatever the memory holds: to be written before they are read.
    pub(crate) fn unset<T: Pod>(&self, len: usize) -> Result<Buffer<T>, EngineError> {
        let bytes = (len * size_of::<T>()).max(16);
        // SAFETY: every pattern of bits is a value of a `Pod`.
        let bytes = unsafe { self.stream.alloc::<u8>(bytes) }
            .map_err(|error| failed(&format!("allocating {bytes} bytes on the device"), error))?;
        Ok(Buffer { bytes, len, kind: PhantomData })
    }

    /// A copy of `values`.
    pub(crate) fn copy<T: Pod>(&self, values: &[T]) -> Result<Buffer<T>, EngineError> {
        let mut buffer = self.unset(values.len())?;
        self.write(values, &mut buffer)?;
        Ok(buffer)
    }

    /// Writes `values` to the start of `buffer`.
    ///
    /// # Panics
    /// If it is shorter.
    pub(crate) fn write<T: NoUninit>(
        &self,
        values: &[T],
        buffer: &mut Buffer<T>,
    ) -> Result<(), EngineError> {
        assert!(values.len() <= buffer.len);
        if values.is_empty() {
            return Ok(());
        }
        self.stream
            .memcpy_htod(bytemuck::cast_slice::<T, u8>(values), &mut buffer.bytes)
            .map_err(|error| failed("copying to the device", error))
    }

    /// The first `len` values of `buffer`, after all work that was started.
    pub(crate) fn read<T: NoUninit + AnyBitPattern>(
        &self,
        buffer: &Buffer<T>,
        len: usize,
    ) -> Result<Vec<T>, EngineError> {
        assert!(len <= buffer.len);
        let mut values = vec![T::zeroed(); len];
        if len > 0 {
            let bytes = bytemuck::cast_slice_mut::<T, u8>(&mut values);
            let view = buffer.bytes.slice(..bytes.len());
            self.stream
                .memcpy_dtoh(&view, bytes)
                .map_err(|error| failed("copying from the device", error))?;
        }
        self.wait()?;
        Ok(values)
    }

    /// Fills `buffer` with zeros.
    pub(crate) fn clear<T>(&self, buffer: &mut Buffer<T>) -> Result<(), EngineError> {
        let cleared = self.stream.memset_zeros(&mut buffer.bytes);
        cleared.map_err(|error| failed("clearing device memory", error))
    }

    /// Waits for all work that was started.
    pub(crate) fn wait(&self) -> Result<(), EngineError> {
        self.stream.synchronize().map_err(|error| failed("computing on the device", error))
    }

    /// Starts a kernel; `arguments` are the bytes of each, in the order of its source.
    pub(crate) fn launch(
        &self,
        kernel: &'static str,
        shape: Shape,
        arguments: &[&[u8]],
    ) -> Result<(), EngineError> {
        let Some(function) = self.functions.get(kernel) else {
            return unavailable(format!("there is no kernel \"{kernel}\""));
        };
        let mut pointers: Vec<*mut c_void> =
            arguments.iter().map(|bytes| bytes.as_ptr().cast_mut().cast()).collect();
        let ((gx, gy), (bx, by)) = (shape.grid, shape.block);
        // SAFETY: see the module's head. The driver copies the arguments before it returns.
        let launched = unsafe {
            result::launch_kernel(
                function.cu_function(),
                (gx, gy, 1),
                (bx, by, 1),
                0,
                self.stream.cu_stream(),
                &mut pointers,
            )
        };
        launched.map_err(|error| failed(&format!("starting kernel {kernel}"), error))
    }

    /// Records what `work` starts instead of running it.
    pub(crate) fn record(
        &self,
        work: impl FnOnce(&Self) -> Result<(), EngineError>,
    ) -> Result<Graph, EngineError> {
        self.stream
            .begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
            .map_err(|error| failed("recording a graph", error))?;
        let done = work(self);
        // Ends the recording in any case.
        let graph = self.stream.end_capture(CUgraphInstantiate_flags(0));
        done?;
        match graph.map_err(|error| failed("recording a graph", error))? {
            Some(graph) => Ok(Graph(graph)),
            None => unavailable("recording a graph gave none"),
        }
    }

    /// Starts recorded work.
    pub(crate) fn start(&self, graph: &Graph) -> Result<(), EngineError> {
        graph.0.launch().map_err(|error| failed("starting a graph", error))
    }
}

impl<T> Buffer<T> {
    /// Its length in values.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The address of value `index`.
    pub(crate) fn at(&self, index: usize) -> Address {
        assert!(index <= self.len);
        let (start, _) = self.bytes.device_ptr(self.bytes.stream());
        start + (index * size_of::<T>()) as u64
    }

    /// The address of its start.
    pub(crate) fn address(&self) -> Address {
        self.at(0)
    }
}

/// A device's context and kernels.
#[derive(Clone)]
struct Opened {
    ordinal: usize,
    context: Arc<CudaContext>,
    module: Arc<CudaModule>,
}

/// Opens a device, once: it is kept until the program ends, for to open it anew takes longer than many an engine
/// lives.
fn opened(ordinal: usize) -> Result<Opened, EngineError> {
    static KEPT: Mutex<Vec<Opened>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.iter().find(|known| known.ordinal == ordinal) {
        return Ok(known.clone());
    }
    let context = open(ordinal)?;
    let module = code::load(&context)?;
    kept.push(Opened { ordinal, context, module });
    Ok(kept[kept.len() - 1].clone())
}

fn functions(module: &Arc<CudaModule>) -> Result<HashMap<&'static str, CudaFunction>, EngineError> {
    code::KERNELS
        .iter()
        .map(|&name| match module.load_function(name) {
            Ok(function) => Ok((name, function)),
            Err(error) => Err(failed(&format!("finding kernel {name}"), error)),
        })
        .collect()
}
