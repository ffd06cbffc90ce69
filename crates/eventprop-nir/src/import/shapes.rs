//! Which shape a signal has on its way.

use super::fields::Named;
use super::fields::product;
use super::neurons::Population;
use super::paths::Path;
use super::pieces::{Pieces, Role};
use super::weights::window;
use crate::error::ImportError;

/// Finds the sizes of populations that do not say theirs, and checks that every way fits its ends.
pub(super) fn settle(
    pieces: &Pieces,
    populations: &mut [Population],
    paths: &[Path],
) -> Result<(), ImportError> {
    // Each round but the last settles one population at least.
    loop {
        let mut settled = false;
        for path in paths {
            if let (Some(shape), None) =
                (&populations[path.from].shape, &populations[path.to].shape)
            {
                populations[path.to].shape = Some(behind(pieces, &path.maps, shape.clone())?);
                settled = true;
            }
        }
        if !settled {
            break;
        }
    }
    for population in populations.iter_mut() {
        let shape = population.shape.get_or_insert_with(|| vec![1]);
        let size = product(shape);
        if let [channels, height, width] = shape[..] {
            population.image = Some([channels, height, width]);
        }
        if population.image.is_some_and(|image| product(&image) != size) {
            population.image = None;
        }
    }
    for path in paths {
        let shape = populations[path.from].shape.clone().unwrap_or_default();
        let shape = behind(pieces, &path.maps, shape)?;
        let to = &populations[path.to];
        // Row-major all along: what has as many elements has the same order.
        if product(&shape) != to.size() {
            let from = path.maps.last().map_or(&populations[path.from].name, |name| name);
            let reason = format!("has {} neurons, \"{from}\" sends {shape:?} to it", to.size());
            return Err(to.refuse(reason));
        }
    }
    Ok(())
}

/// The shape of a signal behind maps.
fn behind(
    pieces: &Pieces,
    maps: &[String],
    mut shape: Vec<usize>,
) -> Result<Vec<usize>, ImportError> {
    for name in maps {
        shape = after(pieces, name, &shape)?;
    }
    Ok(shape)
}

/// The shape of a signal behind the map `name`, which it reaches with `shape`.
pub(super) fn after(
    pieces: &Pieces,
    name: &str,
    shape: &[usize],
) -> Result<Vec<usize>, ImportError> {
    let piece = &pieces.nodes[name];
    let node = Named { name, primitive: piece.primitive };
    let expect = |size: usize, what: &[usize]| match size == product(shape) {
        true => Ok(()),
        false => Err(node.refuse(format!("takes {what:?}, is sent {shape:?}"))),
    };
    match (piece.role, node.kind()) {
        (Role::Pass, _) => Ok(shape.to_vec()),
        (_, "Linear" | "Affine") => {
            let [out, into] = node.numbers("weight")?.shape[..] else {
                return Err(node.refuse("weight must be [output, input]"));
            };
            expect(into, &[into])?;
            match out {
                0 => Err(node.refuse("has no outputs")),
                _ => Ok(vec![out]),
            }
        }
        (_, "Conv2d" | "SumPool2d") => {
            let [channels, height, width] = shape[..] else {
                let reason = format!("takes [channels, height, width], is sent {shape:?}");
                return Err(node.refuse(reason));
            };
            let (window, outputs) = window(node, [channels, height, width])?;
            let Some([height, width]) = window.output_size([height, width]) else {
                return Err(node.refuse(format!("its kernel is larger than the image, {shape:?}")));
            };
            Ok(vec![outputs, height, width])
        }
        (_, "Flatten") => Ok(vec![product(shape)]),
        (_, field) => {
            let array = node.numbers(if field == "Delay" { "delay" } else { "scale" })?;
            if array.values.len() != 1 {
                expect(array.values.len(), &array.shape)?;
            }
            Ok(shape.to_vec())
        }
    }
}
