use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Inputs grow no further than this.
const MAX_LENGTH: usize = 1 << 15;

/// Numbers at which arithmetic breaks.
const EDGES: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// Makes inputs out of files that are right.
pub(crate) struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    words: &'a [&'a str],
    input: Vec<u8>,
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(corpus: &'a [Vec<u8>], words: &'a [&'a str]) -> Self {
        Self { corpus, words, input: Vec::new() }
    }

    /// The input of this number: a file with one to eight alterations, now and then mere noise.
    pub(crate) fn input(&mut self, seed: u64, number: u64) -> &[u8] {
        let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
        random.0.set_stream(number);
        self.input.clear();
        if random.below(64) == 0 {
            let length = random.below(300);
            self.input.extend((0..length).map(|_| random.below(256) as u8));
        } else if let Some(file) = self.corpus.get(random.below(self.corpus.len())) {
            self.input.extend_from_slice(file);
        }
        for _ in 0..=random.below(8) {
            self.alter(&mut random);
        }
        self.input.truncate(MAX_LENGTH);
        &self.input
    }

    fn alter(&mut self, random: &mut Random) {
        let input = &mut self.input;
        let length = input.len();
        let place = random.below(length + 1);
        let end = (place + 1 + random.below(16)).min(length);
        match random.below(9) {
            0 if place < length => input[place] ^= 1 << random.below(8),
            1 if place < length => input[place] = random.below(256) as u8,
            2 => input.truncate(place),
            3 => drop(input.drain(place..end)),
            4 => {
                let again = input[place..end].to_vec();
                input.splice(place..place, again);
            }
            5 => {
                let bytes = EDGES[random.below(EDGES.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)].min(length - place);
                let mut bytes = bytes[..width].to_vec();
                if random.below(2) == 0 {
                    bytes.reverse();
                }
                input[place..place + width].copy_from_slice(&bytes);
            }
            6 if !self.words.is_empty() => {
                let word = self.words[random.below(self.words.len())];
                let end = if random.below(2) == 0 { place } else { end };
                input.splice(place..end, word.bytes());
            }
            7 => self.number(place, random),
            8 => {
                if let Some(other) = self.corpus.get(random.below(self.corpus.len())) {
                    let from = random.below(other.len() + 1);
                    let to = (from + random.below(64)).min(other.len());
                    self.input.splice(place..end, other[from..to].iter().copied());
                }
            }
            _ => input.insert(place, random.below(256) as u8),
        }
    }

    /// Replaces the next number in text by another.
    fn number(&mut self, place: usize, random: &mut Random) {
        let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let Some(start) = self.input[place..].iter().position(is_digit) else { return };
        let start = place + start;
        let length = self.input[start..].iter().take_while(|byte| is_digit(byte)).count();
        let edge = EDGES[random.below(EDGES.len())];
        let text = match random.below(4) {
            0 => edge.to_string(),
            1 => format!("-{edge}"),
            2 => format!("{}e{}", random.below(10), random.below(400)),
            _ => format!("0.{}", random.below(1000)),
        };
        self.input.splice(start..start + length, text.bytes());
    }
}

struct Random(ChaCha8Rng);

impl Random {
    /// A number below `bound`, 0 if that is 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound.max(1) as u64) as usize
    }
}
