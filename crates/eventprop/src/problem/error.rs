use lif_core::DescriptionError;

/// Something wrong in a problem file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{reason}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct ProblemError {
    /// Where, as a JSON path: `layers[1].tau_mem`; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl ProblemError {
    pub(super) fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }
}

impl From<DescriptionError> for ProblemError {
    fn from(DescriptionError { path, reason }: DescriptionError) -> Self {
        Self { path, reason }
    }
}

impl From<serde_path_to_error::Error<serde_json::Error>> for ProblemError {
    fn from(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = error.path().to_string();
        // serde_path_to_error calls the whole file "." and what it cannot place "?".
        let path = if path == "." || path == "?" { String::new() } else { path };
        let error = error.inner();
        let reason = with_nearest(&error.to_string());
        let no_json = error.is_syntax() || error.is_eof();
        Self { path, reason: if no_json { format!("this is not JSON: {reason}") } else { reason } }
    }
}

/// Adds the nearest known name to serde's message about an unknown one, which lists the known ones in
/// back-quotes.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if !message.starts_with("unknown ") {
        return String::from(message);
    }
    let Some(unknown) = quoted.next() else { return String::from(message) };
    let distance = |known: &str| {
        // The beginning of a name, or a name with more behind it, is as near as can be.
        let begins =
            unknown.len() > 1 && (known.starts_with(unknown) || unknown.starts_with(known));
        if begins { 0 } else { strsim::damerau_levenshtein(unknown, known) }
    };
    let nearest = quoted.map(|known| (distance(known), known)).min_by_key(|near| near.0);
    match nearest {
        // Beyond half the word it is another word.
        Some((distance, known)) if 2 * distance <= known.len().max(unknown.len()) => {
            format!("{message}; did you mean `{known}`?")
        }
        _ => String::from(message),
    }
}
