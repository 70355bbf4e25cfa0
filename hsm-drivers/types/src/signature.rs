//! Signatures: as a device gives them, and as they may leave.

/// 64 bytes as a device returned them: r || s (ECDSA, s high or low) or R || S (Ed25519). Proves nothing yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RawSignature(pub [u8; 64]);

/// A signature that verified under the public key it was made for. ECDSA: r || s with s in the lower half (BIP 62).
///
/// Only [`Verifier::verify`](crate::Verifier::verify) makes one, and [`verify_child`](crate::Verifier::verify_child) and
/// [`verify_released`](crate::Verifier::verify_released) do for children.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerifiedSignature {
    pub(crate) bytes: [u8; 64],
    pub(crate) recovery_id: Option<u8>,
}

impl VerifiedSignature {
    /// r || s or R || S, 64 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        self.bytes
    }

    /// ECDSA: bit 0 is the parity of R's y, bit 1 whether its x was reduced mod n (SEC 1, 4.1.6). Ed25519: none.
    #[must_use]
    pub fn recovery_id(&self) -> Option<u8> {
        self.recovery_id
    }

    /// ECDSA: the DER form of BIP 66, at most 72 bytes. Ed25519: none.
    #[must_use]
    pub fn to_der(&self) -> Option<Vec<u8>> {
        self.recovery_id.map(|_| ecdsa_der(&self.bytes))
    }
}

/// The DER form (BIP 66) of r || s.
#[must_use]
pub fn ecdsa_der(signature: &[u8; 64]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    let (r, s) = (der_integer(r), der_integer(s));
    let mut der = vec![0x30, (r.len() + s.len()) as u8];
    der.extend(r);
    der.extend(s);
    der
}

/// A positive INTEGER: no leading zeros but the one that keeps the sign bit clear.
fn der_integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let mut value = bytes[start..].to_vec();
    if value[0] & 0x80 != 0 {
        value.insert(0, 0);
    }
    let mut der = vec![0x02, value.len() as u8];
    der.extend(value);
    der
}
