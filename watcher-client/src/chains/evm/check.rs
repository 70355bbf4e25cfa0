//! Whether a node is of the config's chain, and the contracts of its tokens are what the config says.

use alloy_primitives::U256;

use super::{Evm, Token};
use crate::chains::NodeError;

impl Evm {
    pub(super) async fn check_node(&self) -> Result<(), NodeError> {
        let chain_id = self.node.chain_id().await?;
        if chain_id != self.chain_id {
            return Err(self.other_chain("the chain id", self.chain_id.to_string(), chain_id.to_string()));
        }
        if let Some(expected) = self.genesis {
            let first = self.node.header_at(0).await?;
            let found = first.map_or_else(|| "none".to_owned(), |header| format!("{:#x}", header.hash));
            if found != format!("{expected:#x}") {
                return Err(self.other_chain("the hash of block 0", format!("{expected:#x}"), found));
            }
        }
        if self.node.latest().await?.base_fee().is_none() {
            return Err(self.no_base_fee());
        }
        // A node that is behind may not have come to the contracts yet.
        if self.node.reading_towards().await?.is_none() {
            for token in &self.tokens {
                self.check_token(token).await?;
            }
        }
        Ok(())
    }

    pub(super) fn no_base_fee(&self) -> NodeError {
        self.node.rpc.unfit("its last block has no base fee: transactions are made as EIP-1559 says")
    }

    async fn check_token(&self, token: &Token) -> Result<(), NodeError> {
        let (name, contract) = (&token.asset.name, token.contract);
        if self.node.code(token.contract).await?.is_empty() {
            return Err(self.node.rpc.unfit(format!("there is no contract at {contract:#x}, `contract` of {name}")));
        }
        let (ours, told) = (token.asset.decimals, self.node.decimals(token.contract).await?);
        match told.filter(|told| *told != U256::from(ours)) {
            Some(told) => Err(self.node.rpc.unfit(format!(
                "{contract:#x} says that it has {told} decimals, and `decimals` of {name} is {ours}: amounts would be wrong"
            ))),
            None => Ok(()),
        }
    }

    fn other_chain(&self, what: &'static str, expected: String, found: String) -> NodeError {
        let (url, chain) = (self.node.rpc.url().to_owned(), self.name.clone());
        NodeError::OtherChain { url, chain, what, expected, found }
    }
}
