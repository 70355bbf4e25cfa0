use hsm_types::{Algorithm, PublicKey};

use super::*;

const BITCOIN_FAMILY: [Chain; 6] = [
    Chain::Bitcoin,
    Chain::BitcoinTestnet,
    Chain::BitcoinSignet,
    Chain::BitcoinRegtest,
    Chain::Litecoin,
    Chain::LitecoinRegtest,
];

#[test]
fn an_address_is_one_of_its_networks_only() {
    let tests = [Chain::BitcoinTestnet, Chain::BitcoinSignet];
    let legacy_tests = [Chain::BitcoinTestnet, Chain::BitcoinSignet, Chain::BitcoinRegtest];
    let legacy_keys = [Chain::BitcoinTestnet, Chain::BitcoinSignet, Chain::BitcoinRegtest, Chain::LitecoinRegtest];
    let table: [(&str, &[Chain]); 15] = [
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", &[Chain::Bitcoin]),
        ("bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3", &[Chain::Bitcoin]),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", &[Chain::Bitcoin]),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", &[Chain::Bitcoin]),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", &[Chain::Bitcoin]),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", &tests),
        ("tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", &tests),
        ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", &legacy_keys),
        ("2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc", &legacy_tests),
        ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", &[Chain::BitcoinRegtest]),
        ("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", &[Chain::Litecoin]),
        ("LQTpS3VaYTjCr4s9Y1t5zbeY26zevf7Fb3", &[Chain::Litecoin]),
        ("MQMcJhpWHYVeQArcZR3sBgyPZxxRtnH441", &[Chain::Litecoin]),
        ("rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3", &[Chain::LitecoinRegtest]),
        ("QXHFfTBKYXjaaTH1e7Rox8CcdNPGHVhM59", &[Chain::LitecoinRegtest]),
    ];
    for (address, own) in table {
        for chain in BITCOIN_FAMILY {
            let normal = chain.normal_destination(address);
            if own.contains(&chain) {
                assert_eq!(normal.as_deref(), Ok(address), "{chain}");
                let script = chain.script_of_address(address).unwrap();
                assert_eq!(chain.address_of_script(&script).as_deref(), Some(address), "{chain}");
            } else {
                let other = BadDestination::OtherNetwork { text: address.to_owned(), chain };
                assert_eq!(normal.as_ref(), Err(&other), "{chain}");
                assert_eq!(chain.script_of_address(address), Err(other), "{chain}");
            }
        }
        assert!(matches!(Chain::Evm(1).normal_destination(address), Err(BadDestination::Form { .. })), "{address}");
    }
}

/// Those of BIP 173 and BIP 350, and the address of the first block's coins.
#[test]
fn an_address_pays_the_script_of_the_standards() {
    let table = [
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        ),
        (
            "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
            "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
        ),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87"),
    ];
    for (address, script) in table {
        assert_eq!(hex::encode(Chain::Bitcoin.script_of_address(address).unwrap()), script, "{address}");
    }
    let account = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";
    assert!(matches!(Chain::Evm(1).script_of_address(account), Err(BadDestination::Form { .. })));
}

#[test]
fn an_address_has_one_spelling() {
    let upper = "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4";
    assert_eq!(Chain::Bitcoin.normal_destination(upper), Ok(upper.to_lowercase()));
    let mixed = "bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    assert!(matches!(Chain::Bitcoin.normal_destination(mixed), Err(BadDestination::MixedCase { .. })));
    let account = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    assert_eq!(Chain::Evm(1).normal_destination(account), Ok(account.to_lowercase()));
    let short = &account[..41];
    for bad in [short, &account[2..], &account.replace("0x", "0X"), &account.replace('F', "g"), ""] {
        assert!(matches!(Chain::Evm(1).normal_destination(bad), Err(BadDestination::Form { .. })), "{bad}");
    }
    // A name that stands for the same script elsewhere is not a second spelling here.
    assert!(Chain::Litecoin.normal_destination("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy").is_err());
}

