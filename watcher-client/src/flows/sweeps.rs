//! Sweeps: deposits are brought from children to the key; looked for once at each tip.

use super::line::{Line, Stop};
use crate::{
    chains::{Chain, Order, Own, Tip},
    journal::{Filter, Purpose},
};

/// How many are made at once: others wait for the next block.
const MOST_AT_ONCE: usize = 20;

impl<C: Chain> Line<C> {
    /// Makes withdrawals of the chain's own where something is worth moving and is not being moved already.
    pub(super) async fn sweeps(&mut self, own: &Own, tip: &Tip) -> Result<(), Stop> {
        let wanted = self.parts.config.assets.iter().any(|asset| asset.sweep_above.is_some());
        if !wanted || self.swept_at.as_ref() == Some(&tip.block) {
            return Ok(());
        }
        let held = self.held().await?;
        let under_way = self.under_way().await?;
        let orders = self.chain.sweeps(own, &held).await?.into_iter();
        for order in orders.filter(|order| !under_way.contains(order)).take(MOST_AT_ONCE) {
            let to_a_child = own.find(&order.destination).is_some_and(|own| own.path.child.is_some());
            let purpose = if to_a_child { Purpose::TopUp } else { Purpose::Sweep };
            let name = self.name().to_owned();
            self.parts.journal.off(move |journal| journal.create_own(purpose, &name, &order)).await?;
        }
        self.swept_at = Some(tip.block.clone());
        Ok(())
    }

    /// What is being moved now; of a top-up only for whom.
    async fn under_way(&self) -> Result<UnderWay, Stop> {
        let filter = Filter { chain: Some(self.name().to_owned()), open: true, ..Filter::default() };
        let open = self.parts.journal.off(move |journal| journal.withdrawals(&filter, usize::MAX)).await?;
        Ok(UnderWay(open.into_iter().filter(|open| open.id.is_own()).map(|open| open.order).collect()))
    }
}

struct UnderWay(Vec<Order>);

impl UnderWay {
    /// Whether an order moves the same asset from the same coins to the same place. The amount may be another by now.
    fn contains(&self, order: &Order) -> bool {
        let same = |known: &Order| {
            known.source == order.source && known.asset == order.asset && known.destination == order.destination
        };
        self.0.iter().any(same)
    }
}
