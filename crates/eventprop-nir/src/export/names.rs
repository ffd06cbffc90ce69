use std::collections::HashSet;

/// Names of nodes, each given once.
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// These are taken.
    pub(super) fn new<'a>(taken: impl Iterator<Item = &'a str>) -> Self {
        Self { taken: taken.map(String::from).collect() }
    }

    /// `base`, or where that is taken, `base_2`, `base_3` and so on.
    pub(super) fn fresh(&mut self, base: &str) -> String {
        let numbered = (2..).map(|number: u64| format!("{base}_{number}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        loop {
            if let Some(name) = names.next()
                && self.taken.insert(name.clone())
            {
                return name;
            }
        }
    }
}
