//! The section of the report that `cargo xtask compare` writes, and other runs leave alone.

const BEGIN: &str = "<!-- cargo xtask compare: begin -->";
const END: &str = "<!-- cargo xtask compare: end -->";

/// The section out of a report: from one mark to the other, with them; marks around a hint if there
/// is none.
pub fn comparison_of(report: &str) -> String {
    match span(report) {
        Some((start, end)) => format!("{}\n", &report[start..end]),
        None => format!(
            "{BEGIN}\n## In the same minute\n\nNot yet run here: `cargo xtask compare --write`.\n{END}\n"
        ),
    }
}

/// `report` with `section` (Markdown without the marks) in place of its comparison; at its end where
/// it has none.
pub fn with_comparison(report: &str, section: &str) -> String {
    let marked = format!("{BEGIN}\n{}\n{END}", section.trim());
    match span(report) {
        Some((start, end)) => format!("{}{marked}{}", &report[..start], &report[end..]),
        None => format!("{report}\n{marked}\n"),
    }
}

fn span(report: &str) -> Option<(usize, usize)> {
    let start = report.find(BEGIN)?;
    let end = start + report[start..].find(END)? + END.len();
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_replaced_and_kept() {
        let report = format!("a\n{}b\n", comparison_of(""));
        let compared = with_comparison(&report, "## New\n");
        assert!(compared.starts_with("a\n") && compared.ends_with("\nb\n"), "{compared}");
        assert!(compared.contains("## New") && !compared.contains("Not yet"));
        assert_eq!(with_comparison(&compared, "## New"), compared);
        assert_eq!(
            with_comparison("z\n", comparison_of(&compared).trim()).matches("## New").count(),
            1
        );
    }
}
