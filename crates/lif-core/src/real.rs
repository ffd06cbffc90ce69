use std::fmt::{Debug, Display};
use std::iter::Sum;

/// The floating-point types a model can be computed in: `f32` to train, `f64` to check.
pub trait Real:
    num_traits::Float + num_traits::NumAssign + Default + Debug + Display + Sum + Send + Sync + 'static
{
    /// The type's name, as the command line and checkpoints spell it.
    const NAME: &'static str;

    /// The nearest value to `x`.
    fn of(x: f64) -> Self;

    /// The same value in double precision (exact).
    fn as_f64(self) -> f64;
}

impl Real for f32 {
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }
}
