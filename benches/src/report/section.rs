//! Sections of the report that other commands write, and that a new report takes over from the old.

/// A section between two marks.
#[derive(Debug)]
pub struct Section {
    /// The command that writes it, as the marks name it.
    command: &'static str,
    /// What stands there until then.
    hint: &'static str,
}

/// Other programs beside this one.
pub const COMPARISON: Section = Section {
    command: "cargo xtask compare",
    hint: "## In the same minute\n\nNot yet run here: `cargo xtask compare --write`.",
};

/// What was measured on a GPU.
pub const GPU: Section =
    Section { command: "cargo xtask gpu-pack", hint: "## GPU\n\nNot yet run on a GPU." };

impl Section {
    /// The section out of a report, with its marks; marks around a hint if there is none.
    pub fn of(&self, report: &str) -> String {
        match self.span(report) {
            Some((start, end)) => format!("{}\n", &report[start..end]),
            None => format!("{}\n", self.marked(self.hint)),
        }
    }

    /// `report` with `text` (Markdown without the marks) in place of the section; at its end where it has
    /// none.
    pub fn put(&self, report: &str, text: &str) -> String {
        let marked = self.marked(text.trim());
        match self.span(report) {
            Some((start, end)) => format!("{}{marked}{}", &report[..start], &report[end..]),
            None => format!("{report}\n{marked}\n"),
        }
    }

    fn marked(&self, text: &str) -> String {
        let [begin, end] = self.marks();
        format!("{begin}\n{text}\n{end}")
    }

    fn marks(&self) -> [String; 2] {
        ["begin", "end"].map(|side| format!("<!-- {}: {side} -->", self.command))
    }

    fn span(&self, report: &str) -> Option<(usize, usize)> {
        let [begin, end] = self.marks();
        let start = report.find(&begin)?;
        let end = start + report[start..].find(&end)? + end.len();
        Some((start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_kept() {
        let report = format!("a\n{}b\n{}", COMPARISON.of(""), GPU.of(""));
        let put = COMPARISON.put(&report, "## New\n");
        assert!(put.starts_with("a\n") && put.ends_with(&format!("\nb\n{}", GPU.of(""))), "{put}");
        assert!(put.contains("## New") && !put.contains("Not yet run here"));
        assert_eq!(COMPARISON.put(&put, "## New"), put);
        assert_eq!(COMPARISON.put("z\n", COMPARISON.of(&put).trim()).matches("## New").count(), 1);
    }
}
