//! `[[chain]]` of `watcher.toml`: a chain, its node, the key that pays on it, and how careful to be.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use appliance_wire::{Amount, Chain, Decimal};
use hsm_types::KeyLabel;
use reqwest::Url;
use serde::Deserialize;

use crate::chains::Asset;

const MOST_AHEAD: u32 = 10_000;
const MOST_CONFIRMATIONS: u64 = 10_000;
const LONGEST_POLL_MS: u64 = 600_000;

/// A chain the watcher serves.
#[derive(Clone, Debug)]
pub struct ChainConfig {
    /// Its name here.
    pub name: String,
    /// Which chain it is.
    pub network: Network,
    /// The node's RPC.
    pub node: Url,
    /// PEM: the CAs the node's certificate may come from, where `node` is `https`. No other is believed.
    pub ca: Option<PathBuf>,
    /// A file of one line `user:password`, where the node asks for one.
    pub credentials: Option<PathBuf>,
    /// On chains of Bitcoin's kind: who knows our coins.
    pub strategy: Strategy,
    /// The key that pays; deposits come to its children, on a chain without them to itself.
    pub key: KeyLabel,
    /// What fees are paid in, then the tokens.
    pub assets: Vec<ChainAsset>,
    /// How deep a block must be to be believed: the block itself counts as 1.
    pub confirmations: u64,
    /// The most a transaction may cost, in base units of what fees are paid in.
    pub max_fee: Amount,
    /// The most a unit may cost: satoshi per virtual byte, or gwei per gas.
    pub max_fee_rate: Option<u64>,
    /// How many addresses are kept ready.
    pub addresses_ahead: u32,
    /// How often the node is asked.
    pub poll: Duration,
    /// The hash of the first block, where it is not one we know.
    pub genesis: Option<String>,
    /// Whether withdrawals are signed elsewhere, and carried there and back as files.
    pub offline: bool,
    /// On Solana: the account whose nonce our transactions use.
    pub nonce_account: Option<String>,
}

/// An asset of a chain, and from what on it is swept.
#[derive(Clone, Debug)]
pub struct ChainAsset {
    /// The asset.
    pub asset: Asset,
    /// Base units on children from which on they are brought to the key; none where they stay.
    pub sweep_above: Option<Amount>,
}

/// Kinds of chains.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Network {
    /// Of Bitcoin's kind.
    Utxo(Chain),
    /// Of Ethereum's kind, with its chain id.
    Evm(u64),
    /// Solana.
    Solana,
}

/// Who knows our coins on a chain of Bitcoin's kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Strategy {
    /// A watch-only wallet of the node, with this name: `importaddress`, `listsinceblock`, `listunspent`.
    Wallet(String),
    /// No wallet: `scanblocks` where the node has it, else every block; `scantxoutset`.
    Blocks,
}

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChainSection {
    name: String,
    chain: NetworkSection,
    node: String,
    ca: Option<PathBuf>,
    credentials: Option<PathBuf>,
    strategy: Option<String>,
    wallet: Option<String>,
    key: String,
    asset: String,
    confirmations: u64,
    max_fee: Decimal,
    max_fee_rate: Option<u64>,
    addresses_ahead: Option<u32>,
    poll_ms: Option<u64>,
    genesis: Option<String>,
    sweep_above: Option<Decimal>,
    #[serde(default)]
    offline: bool,
    nonce_account: Option<String>,
    #[serde(default)]
    token: Vec<TokenSection>,
}

/// A named chain, or `{ evm = CHAIN_ID }`, as in the policy.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NetworkSection {
    Named(String),
    Evm { evm: u64 },
}

/// `[[chain.token]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenSection {
    asset: String,
    contract: String,
    decimals: u8,
    sweep_above: Option<Decimal>,
}

/// Adds what is wrong to `problems`. A config with problems is used by nobody.
pub(super) fn check_all(sections: Vec<ChainSection>, folder: &Path, problems: &mut Vec<String>) -> Vec<ChainConfig> {
    let mut chains: Vec<ChainConfig> = Vec::new();
    for section in sections {
        if chains.iter().any(|known| known.name == section.name) {
            problems.push(format!("`chain`: \"{}\" is there twice; each has a name of its own", section.name));
        }
        let mut mistakes = Mistakes { chain: section.name.clone(), problems };
        chains.extend(check(section, folder, &mut mistakes));
    }
    chains
}

