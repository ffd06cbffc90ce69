/// The places of the bits that are set in `masks`, ascending, in room that is kept. Eight are written for
/// each byte and as many of them kept as it has: no branch depends on the bits.
#[inline(always)]
pub(crate) fn places<'a>(masks: &[[u8; 2]], room: &'a mut Vec<u32>) -> &'a [u32] {
    let bytes = masks.as_flattened();
    let most = bytes.len() * 8;
    if room.len() < most {
        room.resize(most, 0);
    }
    let (room, mut count) = (&mut room[..most], 0);
    for (&byte, first) in bytes.iter().zip((0_u32..).step_by(8)) {
        if let Some(eight) = room[count..].first_chunk_mut() {
            *eight = BITS_OF[byte as usize].map(|bit| first + u32::from(bit));
        }
        count += byte.count_ones() as usize;
    }
    &room[..count]
}

/// The bits that are set in each byte, then zeros.
const BITS_OF: [[u16; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut count) = (0_u16, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::places;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_bit_has_its_place(masks in proptest::collection::vec(any::<[u8; 2]>(), 0..40)) {
            let set = |&place: &u32| {
                let (block, bit) = (place as usize / 16, place % 16);
                u16::from_le_bytes(masks[block]) >> bit & 1 == 1
            };
            let expected: Vec<u32> = (0..masks.len() as u32 * 16).filter(set).collect();
            let mut room = vec![7; 3];
            prop_assert_eq!(places(&masks, &mut room), &expected[..]);
        }
    }
}
