//! Neurons side by side: the only place that knows `wide`.
//!
//! A block is sixteen lanes: for `f32` one AVX-512 register or two AVX2 ones. Builds for either
//! instruction set agree to the bit: every operation here is correctly rounded lane by lane, products
//! are always fused, and sums across lanes follow one fixed tree.

use bytemuck::Pod;
use lif_core::Real;
use std::fmt::Debug;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Sub};

/// The number of neurons in a block.
pub(crate) const LANES: usize = 16;

/// Scalars that come sixteen to a block.
pub trait LaneReal: Real + Pod {
    /// Sixteen of them.
    type Lanes: Lanes<Scalar = Self, Array = [Self; LANES]>;

    /// Half as many: for what seldom comes in sixteens.
    type Half: Lanes<Scalar = Self>;

    /// A key that orders spikes by time, those at one time by `slot`.
    type Key: Ord + Copy + Send + Sync + Default + Debug;

    /// The key of a spike at `time`, which is not negative: the bits of such a float order as
    /// integers do.
    fn key(time: Self, slot: u32) -> Self::Key;

    /// The slot that a key was made with.
    fn slot(key: Self::Key) -> u32;

    /// The first lanes of a block: all of it or half.
    #[inline(always)]
    fn first_lanes<L: Lanes<Scalar = Self>>(block: &Self::Lanes) -> L {
        L::first_of(bytemuck::cast_ref(block))
    }

    /// Adds to the first lanes of a block.
    #[inline(always)]
    fn add_to_first_lanes<L: Lanes<Scalar = Self>>(block: &mut Self::Lanes, more: L) {
        let sum = (Self::first_lanes::<L>(block) + more).to_array();
        let scalars = Self::Lanes::scalars_mut(std::slice::from_mut(block));
        scalars[..sum.as_ref().len()].copy_from_slice(sum.as_ref());
    }
}

/// Scalars side by side and the operations on them. A comparison gives lanes of all ones or all
/// zeros.
pub trait Lanes:
    Copy
    + Pod
    + Default
    + Debug
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
{
    /// The type of one lane.
    type Scalar: LaneReal;
    /// One scalar a lane.
    type Array: Copy + AsRef<[Self::Scalar]>;

    /// Terms of exp's series that reach full precision on [-ln 2 / 2, ln 2 / 2].
    const EXP_TERMS: usize;
    /// Terms of the series of expm1(z)/z that reach full precision on [-1/2, 1/2].
    const PHI_TERMS: usize;
    /// Terms of ln's series in ((m - 1)/(m + 1))^2 that reach full precision for m in
    /// [sqrt(1/2), sqrt(2)].
    const LN_TERMS: usize;
    /// Newton steps after which a crossing is looked at for convergence.
    const NEWTON_STEPS: usize;
    /// ln 2 in two parts, the first short enough for exact products with exponents.
    const LN_2: (f64, f64);
    /// The least argument of exp that gives a normal number.
    const EXP_MIN: f64;
    /// The greatest argument of exp that is finite.
    const EXP_MAX: f64;

    /// All lanes equal.
    fn splat(x: Self::Scalar) -> Self;
    /// The lanes as an array.
    fn to_array(self) -> Self::Array;
    /// Lanes from an array.
    fn from_array(x: Self::Array) -> Self;
    /// Lanes from the first of sixteen scalars.
    fn first_of(x: &[Self::Scalar; LANES]) -> Self;
    /// self * a + b, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// The greater, lane by lane; `b` where one is NaN.
    fn fast_max(self, b: Self) -> Self;
    /// The lesser, lane by lane; `b` where one is NaN.
    fn fast_min(self, b: Self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Where self > b.
    fn gt(self, b: Self) -> Self;
    /// Of a comparison: `yes` where it holds, `no` elsewhere.
    fn select(self, yes: Self, no: Self) -> Self;
    /// Of a comparison: bit l set where it holds in lane l.
    fn bits(self) -> u32;
    /// The same in two bytes: cheaper where nothing but their storage is wanted.
    fn bytes(self) -> [u8; 2];
    /// The nearest integers.
    fn round(self) -> Self;
    /// 2^self for integers in the range of normal exponents.
    fn pow2(self) -> Self;
    /// (k, m) with self = 2^k m and m in [sqrt(1/2), sqrt(2)), for positive normal numbers.
    fn split(self) -> (Self, Self);
    /// The sum of the lanes, by one fixed tree.
    fn sum(self) -> Self::Scalar;

    /// `x` in one lane, 0 in the others.
    #[inline(always)]
    fn at(lane: usize, x: Self::Scalar) -> Self {
        Self::first_of(&std::array::from_fn(
            |other| {
                if other == lane { x } else { Self::Scalar::of(0.0) }
            },
        ))
    }

    /// All lanes equal to a constant.
    #[inline(always)]
    fn of(x: f64) -> Self {
        Self::splat(Self::Scalar::of(x))
    }

    /// Lanes of zeros.
    #[inline(always)]
    fn zero() -> Self {
        Self::default()
    }

    /// The scalars of a slice of lanes.
    #[inline(always)]
    fn scalars(lanes: &[Self]) -> &[Self::Scalar] {
        bytemuck::cast_slice(lanes)
    }

    /// The scalars of a slice of lanes, to be changed.
    #[inline(always)]
    fn scalars_mut(lanes: &mut [Self]) -> &mut [Self::Scalar] {
        bytemuck::cast_slice_mut(lanes)
    }
}

/// What `wide` has for each of its types, by one name.
macro_rules! of_wide {
    ($scalar:ty, $lanes:expr) => {
        type Scalar = $scalar;
        type Array = [$scalar; $lanes];

        #[inline(always)]
        fn splat(x: $scalar) -> Self {
            Self::splat(x)
        }

        #[inline(always)]
        fn to_array(self) -> [$scalar; $lanes] {
            self.to_array()
        }

        #[inline(always)]
        fn from_array(x: [$scalar; $lanes]) -> Self {
            Self::new(x)
        }

        #[inline(always)]
        fn first_of(x: &[$scalar; LANES]) -> Self {
            Self::new(std::array::from_fn(|lane| x[lane]))
        }

        #[inline(always)]
        fn mul_add(self, a: Self, b: Self) -> Self {
            self.mul_add(a, b)
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            self.sqrt()
        }

        #[inline(always)]
        fn fast_max(self, b: Self) -> Self {
            self.fast_max(b)
        }

        #[inline(always)]
        fn fast_min(self, b: Self) -> Self {
            self.fast_min(b)
        }

        #[inline(always)]
        fn abs(self) -> Self {
            self.abs()
        }

        #[inline(always)]
        fn gt(self, b: Self) -> Self {
            self.simd_gt(b)
        }

        #[inline(always)]
        fn select(self, yes: Self, no: Self) -> Self {
            self.select(yes, no)
        }

        #[inline(always)]
        fn bits(self) -> u32 {
            self.to_bitmask()
        }

        #[inline(always)]
        fn round(self) -> Self {
            self.round_ties_even()
        }
    };
}

// Below the macro, which they use.
mod double;
mod single;