struct Mistakes<'a> {
    chain: String,
    problems: &'a mut Vec<String>,
}

impl Mistakes<'_> {
    fn add(&mut self, key: &str, what: impl std::fmt::Display) {
        self.problems.push(format!("chain \"{}\", key `{key}`: {what}", self.chain));
    }

    fn take<T, E: std::fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.add(key, error)).ok()
    }
}

fn check(section: ChainSection, folder: &Path, mistakes: &mut Mistakes<'_>) -> Option<ChainConfig> {
    if section.name.is_empty() || !section.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        mistakes.add("name", "write letters, digits and -");
    }
    let network = network(&section.chain).map_err(|why| mistakes.add("chain", why)).ok();
    let node = Url::parse(&section.node).map_err(|error| error.to_string());
    let node = node.and_then(|url| {
        let plain = url.username().is_empty() && url.password().is_none();
        let why = "write it like http://127.0.0.1:8332, and user and password into the file `credentials`";
        if plain && ["http", "https"].contains(&url.scheme()) { Ok(url) } else { Err(why.to_owned()) }
    });
    let node = mistakes.take("node", node);
    let ca = ca(&section, node.as_ref(), folder, mistakes);
    let strategy = strategy(&section, mistakes);
    let key = mistakes.take("key", section.key.parse::<KeyLabel>());
    let decimals = match network? {
        Network::Utxo(_) => 8,
        Network::Evm(_) => 18,
        Network::Solana => 9,
    };
    let native = Asset { name: section.asset.clone(), decimals, contract: None };
    let mut amount = |key: &str, text: &Decimal, decimals| mistakes.take(key, text.to_amount(decimals));
    let max_fee = amount("max_fee", &section.max_fee, decimals);
    let above = section.sweep_above.as_ref().and_then(|text| amount("sweep_above", text, decimals));
    let mut assets = vec![ChainAsset { asset: native, sweep_above: above }];
    for token in &section.token {
        if let Some(token) = token_asset(token, network?, mistakes) {
            assets.push(token);
        }
    }
    bounds(&section, mistakes);
    if !network?.has_children() {
        no_children(&section, mistakes);
    }
    // Base58, unlike hexadecimal, has one case.
    let is_solana = network? == Network::Solana;
    let nonce_account = nonce_account(&section, is_solana, mistakes);
    Some(ChainConfig {
        name: section.name,
        network: network?,
        node: node?,
        ca,
        credentials: section.credentials.map(|file| folder.join(file)),
        strategy,
        key: key?,
        assets,
        confirmations: section.confirmations,
        max_fee: max_fee?,
        max_fee_rate: section.max_fee_rate,
        addresses_ahead: section.addresses_ahead.unwrap_or(if network?.has_children() { 20 } else { 0 }),
        poll: Duration::from_millis(section.poll_ms.unwrap_or(5_000)),
        genesis: section.genesis.map(|hash| if is_solana { hash } else { hash.to_ascii_lowercase() }),
        offline: section.offline,
        nonce_account,
    })
}

fn network(section: &NetworkSection) -> Result<Network, String> {
    match section {
        NetworkSection::Evm { evm } => Ok(Network::Evm(*evm)),
        NetworkSection::Named(name) => match name.parse::<Chain>() {
            Ok(Chain::Evm(id)) => Ok(Network::Evm(id)),
            Ok(Chain::Solana) => Ok(Network::Solana),
            Ok(chain) => Ok(Network::Utxo(chain)),
            Err(error) => Err(error.to_string()),
        },
    }
}

fn strategy(section: &ChainSection, mistakes: &mut Mistakes<'_>) -> Strategy {
    match (section.strategy.as_deref(), &section.wallet) {
        (Some("wallet"), wallet) => Strategy::Wallet(wallet.clone().unwrap_or_else(|| "chancery".to_owned())),
        (Some("blocks") | None, None) => Strategy::Blocks,
        (Some("blocks") | None, Some(_)) => {
            mistakes.add("wallet", "goes with `strategy = \"wallet\"` only");
            Strategy::Blocks
        }
        (Some(other), _) => {
            mistakes.add("strategy", format!("\"{other}\" is none: write wallet or blocks"));
            Strategy::Blocks
        }
    }
}

