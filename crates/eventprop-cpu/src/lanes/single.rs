use super::{LANES, LaneReal, Lanes};
use wide::{f32x8, f32x16, i32x8, i32x16, u32x8, u32x16};

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
