use std::time::{Duration, Instant};

/// How often a checkpoint is written within an epoch: `500` (batches), `30s`, `10m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cadence {
    Batches(usize),
    Time(Duration),
}

impl std::str::FromStr for Cadence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [('s', 1), ('m', 60), ('h', 3600)];
        let unit =
            units.iter().find_map(|&(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
        let (number, factor) = unit.unwrap_or((text, 1));
        let number: u32 = number
            .parse()
            .map_err(|_| "give a number of batches as 500, or a time as 30s, 10m or 1h")?;
        if number == 0 {
            return Err("must be at least 1".into());
        }
        Ok(match unit {
            Some(_) => Self::Time(Duration::from_secs(u64::from(number) * factor)),
            None => Self::Batches(number as usize),
        })
    }
}

/// Counts towards the next checkpoint.
pub(super) struct Countdown {
    cadence: Cadence,
    since: Instant,
    batches: usize,
}

impl Countdown {
    pub(super) fn new(cadence: Cadence) -> Self {
        Self { cadence, since: Instant::now(), batches: 0 }
    }

    /// Counts a batch; whether a checkpoint is due after it.
    pub(super) fn batch(&mut self) -> bool {
        self.batches += 1;
        match self.cadence {
            Cadence::Batches(batches) => self.batches >= batches,
            Cadence::Time(time) => self.since.elapsed() >= time,
        }
    }

    /// A checkpoint was written.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.cadence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_and_times_are_read() {
        let seconds = |seconds| Ok(Cadence::Time(Duration::from_secs(seconds)));
        assert_eq!("500".parse(), Ok(Cadence::Batches(500)));
        assert_eq!("30s".parse::<Cadence>(), seconds(30));
        assert_eq!("10m".parse::<Cadence>(), seconds(600));
        assert_eq!("4294967295h".parse::<Cadence>(), seconds(4_294_967_295 * 3600));
        for bad in ["", "0", "0s", "m", "-3", "1.5m", "5d", "5 m"] {
            assert!(bad.parse::<Cadence>().is_err(), "{bad}");
        }
    }
}