fn nonce_account(section: &ChainSection, is_solana: bool, mistakes: &mut Mistakes<'_>) -> Option<String> {
    match (&section.nonce_account, is_solana) {
        (Some(account), true) => mistakes.take("nonce_account", Chain::Solana.normal_destination(account)),
        (None, true) => {
            mistakes.add("nonce_account", "is missing: the account whose nonce our transactions use");
            None
        }
        (Some(_), false) => {
            mistakes.add("nonce_account", "goes with `chain = \"solana\"` only");
            None
        }
        (None, false) => None,
    }
}

fn ca(section: &ChainSection, node: Option<&Url>, folder: &Path, mistakes: &mut Mistakes<'_>) -> Option<PathBuf> {
    let file = section.ca.as_ref().map(|file| folder.join(file));
    match (&file, node?.scheme() == "https") {
        (None, true) => mistakes.add("ca", "is missing: the CAs that the node's certificate may come from"),
        (Some(_), false) => mistakes.add("ca", "goes with a `node` of https only"),
        (Some(file), true) if !file.is_file() => {
            mistakes.add("ca", format!("there is no file {}; correct the path", file.display()));
        }
        (Some(_), true) | (None, false) => {}
    }
    file
}

/// What has no meaning where deposits come to the key itself.
fn no_children(section: &ChainSection, mistakes: &mut Mistakes<'_>) {
    let given =
        [("addresses_ahead", section.addresses_ahead.is_some()), ("sweep_above", section.sweep_above.is_some())];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        mistakes.add(key, "keys of this chain have no children: leave it out");
    }
}

fn token_asset(token: &TokenSection, network: Network, mistakes: &mut Mistakes<'_>) -> Option<ChainAsset> {
    let Network::Evm(id) = network else {
        mistakes.add("token", "this chain has no tokens here");
        return None;
    };
    let contract = mistakes.take("token.contract", Chain::Evm(id).normal_destination(&token.contract))?;
    let above = token.sweep_above.as_ref();
    let above = above.and_then(|text| mistakes.take("token.sweep_above", text.to_amount(token.decimals)));
    let asset = Asset { name: token.asset.clone(), decimals: token.decimals, contract: Some(contract) };
    Some(ChainAsset { asset, sweep_above: above })
}

fn bounds(section: &ChainSection, mistakes: &mut Mistakes<'_>) {
    if !(1..=MOST_CONFIRMATIONS).contains(&section.confirmations) {
        mistakes.add("confirmations", format!("write 1 to {MOST_CONFIRMATIONS}"));
    }
    if section.addresses_ahead.is_some_and(|ahead| ahead > MOST_AHEAD) {
        mistakes.add("addresses_ahead", format!("write 0 to {MOST_AHEAD}"));
    }
    if section.poll_ms.is_some_and(|poll| !(50..=LONGEST_POLL_MS).contains(&poll)) {
        mistakes.add("poll_ms", format!("write 50 to {LONGEST_POLL_MS}"));
    }
}

impl Network {
    /// Whether keys of this chain have children, one for each customer. Where they have none, deposits come to the key
    /// itself, and a memo says whose they are.
    #[must_use]
    pub fn has_children(self) -> bool {
        match self {
            Self::Utxo(_) | Self::Evm(_) => true,
            Self::Solana => false,
        }
    }
}

impl ChainConfig {
    /// The asset of this name.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().map(|one| &one.asset).find(|asset| asset.name == name)
    }

    /// What fees are paid in.
    #[must_use]
    pub fn native_decimals(&self) -> u8 {
        self.assets.first().map_or(0, |first| first.asset.decimals)
    }

    /// The network as people write it.
    #[must_use]
    pub fn network_name(&self) -> String {
        match self.network {
            Network::Utxo(chain) => chain.to_string(),
            Network::Evm(id) => Chain::Evm(id).to_string(),
            Network::Solana => "solana".to_owned(),
        }
    }
}
