//! What is written and what is durable of one thing, and the changes between them. Knows neither files nor names.

/// A change that can be made again to the durable side.
pub(crate) trait Change<T> {
    fn apply(&self, to: &mut T);
}

/// Two sides of one thing.
#[derive(Clone, Debug)]
pub(crate) struct Layers<T, C> {
    written: T,
    durable: T,
    unsynced: Vec<C>,
    /// Number of the first unsynced change.
    synced: u64,
}

impl<T: Clone + Default, C: Change<T>> Layers<T, C> {
    pub(crate) fn new() -> Self {
        Self { written: T::default(), durable: T::default(), unsynced: Vec::new(), synced: 0 }
    }

    /// What a process sees.
    pub(crate) fn written(&self) -> &T {
        &self.written
    }

    /// What a cut leaves.
    pub(crate) fn durable(&self) -> &T {
        &self.durable
    }

    pub(crate) fn change(&mut self, change: C) {
        change.apply(&mut self.written);
        self.unsynced.push(change);
    }

    /// How far a sync that begins now reaches.
    pub(crate) fn reach(&self) -> u64 {
        self.synced + self.unsynced.len() as u64
    }

    /// Makes changes durable, in order, up to what a sync [reached](Self::reach) when it began.
    pub(crate) fn sync(&mut self, reach: u64) {
        for change in self.take(reach) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync that failed: the kernel takes the pages for written, and no later sync writes them.
    pub(crate) fn lose(&mut self, reach: u64) {
        drop(self.take(reach));
    }

    /// Power is cut, and of what was not synced this is kept.
    pub(crate) fn cut(&mut self, keep: impl FnOnce(Vec<C>) -> Vec<C>) {
        for change in keep(self.take(u64::MAX)) {
            change.apply(&mut self.durable);
        }
        self.written.clone_from(&self.durable);
    }

    fn take(&mut self, reach: u64) -> Vec<C> {
        let many = (reach.saturating_sub(self.synced) as usize).min(self.unsynced.len());
        self.synced += many as u64;
        self.unsynced.drain(..many).collect()
    }
}
