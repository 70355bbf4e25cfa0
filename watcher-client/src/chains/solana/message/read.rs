//! Messages read back. What is read is written again, and must be the same bytes: so nothing is overlooked.

use super::{Address, BadMessage, Payment};

impl Payment {
    /// What a message pays, where it is one that [`Payment::message`] makes.
    ///
    /// # Errors
    /// [`BadMessage::Form`] for every other.
    pub fn read(message: &[u8]) -> Result<Self, BadMessage> {
        let mut rest = Rest(message);
        rest.take::<3>()?;
        let accounts = (0..rest.length()?).map(|_| rest.take().map(Address)).collect::<Result<Vec<_>, _>>()?;
        let nonce = rest.take()?;
        let account = |place: Option<&u8>| {
            let account = place.and_then(|place| accounts.get(usize::from(*place)));
            account.copied().ok_or(BadMessage::Form("an instruction has an account that is not there"))
        };
        let count = rest.length()?;
        let (advanced, _) = rest.instruction()?;
        let (paid, transfer) = rest.instruction()?;
        let lamports = transfer.get(4..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        let memo = if count == 3 { Some(rest.instruction()?.1) } else { None };
        let memo = memo.map(|memo| String::from_utf8(memo.to_vec())).transpose();
        let payment = Self {
            payer: account(paid.first())?,
            nonce_account: account(advanced.first())?,
            nonce,
            destination: account(paid.get(1))?,
            lamports: lamports.ok_or(BadMessage::Form("its second instruction is no transfer"))?,
            memo: memo.map_err(|_| BadMessage::Form("its memo is no text"))?,
        };
        if payment.message()? == message { Ok(payment) } else { Err(BadMessage::Form("it says something else, too")) }
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], BadMessage> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(ENDS)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], BadMessage> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(ENDS)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A compact-u16; lengths here never need its third byte.
    fn length(&mut self) -> Result<usize, BadMessage> {
        let [low] = self.take()?;
        if low < 0x80 {
            return Ok(low.into());
        }
        let [high] = self.take()?;
        if high < 0x80 { Ok(usize::from(low & 0x7f) | usize::from(high) << 7) } else { Err(ENDS) }
    }

    /// Its accounts and its data.
    fn instruction(&mut self) -> Result<(&'a [u8], &'a [u8]), BadMessage> {
        self.take::<1>()?;
        let accounts = self.length().and_then(|length| self.slice(length))?;
        let data = self.length().and_then(|length| self.slice(length))?;
        Ok((accounts, data))
    }
}

const ENDS: BadMessage = BadMessage::Form("it ends too early");
