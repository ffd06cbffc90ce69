use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

/// An altered checkpoint with the checksum that fits it, so that what lies behind the checksum is
/// reached too; none where it has become unreadable before that. Follows the description of the
/// format, not the code that writes it.
pub(crate) fn signed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let text = header.metadata().as_ref()?.get("eventprop")?;
    let field = "\"sha256\":\"";
    let start = text.find(field)? + field.len();
    let old = text.get(start..start + 64)?;
    let tensors = SafeTensors::deserialize(bytes).ok()?;
    let mut tensors = tensors.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));

    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(text.replacen(old, "", 1).as_bytes());
    for (name, tensor) in &tensors {
        add(name.as_bytes());
        add(tensor.data());
    }
    let new: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();

    let place = bytes.windows(64).position(|window| window == old.as_bytes())?;
    let mut signed = bytes.to_vec();
    signed[place..place + 64].copy_from_slice(new.as_bytes());
    Some(signed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventprop::Checkpoint;

    #[test]
    fn what_is_signed_anew_is_read() {
        let whole = crate::corpus::checkpoints().remove(0);
        assert_eq!(signed(&whole), Some(whole.clone()));
        // The last byte is of a tensor.
        let mut altered = whole;
        *altered.last_mut().unwrap() = 0x3f;
        assert!(Checkpoint::from_bytes(&altered).is_err());
        assert!(Checkpoint::from_bytes(&signed(&altered).unwrap()).is_ok());
    }
}
