//! Children of a key and their addresses: asked for, and each compared with the one derived here.

use appliance_wire::{Address, AddressesAnswer, AddressesRequest};
use hsm_types::{KeyLabel, KeyPath, PublicKey};

use super::Client;
use crate::{Error, address_form::AddressForm};

/// What was asked for.
#[derive(Clone, Copy)]
struct Asked {
    /// The children begin after this one.
    after: Option<u32>,
    /// Exactly so many, where that is known.
    count: Option<u32>,
}

impl Client {
    /// Allocates the next children of a key: 1 to 1000, after the one named, or after the last allocated. With `after`
    /// it may be asked again: the same request gives the same children. Every public key and address is compared with
    /// the one derived from key and chain code.
    ///
    /// # Errors
    /// [`Error::NotVerified`] where one differs; pay to none of them. See [`Error`].
    pub async fn addresses(&self, key: &KeyLabel, request: &AddressesRequest) -> Result<AddressesAnswer, Error> {
        let answer: AddressesAnswer = self.post(&format!("/v1/keys/{key}/addresses"), request).await?;
        self.check_addresses(key, Asked { after: request.after, count: Some(request.count) }, &answer).await?;
        Ok(answer)
    }

    /// A page of the children allocated so far: those after `after`, or from child 0; `next` says where the following
    /// page begins. Compared like those of [`Client::addresses`].
    ///
    /// # Errors
    /// As [`Client::addresses`].
    pub async fn list_addresses(&self, key: &KeyLabel, after: Option<u32>) -> Result<AddressesAnswer, Error> {
        self.page(key, after).await.map(|(answer, _)| answer)
    }

    /// Likewise, with the public keys derived here.
    pub(super) async fn page(
        &self,
        key: &KeyLabel,
        after: Option<u32>,
    ) -> Result<(AddressesAnswer, Vec<PublicKey>), Error> {
        let query = after.map(|after| format!("?after={after}")).unwrap_or_default();
        let answer: AddressesAnswer = self.get(&format!("/v1/keys/{key}/addresses{query}")).await?;
        let derived = self.check_addresses(key, Asked { after, count: None }, &answer).await?;
        Ok((answer, derived))
    }

    async fn check_addresses(
        &self,
        key: &KeyLabel,
        asked: Asked,
        answer: &AddressesAnswer,
    ) -> Result<Vec<PublicKey>, Error> {
        let path = |child| KeyPath { label: key.clone(), child: Some(child) };
        self.learn_keys(std::iter::once(&path(0))).await?;
        check_order(key, asked, answer)?;
        let mut form = None;
        let mut derived = Vec::with_capacity(answer.addresses.len());
        for address in &answer.addresses {
            let path = path(address.child);
            let public_key = self.parts.known_keys.verifier(&path)?.public_key().clone();
            check_child(&path, address, &public_key, &mut form)?;
            derived.push(public_key);
        }
        Ok(derived)
    }
}

/// One after the other, none left out, and the next page behind them: paging ends.
fn check_order(key: &KeyLabel, asked: Asked, answer: &AddressesAnswer) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::NotVerified { what: format!("the children of {key}: {what}") });
    let count = answer.addresses.len();
    if let Some(wanted) = asked.count
        && usize::try_from(wanted) != Ok(count)
    {
        return wrong(format!("{count} came, {wanted} were asked for"));
    }
    let mut expected = asked.after.map(|after| after.saturating_add(1));
    if asked.count.is_none() {
        expected = expected.or(Some(0));
    }
    for address in &answer.addresses {
        if expected.is_some_and(|expected| expected != address.child) {
            return wrong(format!("child {} is not the one that follows", address.child));
        }
        expected = Some(address.child.saturating_add(1));
    }
    let last = answer.addresses.last().map(|address| address.child);
    match answer.next {
        Some(next) if last != Some(next) => {
            wrong(format!("the next page would not begin after the last child, but {next}"))
        }
        Some(_) | None => Ok(()),
    }
}

/// All addresses of an answer have one form; the first one shows which.
fn check_child(
    path: &KeyPath,
    address: &Address,
    derived: &PublicKey,
    form: &mut Option<AddressForm>,
) -> Result<(), Error> {
    let wrong = |what: &str| Error::NotVerified { what: format!("{path}: {what}") };
    if address.key != path.to_string() {
        return Err(wrong("it is shown under another name"));
    }
    if address.public_key != derived.to_string() {
        return Err(wrong("its public key is not the one derived from key and chain code"));
    }
    let Some(text) = &address.address else { return Ok(()) };
    let found = form.or_else(|| AddressForm::of(derived, text));
    let found = found.filter(|form| form.address(derived).as_ref() == Some(text));
    *form = Some(found.ok_or_else(|| wrong("its address is not one of its public key"))?);
    Ok(())
}
