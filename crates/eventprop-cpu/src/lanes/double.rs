use super::{LANES, LaneReal, Lanes};
use bytemuck::{Pod, Zeroable};
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Sub};
use wide::{f64x8, u64x8};

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