#[test]
fn every_single_typo_is_refused() {
    for (chain, address) in [
        (Chain::Bitcoin, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        (Chain::Bitcoin, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        (Chain::Litecoin, "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"),
    ] {
        for place in 0..address.len() {
            let (before, after) = (&address[..place], &address[place + 1..]);
            assert!(chain.normal_destination(&format!("{before}{after}")).is_err(), "{before}{after}");
            for letter in
                ["q", "z", "2", "A", " ", "0"].into_iter().filter(|letter| !address[place..].starts_with(letter))
            {
                let typo = format!("{before}{letter}{after}");
                assert!(chain.normal_destination(&typo).is_err(), "{typo}");
            }
        }
    }
}

/// Those of BIP 173 and BIP 350 for Bitcoin, and what is valid there and has no rules yet.
#[test]
fn the_invalid_vectors_are_refused() {
    let long = "1".repeat(1_000_000);
    for bad in [
        // BIP 173
        "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
        "bc1rw5uspcuh",
        "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
        "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
        "bc1gmk9yu",
        // BIP 350
        "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
        "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
        "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
        "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
        "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
        "bc1pw5dgrnzv",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
        // Valid in BIP 350, and anyone can spend it
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "BC1SW50QGDZ25J",
        "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
        "bc1pfeessrawgf",
        // Neither form
        "",
        "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN",
        " 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
        "ｂc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        &long,
    ] {
        for chain in BITCOIN_FAMILY {
            let refused = chain.normal_destination(bad).unwrap_err();
            assert!(refused.to_string().len() < 250, "{refused}");
        }
    }
}

#[test]
fn a_key_has_the_addresses_the_standards_give_it() {
    // The generator, whose private key is 1: the key of BIP 173's examples and of many a wallet's tests.
    let generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let key = PublicKey::decode(Algorithm::Secp256k1, &hex::decode(generator).unwrap()).unwrap();
    let table = [
        (Chain::Bitcoin, AddressType::P2wpkh, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        (Chain::Bitcoin, AddressType::P2pkh, "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"),
        (Chain::Bitcoin, AddressType::P2shP2wpkh, "3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN"),
        (Chain::BitcoinSignet, AddressType::P2wpkh, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        (Chain::BitcoinRegtest, AddressType::P2pkh, "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"),
        (Chain::Litecoin, AddressType::P2wpkh, "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"),
        (Chain::Litecoin, AddressType::P2pkh, "LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ"),
    ];
    for (chain, address_type, address) in table {
        assert_eq!(chain.address_of(&key, Some(address_type)).as_deref(), Some(address), "{chain}");
    }
    for chain in BITCOIN_FAMILY {
        for address_type in [AddressType::P2wpkh, AddressType::P2pkh, AddressType::P2shP2wpkh] {
            let address = chain.address_of(&key, Some(address_type)).unwrap();
            assert_eq!(chain.normal_destination(&address), Ok(address));
        }
    }
    // The same key, private key 1, on Ethereum.
    let ethereum = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf";
    assert_eq!(Chain::Evm(1).address_of(&key, None).as_deref(), Some(ethereum));
}

#[test]
fn a_chain_has_one_name() {
    for chain in BITCOIN_FAMILY {
        assert_eq!(chain.to_string().parse(), Ok(chain));
    }
    assert_eq!("solana".parse(), Ok(Chain::Solana));
    assert_eq!(Chain::Solana.to_string(), "solana");
    assert_eq!(Chain::Evm(8453).to_string(), "evm:8453");
    assert_eq!("evm:8453".parse(), Ok(Chain::Evm(8453)));
    for bad in ["Bitcoin", "evm:01", "evm:", "evm:+1", "evm"] {
        assert!(bad.parse::<Chain>().is_err(), "{bad}");
    }
}

/// The public key of RFC 8032, 7.1, test 1; its base58 by `solders` 0.29: `Pubkey(bytes.fromhex(...))`.
#[test]
fn an_address_of_solana_is_the_public_key_in_base58_and_has_one_spelling() {
    let key = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    let key = PublicKey::decode(Algorithm::Ed25519, &key).unwrap();
    let address = "FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z";
    assert_eq!(Chain::Solana.address_of(&key, None).as_deref(), Some(address));
    assert_eq!(Chain::Bitcoin.address_of(&key, Some(AddressType::P2wpkh)), None);
    assert_eq!(Chain::Evm(1).address_of(&key, None), None);
    assert_eq!(Chain::Solana.normal_destination(address).as_deref(), Ok(address));
    let program = "1".repeat(32);
    assert_eq!(Chain::Solana.normal_destination(&program).as_deref(), Ok(program.as_str()));
    let long = "1".repeat(1_000_000);
    for bad in [
        "",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        // One character less is another address: there is no checksum. Two less are too few bytes.
        "FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS9",
        "1FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z",
        " FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z",
        "FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96l",
        &long,
    ] {
        assert!(matches!(Chain::Solana.normal_destination(bad), Err(BadDestination::Form { .. })), "{bad:.50}");
    }
}
