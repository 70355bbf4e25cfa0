//! First blocks: what tells the chains apart.

use appliance_wire::Chain;
use bitcoin::{Network, constants::genesis_block};

/// <https://github.com/litecoin-project/litecoin>, `src/chainparams.cpp`.
const LITECOIN: &str = "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2";
const LITECOIN_REGTEST: &str = "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9";

/// The hashes its first block may have.
pub(super) fn of(chain: Chain) -> Vec<String> {
    let bitcoin: &[(Chain, Network)] = &[
        (Chain::Bitcoin, Network::Bitcoin),
        (Chain::BitcoinTestnet, Network::Testnet),
        (Chain::BitcoinTestnet, Network::Testnet4),
        (Chain::BitcoinSignet, Network::Signet),
        (Chain::BitcoinRegtest, Network::Regtest),
    ];
    let litecoin = [(Chain::Litecoin, LITECOIN), (Chain::LitecoinRegtest, LITECOIN_REGTEST)];
    let bitcoin = bitcoin.iter().filter(|(of, _)| *of == chain);
    let bitcoin = bitcoin.map(|(_, network)| genesis_block(*network).block_hash().to_string());
    let litecoin = litecoin.iter().filter(|(of, _)| *of == chain).map(|(_, hash)| (*hash).to_owned());
    bitcoin.chain(litecoin).collect()
}

#[cfg(test)]
mod tests {
    use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, block, hashes::Hash};

    use super::*;

    /// Their headers, of which a hash is computed here; both hold the same transaction.
    #[test]
    fn the_first_blocks_of_litecoin_have_these_hashes() {
        let merkle = "97ddfbbae6be97fd6cdf3e7ca13232a3afff2353e29badfab7f73011edd4ced9";
        let header = |time, bits, nonce| block::Header {
            version: block::Version::ONE,
            prev_blockhash: BlockHash::all_zeros(),
            merkle_root: merkle.parse::<TxMerkleNode>().unwrap(),
            time,
            bits: CompactTarget::from_consensus(bits),
            nonce,
        };
        let main = header(1_317_972_665, 0x1e0f_fff0, 2_084_524_493).block_hash().to_string();
        let regtest = header(1_296_688_602, 0x207f_ffff, 0).block_hash().to_string();
        assert_eq!((of(Chain::Litecoin), of(Chain::LitecoinRegtest)), (vec![main], vec![regtest]));
    }

    #[test]
    fn the_first_blocks_of_bitcoin_have_the_hashes_everybody_knows() {
        let main = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
        assert_eq!(of(Chain::Bitcoin), [main]);
        let testnets = [
            "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
            "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
        ];
        assert_eq!(of(Chain::BitcoinTestnet), testnets);
        let signet = "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6";
        assert_eq!(of(Chain::BitcoinSignet), [signet]);
        let regtest = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
        assert_eq!(of(Chain::BitcoinRegtest), [regtest]);
    }
}
