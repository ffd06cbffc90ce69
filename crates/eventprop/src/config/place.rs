//! Where in a TOML text a value stands.

use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Line and column, both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// That of a byte of `text`.
    pub(super) fn of_byte(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// That of the value at `path`, as `network.layers[1].tau_mem`; where it is left out, of what it
    /// is missing in; none where even that is left out.
    pub(super) fn of_path(text: &str, path: &str) -> Option<Self> {
        let root = DeTable::parse(text).ok()?.into_inner();
        let mut found: Option<Range<usize>> = None;
        let mut value = DeValue::Table(root);
        for step in steps(path) {
            let next = match (&mut value, step.parse::<usize>()) {
                (DeValue::Array(array), Ok(index)) => array.get_mut(index),
                (DeValue::Table(table), _) => table.get_mut(step),
                _ => None,
            };
            let Some(next) = next else { break };
            found = Some(next.span());
            value = std::mem::replace(next.get_mut(), DeValue::Boolean(false));
        }
        found.map(|span| Self::of_byte(text, span.start))
    }
}

/// `network`, `layers`, `1`, `tau_mem`.
pub(super) fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[', ']']).filter(|step| !step.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_every_kind_of_table_are_found() {
        let text = "a.b = 1\nc = [\n  { d = 2 },\n  { d = 3, e = [4, 5] },\n]\n\n[f]\ng = \"ä\"\n\
                    h = { i = 6 }\n[[j]]\n[[j]]\nk = 7\n";
        for (path, line, column) in [
            ("a.b", 1, 7),
            ("c[1].d", 4, 9),
            ("c[1].e[1]", 4, 20),
            ("f.h.i", 9, 11),
            ("j[1].k", 12, 5),
            // Left out: what it should stand in.
            ("c[0].missing", 3, 3),
            ("f.h.missing.too", 9, 5),
        ] {
            assert_eq!(Place::of_path(text, path), Some(Place { line, column }), "{path}");
        }
        assert_eq!(Place::of_path(text, "missing"), None);
        assert_eq!(Place::of_path("not = = TOML", "not"), None);
        assert_eq!(Place::of_byte("ä = x", 5), Place { line: 1, column: 5 });
    }
}
