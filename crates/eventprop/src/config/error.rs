use super::form;
use super::place::Place;
use lif_core::DescriptionError;
use std::fmt::Display;
use std::ops::Range;

/// Why a configuration is not one. Prints as one line: where, what, what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read, or is none that could be a configuration.
    #[error("{0}")]
    Unreadable(String),
    /// Not TOML, an unknown key, a value of the wrong type.
    #[error("{origin}:{line}:{column}: {reason}")]
    Syntax {
        /// The file.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The same where there are no lines.
    #[error("{origin}: {reason}")]
    Value {
        /// The file, or what stands for it.
        origin: String,
        /// Which key or value, and what is wrong with it.
        reason: String,
    },
    /// A value out of its range.
    #[error("{origin}: {source}")]
    Invalid {
        /// The file, with line and column of the value as far as it stands there.
        origin: String,
        /// Which value, and why.
        source: DescriptionError,
    },
    /// No assignment to a value of a configuration.
    #[error("{assignment}: {reason}")]
    Assignment {
        /// What was to be assigned.
        assignment: String,
        /// Why it cannot be.
        reason: String,
    },
    /// There is no such preset.
    #[error("{0}")]
    NoPreset(String),
}

impl ConfigError {
    pub(super) fn syntax(origin: &str, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        let span = error.span().unwrap_or(0..0);
        let (reason, span) = match UnknownWord::find(&message) {
            Some(unknown) => (unknown.reason(), unknown.position(text, span)),
            None => {
                let key = form::key_before(text, span.start);
                let formless = form::reason(key, &message);
                (formless.map_or(message, |reason| format!("{key}: {reason}")), span)
            }
        };
        let Place { line, column } = Place::of_byte(text, span.start);
        Self::Syntax { origin: origin.into(), line, column, reason }
    }

    /// An unknown key or a value of the wrong type, at `path`.
    pub(super) fn value(origin: &str, path: impl Display, error: impl Display) -> Self {
        let message = error.to_string().replace('\n', "\\n");
        let path = path.to_string();
        let reason = UnknownWord::find(&message).map(|unknown| unknown.reason());
        let reason = reason.or_else(|| form::reason(&path, &message)).unwrap_or(message);
        let reason = match path.as_str() {
            // What serde_path_to_error cannot place.
            "" | "." | "?" => reason,
            path => format!("{path}: {reason}"),
        };
        Self::Value { origin: origin.into(), reason }
    }

    pub(super) fn invalid(origin: &str, text: &str, source: DescriptionError) -> Self {
        let origin = match Place::of_path(text, &source.path) {
            Some(Place { line, column }) => format!("{origin}:{line}:{column}"),
            None => origin.into(),
        };
        Self::Invalid { origin, source }
    }

    pub(super) fn assignment(assignment: &str, message: &str) -> Self {
        let message = message.lines().collect::<Vec<_>>().join("; ");
        let reason = UnknownWord::find(&message).map(|unknown| unknown.reason());
        let key = assignment.split('=').next().unwrap_or("");
        let reason = reason.or_else(|| form::reason(key.trim(), &message)).unwrap_or(message);
        Self::Assignment { assignment: assignment.into(), reason }
    }

    pub(super) fn no_preset(name: &str, presets: impl Iterator<Item = &'static str>) -> Self {
        let presets: Vec<_> = presets.collect();
        let hint = suggest(name, presets.iter().copied());
        Self::NoPreset(format!(
            "there is no preset \"{name}\"{hint} (there are: {})",
            presets.join(", ")
        ))
    }
}

/// `; did you mean "x"?` with the word nearest to `word`, or nothing if none is near.
pub(crate) fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    // Of two that are equally near, letters in another order are likelier than one too many.
    let distance = |candidate: &str| {
        let edits = strsim::damerau_levenshtein(word, candidate);
        (edits, word.len().abs_diff(candidate.len()))
    };
    known
        .map(|candidate| (distance(candidate), candidate))
        .min()
        .filter(|&((edits, _), candidate)| edits <= 1 + word.len().max(candidate.len()) / 3)
        .map_or_else(String::new, |(_, candidate)| format!("; did you mean \"{candidate}\"?"))
}

/// The report, by serde or toml, of a key or a variant it does not know: the form of its text is the
/// only way to learn what it would have known.
struct UnknownWord<'a> {
    what: &'static str,
    word: &'a str,
    known: Vec<&'a str>,
}

impl<'a> UnknownWord<'a> {
    fn find(message: &'a str) -> Option<Self> {
        if let Some(rest) = message.strip_prefix("unexpected keys in table: ") {
            let (words, known) = rest.split_once(", available keys: ")?;
            let word = words.split(", ").next()?;
            return Some(Self { what: "key", word, known: known.split(", ").collect() });
        }
        let (what, rest) = [("key", "unknown field `"), ("value", "unknown variant `")]
            .iter()
            .find_map(|(what, start)| Some((*what, message.strip_prefix(start)?)))?;
        let (word, rest) = rest.split_once('`')?;
        // Every second piece between backquotes is a name.
        let known = rest.split('`').skip(1).step_by(2).collect();
        Some(Self { what, word, known })
    }

    fn reason(&self) -> String {
        let hint = suggest(self.word, self.known.iter().copied());
        let (what, word) = (self.what, self.word);
        match self.known.as_slice() {
            [] => format!("unknown {what} \"{word}\"; remove it, nothing can stand here"),
            known => format!("unknown {what} \"{word}\"{hint} (known: {})", known.join(", ")),
        }
    }

    /// The word itself: the span may be the head of the table it stands in, or all of it.
    fn position(&self, text: &str, span: Range<usize>) -> Range<usize> {
        let in_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let stands_alone = |start: usize| {
            !text[..start].ends_with(in_word)
                && !text[start + self.word.len()..].starts_with(in_word)
        };
        let after = text.get(span.start..).unwrap_or("");
        let mut places = after.match_indices(self.word).map(|(place, _)| span.start + place);
        match places.find(|&start| stands_alone(start)) {
            Some(start) => start..start + self.word.len(),
            None => span,
        }
    }
}
