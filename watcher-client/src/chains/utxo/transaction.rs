//! Transactions as nodes write them in full.

use bitcoin::{Transaction, consensus};

/// Where BIP 144 has its marker and its flags.
const MARKER: usize = 4;
/// Litecoin's flag of what belongs to its extension blocks (LIP 3).
const EXTENSION_FLAG: u8 = 0x08;
/// Bytes of the lock time, with which a transaction ends.
const LOCK_TIME: usize = 4;

/// The transaction, without what Litecoin adds for its extension blocks: the ids of transactions do not cover it.
pub(super) fn read(bytes: &[u8]) -> Option<Transaction> {
    consensus::deserialize(bytes).ok().or_else(|| consensus::deserialize(&without_extension(bytes)?).ok())
}

/// The transaction that ends each block of Litecoin brings coins out of the extension block: it says so by a flag, has
/// no witness, and a byte 0 before its lock time.
fn without_extension(bytes: &[u8]) -> Option<Vec<u8>> {
    let (version, rest) = bytes.split_at_checked(MARKER)?;
    let body = rest.strip_prefix(&[0x00, EXTENSION_FLAG])?;
    let (body, lock_time) = body.split_at_checked(body.len().checked_sub(LOCK_TIME)?)?;
    Some([version, body.strip_suffix(&[0x00])?, lock_time].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last transaction of a block of a private chain of Litecoin Core 0.21.2.1, which brings out 3 LTC.
    const OUT_OF_EXTENSION: &str = "020000000008017b5caf8cbef196c23d4c154daa6d5a034302b9f7fe19ddf3f421035cf387415b0000000000\
        ffffffff025c2721830000000022582090019f9e5defc1cc02be536068cbe204d46f5b42cc884ba2dc8520cda53d969200a3e11100000000\
        1600140ec6e459e75dff6261e507e2e8b7523a64057ae80000000000";
    const ITS_ID: &str = "7e44c35cafacb1fa5e6af4c8f6945c0709fccb079cf5995d6acbe4d385d233a3";

    #[test]
    fn what_comes_out_of_an_extension_block_has_the_id_its_node_gives_it() {
        let bytes = hex::decode(OUT_OF_EXTENSION).unwrap();
        let found = read(&bytes).unwrap();
        assert_eq!((found.compute_txid().to_string().as_str(), found.output[1].value.to_sat()), (ITS_ID, 300_000_000));
        assert_eq!(read(&consensus::serialize(&found)), Some(found), "as others write it");
        assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        assert_eq!(read(&[]), None);
    }
}
