/// What the delays of a connection depend on: NIR delays neurons, not synapses.
pub(super) enum Course {
    /// On the sending neuron or channel alone: one each.
    BySource(Vec<f64>),
    /// On the receiving neuron or channel alone: one each.
    ByTarget(Vec<f64>),
    /// On both: one list, over the targets, for each column.
    Each(Vec<Vec<f64>>),
}

impl Course {
    /// Of delays `[target][column]`, whose `columns` are those of the `sources` one after another.
    pub(super) fn of(delays: &[f64], sources: usize, targets: usize, columns: usize) -> Self {
        let width = columns / sources;
        let at = |target: usize, column: usize| delays[target * columns + column];
        let alike = |first: usize, column: usize| {
            (0..targets).all(|target| at(target, column).to_bits() == at(0, first).to_bits())
        };
        if (0..columns).all(|column| alike(column / width * width, column)) {
            return Self::BySource((0..sources).map(|source| at(0, source * width)).collect());
        }
        let row = |target: usize| &delays[target * columns..(target + 1) * columns];
        if (0..targets)
            .all(|target| row(target).iter().all(|d| d.to_bits() == row(target)[0].to_bits()))
        {
            return Self::ByTarget((0..targets).map(|target| at(target, 0)).collect());
        }
        let column = |column: usize| (0..targets).map(|target| at(target, column)).collect();
        Self::Each((0..columns).map(column).collect())
    }
}
