//! Canonical bytes of values: fixed order, little endian, one encoding per value.
//!
//! Never knows what a value is for. Handoffs, spawns, digests and checkpoints are made of these bytes.

use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::Point;

/// Writes a value as canonical bytes and reads it back.
///
/// Equal values have equal bytes on every machine, and `decode` takes exactly what `encode` wrote.
pub trait Codec: Sized {
    /// Appends the value.
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes one value off the front; `None` when the bytes are not one.
    ///
    /// Total for all bytes: never panics, and allocates no more elements than there are bytes.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Codec for $number {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                let (number, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(Self::from_le_bytes(*number))
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

impl Codec for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match u8::decode(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Codec for char {
    fn encode(&self, out: &mut Vec<u8>) {
        u32::from(*self).encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        char::from_u32(u32::decode(bytes)?)
    }
}

impl<T: Codec, const N: usize> Codec for [T; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.encode(out));
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let items: [Option<T>; N] = std::array::from_fn(|_| T::decode(bytes));
        items
            .iter()
            .all(Option::is_some)
            .then(|| items.map(|item| item.expect("all items were checked")))
    }
}

impl<T: Codec> Codec for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        if bool::decode(bytes)? {
            T::decode(bytes).map(Some)
        } else {
            Some(None)
        }
    }
}

/// # Panics
/// `encode` panics when the elements have no bytes, or there are more than `u32::MAX`.
impl<T: Codec> Codec for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_length(self.len(), out);
        let start = out.len();
        self.iter().for_each(|item| item.encode(out));
        assert!(
            out.len() - start >= self.len(),
            "an element of a Vec in a component needs at least one byte: store a count instead"
        );
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let length = decode_length(bytes)?;
        (0..length).map(|_| T::decode(bytes)).collect()
    }
}

impl Codec for String {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_length(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let length = decode_length(bytes)?;
        let (text, rest) = bytes.split_at(length);
        *bytes = rest;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }
}

fn encode_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length)
        .expect("a component has fewer than 2^32 elements")
        .encode(out);
}

/// At most the number of bytes that follow.
fn decode_length(bytes: &mut &[u8]) -> Option<usize> {
    let length = usize::try_from(u32::decode(bytes)?).ok()?;
    (length <= bytes.len()).then_some(length)
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: Codec),*> Codec for ($($name,)*) {
            #[expect(non_snake_case, reason = "the type parameters name the fields")]
            fn encode(&self, out: &mut Vec<u8>) {
                let ($($name,)*) = self;
                $($name.encode(out);)*
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($name::decode(bytes)?,)*))
            }
        }
    )*};
}

tuples!((A)(A B)(A B C)(A B C D)(A B C D E)(A B C D E F)(A B C D E F G)(A B C D E F G H));

impl Codec for () {
    fn encode(&self, _out: &mut Vec<u8>) {}

    fn decode(_bytes: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Codec for Point {
    fn encode(&self, out: &mut Vec<u8>) {
        self.to_array().encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        <[f32; 3]>::decode(bytes).map(Point::from_array)
    }
}

impl Codec for EntityId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let id = EntityId(u64::decode(bytes)?);
        (id <= EntityId::MAX).then_some(id)
    }
}

impl Codec for Tick {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        u64::decode(bytes).map(Tick)
    }
}
