//! Looks through an ONNX file before it is loaded: what would make the runtime reserve more memory than any encoder needs
//! is refused. Field numbers are those of `onnx.proto`.

use std::collections::HashMap;

use crate::error::Error;

/// The most values of one tensor that a graph may ask for by a constant.
const MOST_VALUES: u64 = 1 << 28;
/// Longer integer constants are no shapes.
const MOST_DIMENSIONS: usize = 16;
/// How deep graphs may lie in each other.
const MOST_DEPTH: usize = 4;

/// Operators that make a tensor as large as an input says, and which input that is.
const MAKERS: [(&str, usize); 6] =
    [("ConstantOfShape", 0), ("Expand", 1), ("Tile", 1), ("Pad", 1), ("OneHot", 1), ("Range", 1)];

/// Refuses a file that is no sound ONNX graph, or asks for absurdly large tensors.
///
/// # Errors
/// With what is wrong.
pub(super) fn screen(bytes: &[u8]) -> Result<(), Error> {
    let mut graphs = 0;
    for field in Fields(bytes) {
        if let (7, Value::Bytes(graph)) = field? {
            graphs += 1;
            self::graph(graph, 0)?;
        }
    }
    if graphs == 1 { Ok(()) } else { Err(wrong("it has no graph")) }
}

fn wrong(why: impl Into<String>) -> Error {
    Error::format("an ONNX file", why.into())
}

fn graph(bytes: &[u8], depth: usize) -> Result<(), Error> {
    if depth > MOST_DEPTH {
        return Err(wrong("its graphs lie too deep in each other"));
    }
    let (mut constants, mut nodes): (HashMap<&[u8], Vec<i64>>, Vec<Node<'_>>) = Default::default();
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(node)) => nodes.push(Node::read(node)?),
            (5, Value::Bytes(initializer)) => {
                let tensor = Tensor::read(initializer)?;
                constants.insert(tensor.name, tensor.shape_values);
            }
            _ => {}
        }
    }
    for node in &nodes {
        for nested in &node.graphs {
            graph(nested, depth + 1)?;
        }
        if let ("Constant", Some(output), Some(values)) = (node.operator, node.output, &node.value) {
            constants.insert(output, values.clone());
        }
    }
    for node in &nodes {
        let Some((operator, input)) = MAKERS.iter().find(|(operator, _)| *operator == node.operator) else {
            continue;
        };
        let Some(values) = node.inputs.get(*input).and_then(|name| constants.get(name)) else { continue };
        // -1 keeps a dimension.
        let size = values.iter().try_fold(1_u64, |size, value| size.checked_mul(value.unsigned_abs().max(1)));
        if size.is_none_or(|size| size > MOST_VALUES) {
            return Err(wrong(format!(
                "{operator} asks for a tensor of {values:?}, more than {MOST_VALUES} values"
            )));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Node<'a> {
    operator: &'a str,
    inputs: Vec<&'a [u8]>,
    output: Option<&'a [u8]>,
    /// What a constant is.
    value: Option<Vec<i64>>,
    graphs: Vec<&'a [u8]>,
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut node = Self::default();
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(name)) => node.inputs.push(name),
                (2, Value::Bytes(name)) => node.output = node.output.or(Some(name)),
                (4, Value::Bytes(name)) => node.operator = std::str::from_utf8(name).unwrap_or_default(),
                (5, Value::Bytes(attribute)) => node.attribute(attribute)?,
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&mut self, bytes: &'a [u8]) -> Result<(), Error> {
        let mut integers = Vec::new();
        for field in Fields(bytes) {
            match field? {
                (3, Value::Integer(value)) => integers.push(value.cast_signed()),
                (5, Value::Bytes(tensor)) => self.value = Some(Tensor::read(tensor)?.shape_values),
                (6 | 11, Value::Bytes(graph)) => self.graphs.push(graph),
                (8, values) => values.integers(&mut integers)?,
                _ => {}
            }
        }
        if !integers.is_empty() && self.value.is_none() {
            self.value = Some(integers);
        }
        Ok(())
    }
}

/// A tensor in the file, whose bytes hold as many values as its shape says.
struct Tensor<'a> {
    name: &'a [u8],
    /// Its values, where they may be a shape.
    shape_values: Vec<i64>,
}

impl<'a> Tensor<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let (mut dims, mut integers, mut kind, mut name) = (Vec::new(), Vec::new(), 0, &[][..]);
        let (mut raw, mut fields, mut is_elsewhere) = (None, 0_usize, false);
        for field in Fields(bytes) {
            match field? {
                (1, values) => values.integers(&mut dims)?,
                (2, Value::Integer(value)) => kind = value,
                (4 | 10 | 11, Value::Bytes(packed)) => fields += packed.len(),
                (4 | 10 | 11, _) => fields += 1,
                (5 | 7, values) => values.integers(&mut integers)?,
                (6, Value::Bytes(_)) => fields += 1,
                (8, Value::Bytes(text)) => name = text,
                (9, Value::Bytes(data)) => raw = Some(data),
                (14, Value::Integer(place)) => is_elsewhere = place == 1,
                _ => {}
            }
        }
        let size = dims.iter().try_fold(1_u64, |n, d| u64::try_from(*d).ok().and_then(|d| n.checked_mul(d)));
        let held = raw.map_or(integers.len() + fields, <[u8]>::len) as u64;
        // Two four-bit values share a byte.
        if !is_elsewhere && size.is_none_or(|size| size.div_ceil(2) > held) {
            let name = String::from_utf8_lossy(name);
            return Err(wrong(format!(
                "the tensor {name:?} of shape {dims:?} has only {held} bytes of values"
            )));
        }
        if size.is_none_or(|size| size > 1 << 40) {
            return Err(wrong(format!("a tensor of shape {dims:?} is larger than any file")));
        }
        if let Some(raw) = raw.filter(|raw| raw.len() <= MOST_DIMENSIONS * 8) {
            match kind {
                6 => {
                    integers.extend(raw.as_chunks::<4>().0.iter().map(|w| i64::from(i32::from_le_bytes(*w))));
                }
                7 => {
                    integers.extend(raw.as_chunks::<8>().0.iter().map(|w| i64::from_le_bytes(*w)));
                }
                _ => {}
            }
        }
        if integers.len() > MOST_DIMENSIONS {
            integers.clear();
        }
        Ok(Self { name, shape_values: integers })
    }
}

/// The value of a field.
enum Value<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl Value<'_> {
    /// Appends one integer or packed ones.
    fn integers(self, out: &mut Vec<i64>) -> Result<(), Error> {
        match self {
            Self::Integer(value) => out.push(value.cast_signed()),
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    out.push(varint(&mut packed)?.cast_signed());
                }
            }
            Self::Fixed => {}
        }
        Ok(())
    }
}

/// The fields of a message: number and value.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.0.is_empty()).then(|| {
            let field = self.field();
            if field.is_err() {
                self.0 = &[];
            }
            field
        })
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), Error> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Integer(varint(&mut self.0)?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = varint(&mut self.0)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(wrong("it is no protocol buffer; export the model again")),
        };
        Ok((key >> 3, value))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Error> {
        let cut = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let (taken, rest) = cut.ok_or_else(|| wrong("it is cut off; copy it again"))?;
        self.0 = rest;
        Ok(taken)
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or_else(|| wrong("it is cut off; copy it again"))?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(wrong("it is no protocol buffer; export the model again"))
}
