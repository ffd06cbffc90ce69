//! The bundle: frames of zstd, the first with the labels, a byte each, the others with packed
//! images. Before them stand their number and their lengths, as little-endian `u32`.

use super::packing::{IMAGE, unpack};
use rayon::prelude::*;
use ruzstd::decoding::FrameDecoder;

/// Images in a frame. More compress a little better, fewer share the work more evenly.
const IMAGES_PER_FRAME: usize = 5_000;

/// Pixels and labels of `samples` images; `None` if `bundle` is not a bundle of as many.
pub(super) fn decode(bundle: &[u8], samples: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let frames = frames(bundle)?;
    let (&labels, images) = frames.split_first()?;
    let labels = decompress(labels).filter(|labels| labels.len() == samples)?;
    if images.len() != samples.div_ceil(IMAGES_PER_FRAME) {
        return None;
    }
    let mut pixels = vec![0; samples * IMAGE];
    let jobs = images.par_iter().zip(pixels.par_chunks_mut(IMAGES_PER_FRAME * IMAGE));
    jobs.map(|(frame, pixels)| unpack(&decompress(frame)?, pixels)).collect::<Option<()>>()?;
    Some((pixels, labels))
}

fn frames(bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, rest) = bundle.split_first_chunk()?;
    let (lengths, mut rest) =
        rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(4)?)?;
    let mut frames = Vec::with_capacity(lengths.len() / 4);
    for length in lengths.as_chunks().0 {
        let frame;
        (frame, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        frames.push(frame);
    }
    rest.is_empty().then_some(frames)
}

fn decompress(frame: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = FrameDecoder::new();
    decoder.reset(frame).ok()?;
    let mut bytes = vec![0; usize::try_from(decoder.content_size()).ok()?];
    (decoder.decode_all(frame, &mut bytes).ok()? == bytes.len()).then_some(bytes)
}

#[cfg(feature = "bundle")]
pub use encode::{BundleError, bundle};

#[cfg(feature = "bundle")]
mod encode {
    use super::super::packing::pack;
    use super::*;
    use crate::images::TrainTest;

    /// The strongest compression zstd has.
    const LEVEL: i32 = 22;

    /// Why no bundle could be made.
    #[derive(Debug, thiserror::Error)]
    pub enum BundleError {
        /// These are not MNIST.
        #[error("MNIST has 60,000 + 10,000 images of 28 x 28; these are others")]
        NotMnist,
        /// The compressor failed.
        #[error("cannot compress: {0}")]
        Compress(#[from] std::io::Error),
    }

    /// The bundle that [`crate::mnist::load`] decodes, made from the images and labels of the
    /// official files.
    ///
    /// # Errors
    /// If they are not of MNIST's size, or compression fails.
    pub fn bundle(images: &TrainTest) -> Result<Vec<u8>, BundleError> {
        let TrainTest { train, test } = images;
        let pixels = [train.pixels(), test.pixels()].concat();
        let labels: Vec<u8> =
            train.labels().iter().chain(test.labels()).map(|&label| label as u8).collect();
        if (train.len(), test.len(), pixels.len())
            != (super::super::TRAIN, super::super::TEST, labels.len() * IMAGE)
        {
            return Err(BundleError::NotMnist);
        }
        let mut frames = vec![compress(&labels)?];
        let images: Result<Vec<_>, _> = pixels
            .par_chunks(IMAGES_PER_FRAME * IMAGE)
            .map(|images| compress(&pack(images)))
            .collect();
        frames.extend(images?);
        let mut bundle = (frames.len() as u32).to_le_bytes().to_vec();
        bundle.extend(frames.iter().flat_map(|frame| (frame.len() as u32).to_le_bytes()));
        bundle.extend(frames.concat());
        Ok(bundle)
    }

    fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        zstd::bulk::compress(bytes, LEVEL)
    }
}
