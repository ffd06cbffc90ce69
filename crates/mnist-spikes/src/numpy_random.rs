/// The numbers of numpy's `RandomState(seed)`: the Mersenne Twister MT19937 (Matsumoto & Nishimura
/// 1998), seeded and read as numpy does, so that published data sets can be drawn again.
pub(crate) struct RandomState {
    state: [u32; N],
    next: usize,
}

const N: usize = 624;
const M: usize = 397;

impl RandomState {
    pub(crate) fn new(seed: u32) -> Self {
        let mut state = [0; N];
        state[0] = seed;
        for i in 1..N {
            let previous = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = previous.wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, next: N }
    }

    /// `rand()`: uniform in [0, 1), 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        let (high, low) = (self.bits() >> 5, self.bits() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `randint(bound)`: uniform in 0..bound, by rejection under the smallest sufficient mask.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let largest = bound - 1;
        let mask = u32::MAX.checked_shr(largest.leading_zeros()).unwrap_or(0);
        loop {
            let value = self.bits() & mask;
            if value <= largest {
                return value;
            }
        }
    }

    fn bits(&mut self) -> u32 {
        if self.next == N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C_5680;
        y ^= (y << 15) & 0xEFC6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7FFF_FFFF);
            let odd = if y & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_mt19937() {
        // The 10,000th number from the reference seed 5489, as the C++ standard gives it.
        let mut random = RandomState::new(5489);
        let last = (0..10_000).map(|_| random.bits()).last();
        assert_eq!(last, Some(4_123_659_995));
    }
}
