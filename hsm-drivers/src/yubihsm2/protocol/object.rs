//! Objects as a device describes them: label, origin, the answer to Get Object Info, and the filters of List Objects.

use std::{fmt, str};

use super::{Algorithm, Capabilities, Domains, ObjectType, Reader, TooShort};

/// The text of an object: up to 40 bytes, as they are; by custom UTF-8, filled up with zeros.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Label(pub [u8; Self::LENGTH]);

impl Label {
    /// Bytes of every label.
    pub const LENGTH: usize = 40;

    /// A label of this text; none where it is longer than 40 bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::LENGTH];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(bytes))
    }

    /// Its text up to the first zero; none where that is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::LENGTH);
        str::from_utf8(self.0.get(..end)?).ok()
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => write!(f, "{text:?}"),
            None => write!(f, "{}", hex::encode(self.0)),
        }
    }
}

/// How an object came into the device.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Origin(pub u8);

impl Origin {
    /// Generated in this device.
    pub const GENERATED: Self = Self(0x01);
    /// Put into this device in clear.
    pub const IMPORTED: Self = Self(0x02);
    /// Set beside one of the others: it came into this device under a wrap key.
    pub const WRAPPED: Self = Self(0x10);

    /// This origin, and that it came under a wrap key.
    #[must_use]
    pub const fn wrapped(self) -> Self {
        Self(self.0 | Self::WRAPPED.0)
    }
}

/// `generated` or `imported`, with `wrapped` behind where it came so; else the byte as a number.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match Self(self.0 & !Self::WRAPPED.0) {
            Self::GENERATED => "generated",
            Self::IMPORTED => "imported",
            Self(_) => return write!(f, "{:#04x}", self.0),
        };
        let wrapped = self.0 & Self::WRAPPED.0 != 0;
        write!(f, "{name}{}", if wrapped { ",wrapped" } else { "" })
    }
}

/// What Get Object Info answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectInfo {
    /// What the object may do, and have done to it.
    pub capabilities: Capabilities,
    /// Its object id.
    pub id: u16,
    /// Bytes of its value.
    pub length: u16,
    /// Its domains.
    pub domains: Domains,
    /// Its kind.
    pub object_type: ObjectType,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// How often an object of this id and type was made before.
    pub sequence: u8,
    /// How it came into the device.
    pub origin: Origin,
    /// Its label.
    pub label: Label,
    /// Bounds of what is created through it; only authentication keys and wrap keys have any.
    pub delegated_capabilities: Capabilities,
}

impl ObjectInfo {
    /// Bytes of the encoded form.
    pub const LENGTH: usize = 66;

    /// As the device writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.extend(self.capabilities.0.to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.length.to_be_bytes());
        bytes.extend(self.domains.0.to_be_bytes());
        bytes.extend([self.object_type.0, self.algorithm.0, self.sequence, self.origin.0]);
        bytes.extend(self.label.0);
        bytes.extend(self.delegated_capabilities.0.to_be_bytes());
        bytes
    }

    /// Reads the encoded form.
    ///
    /// # Errors
    /// Another length than [`Self::LENGTH`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TooShort> {
        let mut reader = Reader::new(bytes);
        let info = Self {
            capabilities: Capabilities(reader.u64()?),
            id: reader.u16()?,
            length: reader.u16()?,
            domains: Domains(reader.u16()?),
            object_type: ObjectType(reader.u8()?),
            algorithm: Algorithm(reader.u8()?),
            sequence: reader.u8()?,
            origin: Origin(reader.u8()?),
            label: Label(reader.array()?),
            delegated_capabilities: Capabilities(reader.u64()?),
        };
        reader.end().map(|()| info)
    }
}

/// One object in the answer to List Objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListEntry {
    /// Its object id.
    pub id: u16,
    /// Its kind.
    pub object_type: ObjectType,
    /// As in [`ObjectInfo::sequence`].
    pub sequence: u8,
}

impl ListEntry {
    /// As the device writes it.
    #[must_use]
    pub const fn encode(self) -> [u8; 4] {
        let [high, low] = self.id.to_be_bytes();
        [high, low, self.object_type.0, self.sequence]
    }

    /// Reads the whole answer.
    ///
    /// # Errors
    /// Not a multiple of four bytes.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, TooShort> {
        let mut reader = Reader::new(bytes);
        let mut entries = Vec::new();
        while !reader.is_empty() {
            let (id, object_type) = (reader.u16()?, ObjectType(reader.u8()?));
            entries.push(Self { id, object_type, sequence: reader.u8()? });
        }
        Ok(entries)
    }
}

/// A condition of List Objects; several hold together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListFilter {
    /// Of this object id.
    Id(u16),
    /// Of this kind.
    Type(ObjectType),
    /// In at least one of these domains.
    Domains(Domains),
    /// With at least one of these capabilities.
    Capabilities(Capabilities),
    /// Of this algorithm.
    Algorithm(Algorithm),
    /// Of this label.
    Label(Label),
}

impl ListFilter {
    /// Appends the encoded form.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Id(id) => {
                bytes.push(1);
                bytes.extend(id.to_be_bytes());
            }
            Self::Type(object_type) => bytes.extend([2, object_type.0]),
            Self::Domains(domains) => {
                bytes.push(3);
                bytes.extend(domains.0.to_be_bytes());
            }
            Self::Capabilities(capabilities) => {
                bytes.push(4);
                bytes.extend(capabilities.0.to_be_bytes());
            }
            Self::Algorithm(algorithm) => bytes.extend([5, algorithm.0]),
            Self::Label(label) => {
                bytes.push(6);
                bytes.extend(label.0);
            }
        }
    }

    /// Reads all filters of a command.
    ///
    /// # Errors
    /// An unknown tag, or too few bytes behind one.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, TooShort> {
        let mut reader = Reader::new(bytes);
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(match reader.u8()? {
                1 => Self::Id(reader.u16()?),
                2 => Self::Type(ObjectType(reader.u8()?)),
                3 => Self::Domains(Domains(reader.u16()?)),
                4 => Self::Capabilities(Capabilities(reader.u64()?)),
                5 => Self::Algorithm(Algorithm(reader.u8()?)),
                6 => Self::Label(Label(reader.array()?)),
                _ => return Err(TooShort),
            });
        }
        Ok(filters)
    }

    /// Whether the object is one of these.
    #[must_use]
    pub fn matches(&self, info: &ObjectInfo) -> bool {
        match self {
            Self::Id(id) => info.id == *id,
            Self::Type(object_type) => info.object_type == *object_type,
            Self::Domains(domains) => info.domains.overlap(*domains),
            Self::Capabilities(capabilities) => info.capabilities.intersects(*capabilities),
            Self::Algorithm(algorithm) => info.algorithm == *algorithm,
            Self::Label(label) => info.label == *label,
        }
    }
}
