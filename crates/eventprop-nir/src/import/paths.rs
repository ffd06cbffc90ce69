//! The ways from neurons to neurons.

use super::neurons::{Population, synapse_of};
use super::pieces::{Pieces, Role};
use crate::error::ImportError;
use std::collections::{HashMap, HashSet};

/// More nodes in a row between neurons mean nothing.
const MAX_MAPS: usize = 64;

/// A way from a population through maps to a population.
pub(super) struct Path {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The nodes between, in order.
    pub(super) maps: Vec<String>,
}

/// All ways, and the population that is read out.
pub(super) struct Routes {
    /// In the order of the edges they begin with.
    pub(super) paths: Vec<Path>,
    pub(super) output: usize,
}

pub(super) fn routes(pieces: &Pieces, populations: &[Population]) -> Result<Routes, ImportError> {
    let named = populations.iter().enumerate().map(|(position, p)| (p.name.as_str(), position));
    let mut search = Search {
        pieces,
        populations,
        positions: named.collect(),
        paths: Vec::new(),
        output: None,
        seen: HashSet::new(),
    };
    for (from, to) in &pieces.edges {
        if let Some(&position) = search.positions.get(from.as_str()) {
            search.follow(position, to, &mut Vec::new())?;
        }
    }
    search.finish()
}

struct Search<'a> {
    pieces: &'a Pieces<'a>,
    populations: &'a [Population],
    positions: HashMap<&'a str, usize>,
    paths: Vec<Path>,
    output: Option<usize>,
    /// Maps that lie on some way.
    seen: HashSet<&'a str>,
}

impl<'a> Search<'a> {
    /// Goes on to `node`, having passed `maps` from the population `from`.
    fn follow(
        &mut self,
        from: usize,
        node: &'a str,
        maps: &mut Vec<&'a str>,
    ) -> Result<(), ImportError> {
        let pieces = self.pieces;
        let piece = pieces.nodes[node];
        let refuse = |reason: &str| Err(ImportError::node(node, &piece.primitive.kind, reason));
        match piece.role {
            Role::Input => refuse("an edge leads into it"),
            Role::Output => self.end(from, maps),
            Role::Neurons => {
                // The synapse of a pair stands for it.
                let target = synapse_of(pieces, node).unwrap_or(node);
                let to = self.positions[target];
                if !self.populations[from].spikes() {
                    let reason = "never spikes here: its voltage can only be read out";
                    return Err(self.populations[from].refuse(reason));
                }
                let maps = maps.iter().map(|name| String::from(*name)).collect();
                self.paths.push(Path { from, to, maps });
                if self.paths.len() > 4 * pieces.edges.len() {
                    let reason = "more ways lead from neurons to neurons than the graph has edges";
                    return Err(ImportError::Graph(reason.into()));
                }
                Ok(())
            }
            Role::Map | Role::Pass => {
                if maps.contains(&node) {
                    return refuse("stands in a loop without neurons");
                }
                if maps.len() == MAX_MAPS {
                    return refuse("stands behind too many others without neurons between");
                }
                if pieces.behind(node).next().is_none() {
                    return refuse("leads nowhere");
                }
                self.seen.insert(node);
                maps.push(node);
                for next in pieces.behind(node) {
                    self.follow(from, next, maps)?;
                }
                maps.pop();
                Ok(())
            }
        }
    }

    /// An output is reached.
    fn end(&mut self, from: usize, maps: &[&str]) -> Result<(), ImportError> {
        let computes = |name: &&&str| self.pieces.nodes[**name].role == Role::Map;
        if let Some(name) = maps.iter().rfind(computes) {
            let kind = &self.pieces.nodes[*name].primitive.kind;
            let reason = "leads to the output: only neurons (CubaLIF, CubaLI) are read out here";
            return Err(ImportError::node(name, kind, reason));
        }
        if self.populations[from].is_input() {
            return Err(self.populations[from].refuse("leads to the output"));
        }
        match self.output.replace(from) {
            None => Ok(()),
            Some(_) => Err(ImportError::Graph("more than one way leads to the output".into())),
        }
    }

    fn finish(self) -> Result<Routes, ImportError> {
        let mut maps = self.pieces.nodes.iter().filter(|(_, piece)| piece.role == Role::Map);
        if let Some((name, piece)) = maps.find(|(name, _)| !self.seen.contains(name.as_str())) {
            let reason = "no neurons lead to it";
            return Err(ImportError::node(name, &piece.primitive.kind, reason));
        }
        match self.output {
            Some(output) => Ok(Routes { paths: self.paths, output }),
            None => Err(ImportError::Graph("no neurons lead to an Output".into())),
        }
    }
}
