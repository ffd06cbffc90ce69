use crate::error::ImportError;
use crate::graph::{Graph, Node, Primitive};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A graph without graphs in it.
pub(super) struct Pieces<'a> {
    /// The nodes; those of inner graphs are called `graph.node`.
    pub(super) nodes: BTreeMap<String, Piece<'a>>,
    /// From where to where, in the order of the file; those of inner graphs behind.
    pub(super) edges: Vec<(String, String)>,
    behind: HashMap<String, Vec<String>>,
    before: HashMap<String, Vec<String>>,
}

/// A node.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) role: Role,
    pub(super) primitive: &'a Primitive,
}

/// What a node does in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Input,
    Output,
    /// Has a voltage.
    Neurons,
    /// Stands between neurons.
    Map,
    /// Where an inner graph begins or ends: nothing happens.
    Pass,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(graph: &'a Graph) -> Result<Self, ImportError> {
        let (behind, before) = (HashMap::new(), HashMap::new());
        let mut pieces = Self { nodes: BTreeMap::new(), edges: Vec::new(), behind, before };
        pieces.add(graph, "")?;
        let mut seen = HashSet::new();
        if let Some((from, to)) = pieces.edges.iter().find(|edge| !seen.insert(*edge)) {
            let reason = format!("there are two edges from \"{from}\" to \"{to}\"");
            return Err(ImportError::Graph(reason));
        }
        for (from, to) in &pieces.edges {
            pieces.behind.entry(from.clone()).or_default().push(to.clone());
            pieces.before.entry(to.clone()).or_default().push(from.clone());
        }
        Ok(pieces)
    }

    /// Where edges from `name` lead, in the order of the file.
    pub(super) fn behind(&self, name: &str) -> impl Iterator<Item = &str> {
        self.behind.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Where edges to `name` come from, in the order of the file.
    pub(super) fn before(&self, name: &str) -> impl Iterator<Item = &str> {
        self.before.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Adds a graph whose nodes' names begin with `prefix`.
    fn add(&mut self, graph: &'a Graph, prefix: &str) -> Result<(), ImportError> {
        let inner = !prefix.is_empty();
        for (name, node) in &graph.nodes {
            let Node::Primitive(primitive) = node else { continue };
            let name = format!("{prefix}{name}");
            let role = match role(&name, &primitive.kind)? {
                Role::Input | Role::Output if inner => Role::Pass,
                role => role,
            };
            if self.nodes.insert(name.clone(), Piece { role, primitive }).is_some() {
                return Err(ImportError::Graph(format!("two nodes are called \"{name}\"")));
            }
        }
        for (from, to) in &graph.edges {
            let from = end(graph, prefix, from, "Output")?;
            let to = end(graph, prefix, to, "Input")?;
            self.edges.push((from, to));
        }
        for (name, node) in &graph.nodes {
            if let Node::Graph(graph) = node {
                self.add(graph, &format!("{prefix}{name}."))?;
            }
        }
        Ok(())
    }
}

/// The node at the end of an edge; for an inner graph its own input or output.
fn end(graph: &Graph, prefix: &str, name: &str, kind: &str) -> Result<String, ImportError> {
    match graph.nodes.get(name) {
        Some(Node::Primitive(_)) => Ok(format!("{prefix}{name}")),
        Some(Node::Graph(inner)) => {
            let is_end = |node: &Node| matches!(node, Node::Primitive(p) if p.kind == kind);
            let mut ends = inner.nodes.iter().filter(|(_, node)| is_end(node));
            let (Some((end, _)), None) = (ends.next(), ends.next()) else {
                let reason = format!("must have one node of kind {kind}");
                return Err(ImportError::node(&format!("{prefix}{name}"), "NIRGraph", reason));
            };
            Ok(format!("{prefix}{name}.{end}"))
        }
        None => {
            Err(ImportError::Graph(format!("an edge names \"{prefix}{name}\", which is no node")))
        }
    }
}

fn role(name: &str, kind: &str) -> Result<Role, ImportError> {
    let reason = match kind {
        "Input" => return Ok(Role::Input),
        "Output" => return Ok(Role::Output),
        "CubaLIF" | "CubaLI" | "LIF" | "LI" => return Ok(Role::Neurons),
        "Linear" | "Affine" | "Conv2d" | "SumPool2d" | "Flatten" | "Delay" | "Scale" => {
            return Ok(Role::Map);
        }
        "IF" | "I" => "a voltage without leak has no equal here; CubaLIF and CubaLI have one",
        "AvgPool2d" => "has no equal here; SumPool2d with a Scale behind it has one",
        "Conv1d" => "has no equal here; Conv2d over an image of height 1 has one",
        "Threshold" => "has no equal here: neurons spike that have a voltage (CubaLIF)",
        _ => {
            "has no equal here; CubaLIF, CubaLI, LIF and LI with a synapse (LI), Linear, Affine, Conv2d, \
             SumPool2d, Flatten, Delay, Scale, Input and Output have one"
        }
    };
    Err(ImportError::node(name, kind, reason))
}
