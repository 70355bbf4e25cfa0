//! A frame: its length in 4 bytes, then one value.

use std::io::{self, Read};

use zeroize::Zeroizing;

use super::wire::Wire;

/// The longest content, in bytes: 1024 messages of 4096 bytes fit.
const LONGEST: usize = 8 << 20;

/// A value of this many bytes cannot travel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooLong(pub(super) usize);

/// The frame of `(id, value)`, or of `value` alone where there is no id.
pub(super) fn encode(id: Option<u64>, value: &impl Wire) -> Result<Vec<u8>, TooLong> {
    encode_into(Vec::with_capacity(128), id, value)
}

/// As [`encode`], wiped when dropped. `capacity` must be enough, for a vector that grows leaves copies behind.
pub(super) fn encode_secret(capacity: usize, value: &impl Wire) -> Result<Zeroizing<Vec<u8>>, TooLong> {
    encode_into(Vec::with_capacity(capacity), None, value).map(Zeroizing::new)
}

fn encode_into(mut frame: Vec<u8>, id: Option<u64>, value: &impl Wire) -> Result<Vec<u8>, TooLong> {
    frame.extend_from_slice(&[0; 4]);
    if let Some(id) = id {
        id.encode(&mut frame);
    }
    value.encode(&mut frame);
    let length = frame.len() - 4;
    let prefix = u32::try_from(length).ok().filter(|_| length <= LONGEST).ok_or(TooLong(length))?;
    frame[..4].copy_from_slice(&prefix.to_be_bytes());
    Ok(frame)
}

/// The content of the next frame; none where the other side has closed between two frames.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut prefix = [0; 4];
    let first = loop {
        match from.read(&mut prefix) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    from.read_exact(&mut prefix[first..])?;
    let length = u32::from_be_bytes(prefix) as usize;
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut content = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut content)?;
    Ok(Some(content))
}
