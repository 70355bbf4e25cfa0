//! How values become bytes between parent and child: big-endian numbers, lengths before contents. No panics: every
//! read is bounded by what is there.

use std::fmt;

/// A value that travels.
pub(super) trait Wire: Sized {
    fn encode(&self, to: &mut Vec<u8>);
    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed>;
}

/// What is left to decode of one frame.
pub(super) struct Bytes<'a>(&'a [u8]);

/// A frame that is none of ours: the other side is broken, or is something else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Malformed(pub(super) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed frame: {}", self.0)
    }
}

impl<'a> Bytes<'a> {
    /// The whole of `bytes` must be one value.
    pub(super) fn decode_all<T: Wire>(bytes: &'a [u8]) -> Result<T, Malformed> {
        let mut rest = Self(bytes);
        let value = T::decode(&mut rest)?;
        if rest.0.is_empty() { Ok(value) } else { Err(Malformed("bytes after its end")) }
    }

    /// Whether `prefix` comes next; it is taken then.
    pub(super) fn skip(&mut self, prefix: &[u8]) -> bool {
        let rest = self.0.strip_prefix(prefix);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn take_tag(&mut self) -> Result<u8, Malformed> {
        self.take_array::<1>().map(|[tag]| tag)
    }

    /// A length, then as many bytes.
    pub(super) fn take_counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u32::decode(self)?;
        self.take(length as usize)
    }
}

/// A length, then the bytes. Above `u32::MAX` the frame is refused for its size anyway.
pub(super) fn put_counted(to: &mut Vec<u8>, bytes: &[u8]) {
    put_length(to, bytes.len());
    to.extend_from_slice(bytes);
}

fn put_length(to: &mut Vec<u8>, length: usize) {
    u32::try_from(length).unwrap_or(u32::MAX).encode(to);
}

macro_rules! wire_number {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            fn encode(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_be_bytes());
            }

            fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
                from.take_array().map(Self::from_be_bytes)
            }
        }
    )*};
}

wire_number!(u16, u32, u64);

impl Wire for bool {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("neither true nor false")),
        }
    }
}

impl Wire for String {
    fn encode(&self, to: &mut Vec<u8>) {
        put_counted(to, self.as_bytes());
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let text = str::from_utf8(from.take_counted()?).map_err(|_| Malformed("a text that is not UTF-8"))?;
        Ok(text.to_owned())
    }
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            None => to.push(0),
            Some(value) => {
                to.push(1);
                value.encode(to);
            }
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(None),
            1 => T::decode(from).map(Some),
            _ => Err(Malformed("an option that is neither there nor not")),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn encode(&self, to: &mut Vec<u8>) {
        put_length(to, self.len());
        for value in self {
            value.encode(to);
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let count = u32::decode(from)? as usize;
        // No value is shorter than a byte, so the frame's own length bounds what is reserved here.
        if count > from.0.len() {
            return Err(Malformed("more values than bytes"));
        }
        (0..count).map(|_| T::decode(from)).collect()
    }
}

impl<T: Wire, E: Wire> Wire for Result<T, E> {
    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Ok(value) => {
                to.push(0);
                value.encode(to);
            }
            Err(error) => {
                to.push(1);
                error.encode(to);
            }
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => T::decode(from).map(Ok),
            1 => E::decode(from).map(Err),
            _ => Err(Malformed("neither a result nor an error")),
        }
    }
}

/// A request or its answer, and the number that joins them.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    pub(super) id: u64,
    pub(super) value: T,
}

impl<T: Wire> Wire for Numbered<T> {
    fn encode(&self, to: &mut Vec<u8>) {
        self.id.encode(to);
        self.value.encode(to);
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(Self { id: u64::decode(from)?, value: T::decode(from)? })
    }
}
