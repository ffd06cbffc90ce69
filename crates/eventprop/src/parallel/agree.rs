use super::Collective;
use std::io;

/// Bytes that are sent at a time: below what MPI can count.
const PIECE: usize = 1 << 28;

/// Whether all ranks succeeded: if not, what the lowest that failed says, the same on every rank.
///
/// # Errors
/// If another rank cannot be reached.
pub fn agree<T, E: ToString>(
    collective: &mut dyn Collective,
    outcome: Result<T, E>,
) -> io::Result<Result<T, String>> {
    let text = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let ranks = collective.ranks();
    let own = [u64::from(outcome.is_err()), text.len() as u64];
    let mut all = vec![[0_u64; 2]; ranks];
    let counts = vec![size_of_val(&own); ranks];
    collective.all_gather(
        bytemuck::cast_slice(&own),
        &counts,
        bytemuck::cast_slice_mut(&mut all),
    )?;
    match all.iter().position(|[failed, _]| *failed != 0) {
        Some(rank) => Ok(Err(gather_text(collective, rank, &text, all[rank][1] as usize)?)),
        None => Ok(outcome.map_err(|_| text)),
    }
}

/// The bytes of the first rank, on every rank.
///
/// # Errors
/// If another rank cannot be reached.
pub fn broadcast(collective: &mut dyn Collective, own: &[u8]) -> io::Result<Vec<u8>> {
    let own = if collective.rank() == 0 { own } else { &[] };
    let mut length = [own.len() as u64];
    collective.sum(&mut length)?;
    let mut all = vec![0; length[0] as usize];
    let mut counts = vec![0; collective.ranks()];
    for (piece, place) in all.chunks_mut(PIECE).enumerate() {
        counts[0] = place.len();
        let own = if own.is_empty() { own } else { &own[piece * PIECE..][..place.len()] };
        collective.all_gather(own, &counts, place)?;
    }
    Ok(all)
}

/// The text of rank `from`, `length` bytes long, on every rank.
///
/// # Errors
/// If another rank cannot be reached.
pub(crate) fn gather_text(
    collective: &mut dyn Collective,
    from: usize,
    own: &str,
    length: usize,
) -> io::Result<String> {
    let mut counts = vec![0; collective.ranks()];
    counts[from] = length;
    let own = if collective.rank() == from { own.as_bytes() } else { &[] };
    let mut text = vec![0; length];
    collective.all_gather(own, &counts, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
