//! Numbers too small to be normal are taken for 0 where the engine computes: arithmetic on them is slow,
//! and decaying currents and moments of rarely used weights drift among them. It holds for every
//! thread that computes, so results do not depend on which.

/// Calls `work` with flush-to-zero and denormals-are-zero set for the calling thread, which has afterwards
/// what it had before.
pub(crate) fn flushing_to_zero<V>(work: impl FnOnce() -> V) -> V {
    /// Gives back, however `work` ends, what was there.
    struct Restore(u32);
    impl Drop for Restore {
        fn drop(&mut self) {
            set_control(self.0);
        }
    }
    let _restore = Restore(flush_to_zero());
    work()
}

/// Sets flush-to-zero and denormals-are-zero for the calling thread; returns how it was before.
pub(crate) fn flush_to_zero() -> u32 {
    /// Bits 15 (flush-to-zero) and 6 (denormals-are-zero) of the control register MXCSR.
    const FLUSH: u32 = 1 << 15 | 1 << 6;
    let before = control();
    set_control(before | FLUSH);
    before
}

/// The control register MXCSR of the calling thread.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn control() -> u32 {
    let mut control = 0_u32;
    // SAFETY: SSE is part of x86-64. The instruction writes four bytes at the address of `control`.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack)) };
    control
}

/// Sets it.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn set_control(control: u32) {
    // SAFETY: as above, reading four bytes. What is set was read from the register, but for the two bits
    // that say how denormal numbers are rounded; they are set only while an engine computes, and the
    // numbers that it returns are its own results. The compiler takes the instruction to read and
    // write all memory, so that no number which goes through memory is computed on its other side.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack)) };
}

/// On other processors nothing is changed.
#[cfg(not(target_arch = "x86_64"))]
fn control() -> u32 {
    0
}

/// On other processors nothing is changed.
#[cfg(not(target_arch = "x86_64"))]
fn set_control(_: u32) {}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::flushing_to_zero;
    use std::hint::black_box;

    fn half_of_the_least_normal() -> f32 {
        black_box(f32::MIN_POSITIVE) * black_box(0.5)
    }

    #[test]
    fn the_caller_gets_its_denormals_back() {
        assert_eq!(flushing_to_zero(half_of_the_least_normal), 0.0);
        assert!(half_of_the_least_normal() > 0.0);
        let failed = std::panic::catch_unwind(|| flushing_to_zero(|| panic!("on purpose")));
        assert!(failed.is_err());
        assert!(half_of_the_least_normal() > 0.0);
    }
}
