//! A withdrawal as a file: carried to a machine that reaches the signer, and back to one that reaches a node.

use appliance_wire::{ItemSignature, RequestStatus};
use serde::{Deserialize, Serialize};

use super::{FlowError, fits::fits, signing};
use crate::{
    Client,
    journal::{Drafted, Imported, Journal, Next, Transaction, Withdrawal, WithdrawalId},
};

const FORMAT: &str = "chancery-withdrawal-1";

/// A withdrawal with its last transaction, unsigned or signed. Holds no secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Portable {
    /// `chancery-withdrawal-1`.
    pub format: String,
    /// As the journal keeps it.
    pub withdrawal: Withdrawal,
    /// Those of the last transaction, as the signer answered; none while it is not signed.
    #[serde(default)]
    pub signatures: Vec<ItemSignature>,
    /// The entry of the signer's audit log that holds them.
    #[serde(default)]
    pub entry: Option<u64>,
}

impl Portable {
    /// The withdrawal as it stands.
    ///
    /// # Errors
    /// [`FlowError::Portable`] where it has no transaction yet; see [`FlowError`].
    pub fn export(journal: &Journal, id: &WithdrawalId) -> Result<Self, FlowError> {
        let withdrawal = journal.withdrawal(id)?;
        if withdrawal.transactions.is_empty() {
            return Err(FlowError::Portable(format!("{id} has no transaction yet: {}", why_not(&withdrawal))));
        }
        Ok(Self { format: FORMAT.to_owned(), withdrawal, signatures: Vec::new(), entry: None })
    }

    /// Has the last transaction signed. Needs the signer and no node; asked again it gives the same.
    ///
    /// # Errors
    /// [`FlowError::Signer`]; [`FlowError::Portable`] while it waits at the signer.
    pub async fn sign(mut self, client: &Client) -> Result<Self, FlowError> {
        self.check_format()?;
        let signed_before = self.withdrawal.transactions.iter().rev().find(|one| one.signed.is_some());
        let replaces = signed_before.map(|one| one.request_id.clone());
        let transaction = self.withdrawal.transactions.last();
        let transaction = transaction.ok_or_else(|| FlowError::Portable("it has no transaction".to_owned()))?;
        if transaction.signed.is_some() {
            return Err(FlowError::Portable(format!("{} is signed already", transaction.request_id)));
        }
        let (mut request, _) = signing::request(client, &transaction.draft).await?;
        request.replaces = replaces;
        let answer = client.sign(&transaction.request_id, &request).await?;
        if answer.status != RequestStatus::Signed {
            let (id, status) = (&transaction.request_id, answer.status);
            return Err(FlowError::Portable(format!("{id} is not signed but {status:?}; the same command asks again")));
        }
        self.signatures = answer.signatures.unwrap_or_default();
        self.entry = answer.entry;
        Ok(self)
    }

    /// Takes the signatures into a journal: into the one that drafted the transaction, or into one that never heard of
    /// the withdrawal. The signed transaction is put together here, of the file's parts.
    ///
    /// # Errors
    /// [`FlowError::Portable`] where a signature does not fit its transaction;
    /// [`JournalError::Conflict`](crate::journal::JournalError) where the journal has another transaction.
    pub fn import(mut self, journal: &Journal) -> Result<Withdrawal, FlowError> {
        self.check_format()?;
        let id = self.withdrawal.id.clone();
        let strange = |one: &Transaction| one.signed.as_ref().is_some_and(|signed| !fits(&one.draft, signed));
        if let Some(strange) = self.withdrawal.transactions.iter().find(|one| strange(one)) {
            return Err(FlowError::Portable(format!("{}: what is signed is not what was drafted", strange.request_id)));
        }
        let last = self.withdrawal.transactions.last_mut();
        let last = last.ok_or_else(|| FlowError::Portable(format!("{id} has no transaction")))?;
        let signed = match &last.signed {
            Some(signed) if self.signatures.is_empty() => signed.clone(),
            Some(_) | None => {
                let owners = signing::owners(&last.draft, &self.signatures)?;
                signing::finish(&last.draft, &owners, &self.signatures)?
            }
        };
        last.signed = Some(signed.clone());
        last.entry = last.entry.or(self.entry);
        let draft = last.draft.clone();
        if let Ok(Next::Sign(drafted)) = journal.next(&id)
            && drafts_the_same(&drafted, &draft)
        {
            journal.record_signed(&drafted, signed, self.entry)?;
            return Ok(journal.withdrawal(&id)?);
        }
        match journal.import(&self.withdrawal, &signed)? {
            Imported::New(withdrawal) | Imported::Known(withdrawal) => Ok(withdrawal),
        }
    }

    fn check_format(&self) -> Result<(), FlowError> {
        if self.format == FORMAT {
            return Ok(());
        }
        Err(FlowError::Portable(format!("the file's format is \"{}\", and this release reads {FORMAT}", self.format)))
    }
}

fn drafts_the_same(drafted: &Drafted, draft: &crate::chains::Draft) -> bool {
    drafted.transaction().draft == *draft
}

fn why_not(withdrawal: &Withdrawal) -> &str {
    withdrawal.waiting.as_ref().map_or("it is drafted in the next round", |waiting| waiting.why.as_str())
}
