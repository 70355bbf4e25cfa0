//! The one form of message that is signed here: a payment of SOL that uses a durable nonce. Knows no node and no key.
//!
//! Layouts, by the Solana documentation: the message (header, account addresses, blockhash, instructions) is of "Transaction
//! format", with compact-u16 for lengths; the instructions are of the System program (`solana_system_interface`'s
//! `SystemInstruction` in bincode: a number of 4 bytes, then the fields) and of the Memo program, version 2 (its data is the
//! text). That the nonce stands for the blockhash, and that the first instruction advances it, is of "Durable nonces".

mod read;
#[cfg(test)]
mod tests;

use super::Address;

/// What the message moves, and the nonce it uses up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payment {
    /// Who pays amount and fee, and has authority over the nonce: the only signer.
    pub payer: Address,
    /// The account of the nonce.
    pub nonce_account: Address,
    /// Its nonce. Once used it never comes back, so of all messages with it one can be executed at most.
    pub nonce: [u8; 32],
    /// Who is paid.
    pub destination: Address,
    /// How much, in 10^-9 SOL.
    pub lamports: u64,
    /// What the payment carries for its receiver.
    pub memo: Option<String>,
}

/// Why there is no such message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadMessage {
    /// A memo the program would not take.
    #[error("the memo has {length} bytes; 1 to {LONGEST_MEMO} fit")]
    Memo {
        /// What it has.
        length: usize,
    },
    /// Money sent to a program, or into the nonce account, is nobody's.
    #[error("{destination} is no account that could spend what it is paid")]
    Destination {
        /// It.
        destination: Address,
    },
    /// Bytes that are no message, or say more than a payment.
    #[error("the message is not a payment as it is made here: {0}")]
    Form(&'static str),
    /// The draft's words and its message differ, or the signature is another's.
    #[error("the draft is not to be signed or sent: {0}")]
    Draft(&'static str),
}

/// What the Memo program takes in one transaction (its documentation: 566 bytes without signers).
pub const LONGEST_MEMO: usize = 566;
/// A packet of 1,232 bytes less one signature and their number (Solana documentation, "Transaction size").
const LONGEST_MESSAGE: usize = 1_232 - 65;

const SYSTEM_PROGRAM: Address = Address([0; 32]);
const MEMO_PROGRAM: Address = Address(decoded(b"MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"));
const RECENT_BLOCKHASHES: Address = Address(decoded(b"SysvarRecentB1ockHashes11111111111111111111"));

/// The first version of the Memo program, which others still use.
const OLD_MEMO_PROGRAM: Address = Address(decoded(b"Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"));

/// `SystemInstruction::Transfer`.
const TRANSFER: u32 = 2;
/// `SystemInstruction::AdvanceNonceAccount`.
const ADVANCE_NONCE: u32 = 4;

const fn decoded(address: &[u8]) -> [u8; 32] {
    bs58::decode(address).into_array_const_unwrap()
}

/// Whether instructions of this program are memos.
pub(super) fn is_memo_program(address: &Address) -> bool {
    [MEMO_PROGRAM, OLD_MEMO_PROGRAM].contains(address)
}

/// An instruction, not yet told where its accounts are.
struct Instruction {
    program: Address,
    accounts: Vec<Address>,
    data: Vec<u8>,
}

impl Payment {
    /// The bytes that are signed.
    ///
    /// # Errors
    /// [`BadMessage::Memo`], [`BadMessage::Destination`].
    pub fn message(&self) -> Result<Vec<u8>, BadMessage> {
        self.check()?;
        let (accounts, read_only) = self.accounts();
        let mut message = vec![1, 0, read_only];
        push_length(&mut message, accounts.len())?;
        accounts.iter().for_each(|account| message.extend(account.0));
        message.extend(self.nonce);
        let instructions = self.instructions();
        push_length(&mut message, instructions.len())?;
        for instruction in &instructions {
            message.push(place(&accounts, &instruction.program)?);
            push_length(&mut message, instruction.accounts.len())?;
            for account in &instruction.accounts {
                message.push(place(&accounts, account)?);
            }
            push_length(&mut message, instruction.data.len())?;
            message.extend(&instruction.data);
        }
        if message.len() > LONGEST_MESSAGE {
            return Err(BadMessage::Form("it is too long for a packet"));
        }
        Ok(message)
    }

    fn check(&self) -> Result<(), BadMessage> {
        if let Some(memo) = &self.memo
            && !(1..=LONGEST_MEMO).contains(&memo.len())
        {
            return Err(BadMessage::Memo { length: memo.len() });
        }
        let ours = [SYSTEM_PROGRAM, MEMO_PROGRAM, OLD_MEMO_PROGRAM, RECENT_BLOCKHASHES, self.nonce_account];
        if ours.contains(&self.destination) {
            return Err(BadMessage::Destination { destination: self.destination });
        }
        if ours[..4].contains(&self.nonce_account) || [self.nonce_account, SYSTEM_PROGRAM].contains(&self.payer) {
            return Err(BadMessage::Form("payer, nonce account and programs must be different accounts"));
        }
        Ok(())
    }

    /// The signer first, then what is written, then what is only read, and how many those are. Within each they are
    /// sorted, which nothing asks for: so one payment has one message.
    fn accounts(&self) -> (Vec<Address>, u8) {
        let mut written = vec![self.nonce_account, self.destination];
        written.retain(|account| *account != self.payer);
        written.sort_unstable();
        let mut read = vec![SYSTEM_PROGRAM, RECENT_BLOCKHASHES];
        read.extend(self.memo.is_some().then_some(MEMO_PROGRAM));
        read.sort_unstable();
        let read_only = if self.memo.is_some() { 3 } else { 2 };
        ([vec![self.payer], written, read].concat(), read_only)
    }

    fn instructions(&self) -> Vec<Instruction> {
        let advance = Instruction {
            program: SYSTEM_PROGRAM,
            accounts: vec![self.nonce_account, RECENT_BLOCKHASHES, self.payer],
            data: ADVANCE_NONCE.to_le_bytes().to_vec(),
        };
        let transfer = Instruction {
            program: SYSTEM_PROGRAM,
            accounts: vec![self.payer, self.destination],
            data: [&TRANSFER.to_le_bytes()[..], &self.lamports.to_le_bytes()].concat(),
        };
        let memo = self.memo.as_ref().map(|memo| Instruction {
            program: MEMO_PROGRAM,
            accounts: Vec::new(),
            data: memo.clone().into_bytes(),
        });
        [advance, transfer].into_iter().chain(memo).collect()
    }
}

fn place(accounts: &[Address], wanted: &Address) -> Result<u8, BadMessage> {
    let place = accounts.iter().position(|account| account == wanted).and_then(|place| u8::try_from(place).ok());
    place.ok_or(BadMessage::Form("an account is missing"))
}

/// A compact-u16: seven bits a byte, the lowest first; the highest bit says that another byte follows.
fn push_length(message: &mut Vec<u8>, length: usize) -> Result<(), BadMessage> {
    let mut rest = u16::try_from(length).map_err(|_| BadMessage::Form("it is too long"))?;
    while rest > 0x7f {
        message.push((rest & 0x7f).to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    message.push(rest.to_le_bytes()[0]);
    Ok(())
}
