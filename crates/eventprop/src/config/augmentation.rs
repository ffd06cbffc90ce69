use lif_core::DescriptionError;
use mnist_spikes::augment::{AugmentationError, EventAugmentation, ImageAugmentation};
use serde::{Deserialize, Serialize};

/// How training samples are changed anew in each epoch, drawn per (seed, epoch, sample). Test and
/// validation samples stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentationConfig {
    /// Images: moved by up to as many pixels along each axis. Events: by up to as many whole channels.
    pub shift: f64,
    /// Images: turned by up to as many degrees.
    pub rotation: f64,
    /// Images: bent by displacements of this standard deviation in pixels.
    pub elastic: f64,
    /// Images: the distance in pixels of the points that are displaced, default 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spacing: Option<f64>,
    /// Images: every other one on average has its left and right exchanged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
    /// Events: the standard deviation of what is added to each time, in ms.
    pub jitter: f64,
    /// Events: the probability with which each is dropped.
    pub drop: f64,
    /// Events: the probability with which a sample is blended with another of its class (Nowotny,
    /// Turner & Knight 2025).
    pub blend: f64,
}

impl AugmentationConfig {
    /// Whether nothing is changed.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What happens to images.
    ///
    /// # Errors
    /// Names what means nothing for images or is out of its range.
    pub fn of_images(&self) -> Result<ImageAugmentation, DescriptionError> {
        self.refuse_given(
            "images",
            [("jitter", self.jitter), ("drop", self.drop), ("blend", self.blend)],
        )?;
        let Self { shift, rotation, elastic, spacing, flip, .. } = *self;
        let spacing = spacing.unwrap_or(ImageAugmentation::NONE.spacing);
        let augmentation = ImageAugmentation { shift, rotation, elastic, spacing, flip };
        augmentation.prepare(1, 1, 0).map_err(|error| invalid(&error))?;
        Ok(augmentation)
    }

    /// What happens to events: the changes of each, and the probability of a blend.
    ///
    /// # Errors
    /// Names what means nothing for events or is out of its range.
    pub fn of_events(&self) -> Result<(EventAugmentation, f64), DescriptionError> {
        let Self { shift, rotation, elastic, spacing, flip, jitter, drop, blend } = *self;
        let spacing = spacing.unwrap_or(0.0);
        let flip = f64::from(u8::from(flip));
        self.refuse_given(
            "events",
            [("rotation", rotation), ("elastic", elastic), ("spacing", spacing), ("flip", flip)],
        )?;
        if !(shift.fract() == 0.0 && (0.0..=1e6).contains(&shift)) {
            let reason = format!("must be a whole number of channels, got {shift}");
            return Err(DescriptionError::new("data.augmentation.shift", reason));
        }
        if !(0.0..=1.0).contains(&blend) {
            let reason = format!("must be a probability, from 0 to 1, got {blend}");
            return Err(DescriptionError::new("data.augmentation.blend", reason));
        }
        let augmentation = EventAugmentation { shift: shift as u32, jitter, drop };
        augmentation.prepare([1, 1, 1], 0).map_err(|error| invalid(&error))?;
        Ok((augmentation, blend))
    }

    fn refuse_given<const N: usize>(
        &self,
        place: &str,
        fields: [(&str, f64); N],
    ) -> Result<(), DescriptionError> {
        match fields.iter().find(|(_, value)| *value != 0.0) {
            Some((field, _)) => {
                let path = format!("data.augmentation.{field}");
                Err(DescriptionError::new(path, format!("means nothing for {place}; remove it")))
            }
            None => Ok(()),
        }
    }
}

fn invalid(error: &AugmentationError) -> DescriptionError {
    DescriptionError::new("data.augmentation", error.to_string())
}
