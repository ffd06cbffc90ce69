//! MNIST images rearranged so that a general compressor does well on them.
//!
//! Four fifths of the pixels are black, and the values of the others depend on whether they lie inside
//! a stroke or at its edge. Packed images are first one bit a pixel (is it not black?), then the
//! values of those pixels grouped by the 3 x 3 bits around them. Grouping saves 8 % of them, and the
//! decompressor has a third of the bytes to produce.

/// Rows and columns of an image.
pub(super) const SIDE: usize = 28;
/// Pixels of an image.
pub(super) const IMAGE: usize = SIDE * SIDE;
/// Bytes of an image's bits.
const BITS: usize = IMAGE / 8;
/// Bytes of two rows' bits.
const ROW_PAIR: usize = 2 * SIDE / 8;
/// The number of patterns of 3 x 3 bits.
const PATTERNS: usize = 512;

/// The images, one after another, packed.
#[cfg(any(test, feature = "bundle"))]
pub(super) fn pack(images: &[u8]) -> Vec<u8> {
    let mut bits = Vec::with_capacity(images.len() / 8);
    for pair in images.chunks(2 * SIDE) {
        let packed = pair.iter().rev().fold(0_u64, |bits, &p| bits << 1 | u64::from(p != 0));
        bits.extend_from_slice(&packed.to_le_bytes()[..ROW_PAIR]);
    }
    let (mut starts, values) = group_starts(&bits);
    let mut packed = bits.clone();
    packed.resize(bits.len() + values, 0);
    for_each_inked(&bits, |pixel, pattern| {
        packed[bits.len() + starts[pattern]] = images[pixel];
        starts[pattern] += 1;
    });
    packed
}

/// Writes the images packed in `packed` over `images`, which are black; `None` if their sizes do
/// not match.
pub(super) fn unpack(packed: &[u8], images: &mut [u8]) -> Option<()> {
    let (bits, values) = packed.split_at_checked(images.len() / IMAGE * BITS)?;
    let (mut starts, inked) = group_starts(bits);
    if inked != values.len() {
        return None;
    }
    for_each_inked(bits, |pixel, pattern| {
        images[pixel] = values[starts[pattern]];
        starts[pattern] += 1;
    });
    Some(())
}

/// Where the values of each pattern start, and their number in all.
fn group_starts(bits: &[u8]) -> ([usize; PATTERNS], usize) {
    let mut counts = [0; PATTERNS];
    for_each_inked(bits, |_, pattern| counts[pattern] += 1);
    // From the edge of a stroke to its inside, so that neighbouring groups resemble each other.
    let mut patterns: [usize; PATTERNS] = std::array::from_fn(|pattern| pattern);
    patterns.sort_by_key(|pattern| pattern.count_ones());
    let mut start = 0;
    for pattern in patterns {
        start += std::mem::replace(&mut counts[pattern], start);
    }
    (counts, start)
}

/// Calls `visit` with the position of each pixel that is not black, in order, and the pattern of
/// 3 x 3 bits around it.
fn for_each_inked(bits: &[u8], mut visit: impl FnMut(usize, usize)) {
    for (image, bits) in bits.chunks_exact(BITS).enumerate() {
        let rows = rows(bits);
        for row in 0..SIDE {
            let mut left = rows[row + 1] >> 1;
            while left != 0 {
                let column = left.trailing_zeros() as usize;
                left &= left - 1;
                let around = |row: u32| (row >> column & 7) as usize;
                let pattern =
                    around(rows[row]) | around(rows[row + 1]) << 3 | around(rows[row + 2]) << 6;
                visit(image * IMAGE + row * SIDE + column, pattern);
            }
        }
    }
}

/// The bits of an image's rows, between a row of zeros above and below; column c is bit c + 1.
fn rows(bits: &[u8]) -> [u32; SIDE + 2] {
    let mut rows = [0; SIDE + 2];
    for (pair, bytes) in bits.chunks_exact(ROW_PAIR).enumerate() {
        let bits = bytes.iter().rev().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
        const ROW: u64 = (1 << SIDE) - 1;
        rows[2 * pair + 1] = ((bits & ROW) << 1) as u32;
        rows[2 * pair + 2] = ((bits >> SIDE) << 1) as u32;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unpacking_undoes_packing(
            seed in prop::collection::vec(any::<u8>(), 1..64), images in 0_usize..4, ink: u8
        ) {
            let mut noise = seed.iter().cycle();
            let images: Vec<u8> = (0..images * IMAGE)
                .map(|i| noise.next().unwrap().wrapping_mul((i / 3) as u8 | 1))
                .map(|p| if p > ink { p } else { 0 })
                .collect();
            let packed = pack(&images);
            let mut unpacked = vec![0; images.len()];
            prop_assert!(unpack(&packed, &mut unpacked).is_some());
            prop_assert_eq!(&unpacked, &images);
            let longer = [&packed[..], &[0]].concat();
            prop_assert!(unpack(&longer, &mut unpacked).is_none());
        }
    }
}
