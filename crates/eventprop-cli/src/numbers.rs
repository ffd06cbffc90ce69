//! Whole numbers among the arguments, refused in words.

/// A position or a number of things.
pub(crate) fn from_zero(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "must be a whole number from 0 on".into())
}

/// A number of things, of which there is one at least.
pub(crate) fn from_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("must be a whole number from 1 on".into()),
    }
}
