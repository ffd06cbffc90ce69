//! Neurons side by side: the only place that knows `wide`.
//!
//! A block is sixteen lanes: for `f32` one AVX-512 register or two AVX2 ones. Builds for either
//! instruction set agree to the bit: every operation here is correctly rounded lane by lane, products
//! are always fused, and sums across lanes follow one fixed tree.

use bytemuck::{Pod, Zeroable};
use lif_core::Real;
use std::fmt::Debug;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Sub};
use wide::{f32x8, f32x16, f64x8, i32x8, i32x16, u32x8, u32x16, u64x8};

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

impl LaneReal for f32 {
    type Lanes = f32x16;
    type Half = f32x8;
    type Key = u64;

    #[inline(always)]
    fn key(time: Self, slot: u32) -> u64 {
        u64::from(time.to_bits()) << 32 | u64::from(slot)
    }

    #[inline(always)]
    fn slot(key: u64) -> u32 {
        key as u32
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

/// What single precision is, in lanes of the integers `$signed` and `$unsigned`.
macro_rules! single_precision {
    ($signed:ident, $unsigned:ident, $from_integers:ident) => {
        const EXP_TERMS: usize = 8;
        const PHI_TERMS: usize = 9;
        const LN_TERMS: usize = 5;
        const NEWTON_STEPS: usize = 1;
        const LN_2: (f64, f64) = (0.693_359_375, -2.121_944_4e-4);
        const EXP_MIN: f64 = -87.0;
        const EXP_MAX: f64 = 88.0;

        #[inline(always)]
        fn pow2(self) -> Self {
            // 2^23 + 127 + n holds the biased exponent in its low bits.
            let exponent: $unsigned = bytemuck::cast(self + Self::splat(8_388_608.0 + 127.0));
            bytemuck::cast(exponent << 23_u32)
        }

        #[inline(always)]
        fn split(self) -> (Self, Self) {
            let bits: $signed = bytemuck::cast(self);
            let exponent = (bits - $signed::splat(0x3f35_04f3)) >> 23_i32;
            let mantissa = bits - (exponent << 23_i32);
            (Self::$from_integers(exponent), bytemuck::cast(mantissa))
        }
    };
}

impl Lanes for f32x16 {
    of_wide!(f32, LANES);
    single_precision!(i32x16, u32x16, from_i32x16);

    #[inline(always)]
    fn bytes(self) -> [u8; 2] {
        // By halves: an instruction each with AVX2, where all sixteen take many.
        let halves: [f32x8; 2] = bytemuck::cast(self);
        halves.map(|half| half.to_bitmask() as u8)
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let lanes = self.to_array();
        let eight: [f32; 8] = std::array::from_fn(|lane| lanes[lane] + lanes[lane + 8]);
        let four: [f32; 4] = std::array::from_fn(|lane| eight[lane] + eight[lane + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }
}

impl Lanes for f32x8 {
    of_wide!(f32, 8);
    single_precision!(i32x8, u32x8, from_i32x8);

    #[inline(always)]
    fn bytes(self) -> [u8; 2] {
        [self.to_bitmask() as u8, 0]
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let eight = self.to_array();
        let four: [f32; 4] = std::array::from_fn(|lane| eight[lane] + eight[lane + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }
}

/// Sixteen doubles.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct F64x16([f64x8; 2]);

impl F64x16 {
    #[inline(always)]
    fn map(self, f: impl Fn(f64x8) -> f64x8) -> Self {
        Self(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(f64x8, f64x8) -> f64x8) -> Self {
        Self([f(self.0[0], b.0[0]), f(self.0[1], b.0[1])])
    }
}

macro_rules! by_halves {
    ($($trait:ident $method:ident),*) => {
        $(impl $trait for F64x16 {
            type Output = Self;

            #[inline(always)]
            fn $method(self, b: Self) -> Self {
                self.zip(b, $trait::$method)
            }
        })*
    };
}

by_halves!(Add add, Sub sub, Mul mul, Div div, BitAnd bitand, BitOr bitor);

impl Neg for F64x16 {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self.map(Neg::neg)
    }
}

impl LaneReal for f64 {
    type Lanes = F64x16;
    type Half = f64x8;
    type Key = (u64, u32);

    #[inline(always)]
    fn key(time: Self, slot: u32) -> (u64, u32) {
        (time.to_bits(), slot)
    }

    #[inline(always)]
    fn slot(key: (u64, u32)) -> u32 {
        key.1
    }
}

impl Lanes for f64x8 {
    of_wide!(f64, 8);

    const EXP_TERMS: usize = 14;
    const PHI_TERMS: usize = 16;
    const LN_TERMS: usize = 11;
    const NEWTON_STEPS: usize = 3;
    const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
    const EXP_MIN: f64 = -708.0;
    const EXP_MAX: f64 = 709.0;

    #[inline(always)]
    fn bytes(self) -> [u8; 2] {
        [self.to_bitmask() as u8, 0]
    }

    #[inline(always)]
    fn pow2(self) -> Self {
        // 2^52 + 1023 + n holds the biased exponent in its low bits.
        let exponent: u64x8 = bytemuck::cast(self + Self::splat(4_503_599_627_370_496.0 + 1023.0));
        bytemuck::cast(exponent << 52_u64)
    }

    #[inline(always)]
    fn split(self) -> (Self, Self) {
        const HALF_ROOT: i64 = 0x3fe6_a09e_667f_3bcd;
        let bits = self.to_array().map(|x| x.to_bits() as i64);
        let exponent = bits.map(|bits| bits.wrapping_sub(HALF_ROOT) >> 52);
        let mantissa: [f64; 8] = std::array::from_fn(|lane| {
            f64::from_bits(bits[lane].wrapping_sub(exponent[lane] << 52) as u64)
        });
        (Self::new(exponent.map(|k| k as f64)), Self::new(mantissa))
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        let eight = self.to_array();
        let four: [f64; 4] = std::array::from_fn(|lane| eight[lane] + eight[lane + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }
}

impl Lanes for F64x16 {
    type Scalar = f64;
    type Array = [f64; LANES];
    const EXP_TERMS: usize = f64x8::EXP_TERMS;
    const PHI_TERMS: usize = f64x8::PHI_TERMS;
    const LN_TERMS: usize = f64x8::LN_TERMS;
    const NEWTON_STEPS: usize = f64x8::NEWTON_STEPS;
    const LN_2: (f64, f64) = <f64x8 as Lanes>::LN_2;
    const EXP_MIN: f64 = f64x8::EXP_MIN;
    const EXP_MAX: f64 = f64x8::EXP_MAX;

    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self([f64x8::splat(x); 2])
    }

    #[inline(always)]
    fn to_array(self) -> [f64; LANES] {
        bytemuck::cast(self)
    }

    #[inline(always)]
    fn from_array(x: [f64; LANES]) -> Self {
        bytemuck::cast(x)
    }

    #[inline(always)]
    fn first_of(x: &[f64; LANES]) -> Self {
        bytemuck::cast(*x)
    }

    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|half| self.0[half].mul_add(a.0[half], b.0[half])))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(Lanes::sqrt)
    }

    #[inline(always)]
    fn fast_max(self, b: Self) -> Self {
        self.zip(b, Lanes::fast_max)
    }

    #[inline(always)]
    fn fast_min(self, b: Self) -> Self {
        self.zip(b, Lanes::fast_min)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.map(Lanes::abs)
    }

    #[inline(always)]
    fn gt(self, b: Self) -> Self {
        self.zip(b, Lanes::gt)
    }

    #[inline(always)]
    fn select(self, yes: Self, no: Self) -> Self {
        Self(std::array::from_fn(|half| self.0[half].select(yes.0[half], no.0[half])))
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        let [low, high] = self.bytes().map(u32::from);
        high << 8 | low
    }

    #[inline(always)]
    fn bytes(self) -> [u8; 2] {
        self.0.map(|half| half.to_bitmask() as u8)
    }

    #[inline(always)]
    fn round(self) -> Self {
        self.map(Lanes::round)
    }

    #[inline(always)]
    fn pow2(self) -> Self {
        self.map(Lanes::pow2)
    }

    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let [(k0, m0), (k1, m1)] = self.0.map(Lanes::split);
        (Self([k0, k1]), Self([m0, m1]))
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        (self.0[0] + self.0[1]).sum()
    }
}
