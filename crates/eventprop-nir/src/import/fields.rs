//! A node's fields, looked at.

use super::pieces::Pieces;
use crate::error::ImportError;
use crate::graph::{Array, Primitive, Value};

/// A node with its name.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) primitive: &'a Primitive,
}

impl<'a> Named<'a> {
    /// The node called `name`, which must have no other fields than `known`.
    pub(super) fn of(
        pieces: &Pieces<'a>,
        name: &'a str,
        known: &[&str],
    ) -> Result<Self, ImportError> {
        let named = Self { name, primitive: pieces.nodes[name].primitive };
        let mut fields = named.primitive.fields.keys();
        match fields.find(|field| !known.contains(&field.as_str())) {
            Some(field) => Err(named.refuse(format!("{field} is not known here"))),
            None => Ok(named),
        }
    }

    pub(super) fn kind(&self) -> &'a str {
        &self.primitive.kind
    }

    pub(super) fn refuse(&self, reason: impl Into<String>) -> ImportError {
        ImportError::node(self.name, self.kind(), reason.into())
    }

    /// A field of finite numbers.
    pub(super) fn numbers(&self, field: &str) -> Result<&'a Array, ImportError> {
        match self.primitive.fields.get(field) {
            Some(Value::Array(array)) => match array.values.iter().find(|v| !v.is_finite()) {
                Some(value) => Err(self.refuse(format!("{field} must be finite, got {value}"))),
                None if product(&array.shape) != array.values.len() => {
                    let (count, shape) = (array.values.len(), &array.shape);
                    Err(self.refuse(format!("{field} has {count} values for the shape {shape:?}")))
                }
                None => Ok(array),
            },
            Some(Value::Text(text)) => {
                Err(self.refuse(format!("{field} must hold numbers, got \"{text}\"")))
            }
            Some(Value::Unknown(what)) => {
                Err(self.refuse(format!("{field} must hold numbers, got {what}")))
            }
            None => Err(self.refuse(format!("{field} is missing"))),
        }
    }

    /// Like [`numbers`](Self::numbers), none where the node does not have the field.
    pub(super) fn optional(&self, field: &str) -> Result<Option<&'a Array>, ImportError> {
        match self.primitive.fields.contains_key(field) {
            true => self.numbers(field).map(Some),
            false => Ok(None),
        }
    }

    /// A field of whole numbers.
    pub(super) fn whole(&self, field: &str) -> Result<Vec<usize>, ImportError> {
        let whole =
            |&value: &f64| match (0.0..=1e15).contains(&value) && value.fract() == 0.0 {
                true => Ok(value as usize),
                false => Err(self
                    .refuse(format!("{field} must be a whole number of at least 0, got {value}"))),
            };
        self.numbers(field)?.values.iter().map(whole).collect()
    }

    /// A field of one whole number for both sides, or one for each.
    pub(super) fn pair(&self, field: &str) -> Result<[usize; 2], ImportError> {
        match self.whole(field)?[..] {
            [both] => Ok([both, both]),
            [height, width] => Ok([height, width]),
            ref other => {
                Err(self.refuse(format!("{field} must be a number or two, got {}", other.len())))
            }
        }
    }

    /// Metadata that an export left.
    pub(super) fn metadata(&self, name: &str) -> Option<&'a Array> {
        match self.primitive.metadata.get(name)? {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The same, a whole number.
    pub(super) fn hint(&self, name: &str) -> Option<usize> {
        let value = *self.metadata(name)?.values.first()?;
        ((0.0..=1e15).contains(&value) && value.fract() == 0.0).then_some(value as usize)
    }
}

/// The number of elements in a box; too many where it has no number.
pub(super) fn product(shape: &[usize]) -> usize {
    shape.iter().fold(1, |product, &side| product.saturating_mul(side))
}
