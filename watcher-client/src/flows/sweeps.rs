//! Sweeps: deposits are brought from children to the key, once for each tip and one batch at a time.

use super::line::{Line, Stop};
use crate::{
    chains::{Chain, Own, Tip},
    journal::{Purpose, WithdrawalId},
};

impl<C: Chain> Line<C> {
    /// Makes withdrawals of the chain's own where something is worth moving and nothing is being moved.
    pub(super) async fn sweeps(&mut self, own: &Own, tip: &Tip) -> Result<(), Stop> {
        let wanted = self.parts.config.assets.iter().any(|asset| asset.sweep_above.is_some());
        if !wanted || self.swept_at.as_ref() == Some(&tip.block) || self.is_sweeping().await? {
            return Ok(());
        }
        let held = self.held().await?;
        for order in self.chain.sweeps(own, &held).await? {
            let to_a_child = own.find(&order.destination).is_some_and(|own| own.path.child.is_some());
            let purpose = if to_a_child { Purpose::TopUp } else { Purpose::Sweep };
            let name = self.name().to_owned();
            self.parts.journal.off(move |journal| journal.create_own(purpose, &name, &order)).await?;
        }
        self.swept_at = Some(tip.block.clone());
        Ok(())
    }

    async fn is_sweeping(&self) -> Result<bool, Stop> {
        let name = self.name().to_owned();
        let open = self.parts.journal.off(move |journal| journal.open_withdrawals(&name)).await?;
        Ok(open.iter().any(WithdrawalId::is_own))
    }
}
