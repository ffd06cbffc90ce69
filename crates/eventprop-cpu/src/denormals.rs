//! Numbers too small to be normal are taken for 0 in the engine's threads: arithmetic on them is slow,
//! and decaying currents and moments of rarely used weights drift among them. It holds for every
//! thread that computes, so results do not depend on which.

/// Sets flush-to-zero and denormals-are-zero for the calling thread.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(crate) fn flush_to_zero() {
    /// Bits 15 (flush-to-zero) and 6 (denormals-are-zero) of the control register MXCSR.
    const FLUSH: u32 = 1 << 15 | 1 << 6;
    let mut control = 0_u32;
    // SAFETY: SSE is part of x86-64. The instructions read and write four bytes at the address of
    // `control`, which lives across both, and only change how this thread rounds denormal numbers;
    // the threads are the engine's own and return no other numbers than its own results.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack));
        control |= FLUSH;
        std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack));
    }
}

/// On other processors nothing is changed.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn flush_to_zero() {}
