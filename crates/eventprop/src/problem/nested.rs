use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, ser::SerializeSeq, ser::Serializer};

/// A rectangular array of numbers, as nested lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct NestedArray {
    /// The lengths of the lists, the outermost first.
    pub(super) shape: Vec<usize>,
    /// The numbers, row-major.
    pub(super) values: Vec<f64>,
}

/// No array of a problem is nested deeper.
const MAX_DEPTH: usize = 4;

impl<'de> Deserialize<'de> for NestedArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut array = Self::default();
        let mut leaf_depth = None;
        Level { depth: 0, leaf_depth: &mut leaf_depth, array: &mut array }
            .deserialize(deserializer)?;
        Ok(array)
    }
}

/// The lists at one depth.
struct Level<'a> {
    depth: usize,
    /// The depth at which the numbers stand, once one was seen.
    leaf_depth: &'a mut Option<usize>,
    array: &'a mut NestedArray,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_leaf = self.depth > 0 && self.leaf_depth.is_some_and(|depth| depth == self.depth);
        formatter.write_str(if is_leaf { "a number" } else { "a list of numbers or of lists" })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if self.depth == 0 || *self.leaf_depth.get_or_insert(self.depth) != self.depth {
            return Err(E::custom("expected a list, found a number"));
        }
        self.array.values.push(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { depth, leaf_depth, array } = self;
        if depth == MAX_DEPTH || leaf_depth.is_some_and(|leaf| depth >= leaf) {
            return Err(A::Error::custom("expected a number, found a list"));
        }
        let first = array.shape.len() == depth;
        if first {
            array.shape.push(0);
        }
        let mut count = 0;
        while seq.next_element_seed(Level { depth: depth + 1, leaf_depth, array })?.is_some() {
            count += 1;
        }
        if first {
            array.shape[depth] = count;
        } else if array.shape[depth] != count {
            let expected = array.shape[depth];
            let reason = format!("has {count} entries, the lists before it {expected}");
            return Err(A::Error::custom(reason));
        }
        Ok(())
    }
}

impl Serialize for NestedArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        View { shape: &self.shape, values: &self.values }.serialize(serializer)
    }
}

/// A part of an array.
struct View<'a> {
    shape: &'a [usize],
    values: &'a [f64],
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some((&count, inner)) = self.shape.split_first() else {
            return serializer.serialize_f64(self.values[0]);
        };
        let size: usize = inner.iter().product();
        let mut list = serializer.serialize_seq(Some(count))?;
        for position in 0..count {
            let values = &self.values[position * size..(position + 1) * size];
            list.serialize_element(&View { shape: inner, values })?;
        }
        list.end()
    }
}
