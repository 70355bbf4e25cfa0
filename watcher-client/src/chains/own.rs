//! Our addresses on a chain: the key's own, and those of its children.

use std::{collections::HashMap, sync::Arc};

use hsm_types::{KeyPath, PublicKey};

/// One of our addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnAddress {
    /// In its one spelling.
    pub address: String,
    /// Who signs for it.
    pub path: KeyPath,
    /// As derived here, not as told by anybody.
    pub public_key: PublicKey,
}

/// All of them on one chain. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Own {
    key: OwnAddress,
    children: Arc<HashMap<String, OwnAddress>>,
}

impl Own {
    /// The key's own address and its children's.
    #[must_use]
    pub fn new(key: OwnAddress, children: impl IntoIterator<Item = OwnAddress>) -> Self {
        let children = children.into_iter().map(|own| (own.address.clone(), own)).collect();
        Self { key, children: Arc::new(children) }
    }

    /// Adds children.
    pub fn add(&mut self, children: impl IntoIterator<Item = OwnAddress>) {
        let all = Arc::make_mut(&mut self.children);
        all.extend(children.into_iter().map(|own| (own.address.clone(), own)));
    }

    /// The key itself: where change and sweeps go.
    #[must_use]
    pub fn key(&self) -> &OwnAddress {
        &self.key
    }

    /// The owner of an address, where it is ours.
    #[must_use]
    pub fn find(&self, address: &str) -> Option<&OwnAddress> {
        if self.key.address == address { Some(&self.key) } else { self.children.get(address) }
    }

    /// The children, in no order.
    pub fn children(&self) -> impl Iterator<Item = &OwnAddress> {
        self.children.values()
    }

    /// Key and children.
    pub fn all(&self) -> impl Iterator<Item = &OwnAddress> {
        std::iter::once(&self.key).chain(self.children())
    }
}
