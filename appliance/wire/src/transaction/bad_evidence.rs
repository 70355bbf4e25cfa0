//! Why evidence is refused.

/// Evidence the appliance does not sign for: each variant's text says where and why. Inputs and outputs are counted
/// from 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadEvidence {
    /// The data is no base64.
    #[error("evidence.data is no base64")]
    Base64,
    /// A format nobody reads.
    #[error("evidence.format \"{0}\" is not known: write psbt or eip2718")]
    Format(String),

    /// The five bytes every PSBT begins with are not there.
    #[error("the data is no PSBT: it does not begin with 70736274ff (BIP 174)")]
    NotPsbt,
    /// The data ends inside a map.
    #[error("the PSBT ends in the middle of one of its maps")]
    PsbtTruncated,
    /// Bytes after the last map.
    #[error("{0} bytes follow the PSBT's last map: one map for the transaction, each input and each output, no more")]
    PsbtTrailing(usize),
    /// BIP 174 forbids it in every map.
    #[error(
        "map {map} of the PSBT (0 is the global one) has a key twice: the key that begins with type {key_type:#04x}"
    )]
    PsbtDuplicateKey {
        /// 0: global, then the inputs', then the outputs'.
        map: usize,
        /// The key's first byte.
        key_type: u8,
    },
    /// More entries than a transaction of 256 inputs and 1000 outputs can need.
    #[error("the PSBT has more than {0} entries: leave out what is not needed to sign")]
    PsbtTooManyPairs(usize),
    /// A tree of scripts nobody here looks at, and costly to read.
    #[error("output {0} of the PSBT has a taproot tree: leave it out, it is not looked at")]
    PsbtTaprootTree(usize),
    /// Not PSBT version 0, or a field that cannot be read.
    #[error("the PSBT cannot be read as version 0 (BIP 174): {0}")]
    Psbt(String),
    /// No node would relay it.
    #[error("the unsigned transaction has {length} bytes, at most {most} are signed: split it")]
    TransactionTooLarge {
        /// Of the unsigned transaction.
        length: usize,
        /// Bytes.
        most: usize,
    },
    /// None or too many inputs.
    #[error("the transaction has {count} inputs: 1 to {most} are signed")]
    InputCount {
        /// As read.
        count: u64,
        /// The most.
        most: usize,
    },
    /// None or too many outputs.
    #[error("the transaction has {count} outputs: 1 to {most} are signed")]
    OutputCount {
        /// As read.
        count: usize,
        /// The most.
        most: usize,
    },
    /// An input nobody here signs.
    #[error("input {index}: {why}")]
    Input {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        why: BadInput,
    },
    /// An output that no node would relay.
    #[error("output {index} pays {amount} base units, too few to be relayed: its script needs at least {least} (dust)")]
    Dust {
        /// Counted from 0.
        index: usize,
        /// Base units.
        amount: u64,
        /// Base units.
        least: u64,
    },
    /// More than there can be coins.
    #[error("the {0} of the transaction are worth more base units than there can be")]
    AmountTooLarge(&'static str),
    /// The transaction makes money.
    #[error("the outputs, {outputs} base units, are above the inputs, {inputs}")]
    OutputsExceedInputs {
        /// Base units.
        inputs: u64,
        /// Base units.
        outputs: u64,
    },

    /// No transaction at all.
    #[error("the transaction has no bytes")]
    Empty,
    /// A transaction type (EIP-2718) nobody here signs.
    #[error(
        "transaction type {0:#04x} is not signed: write a legacy transaction with chain id, type 0x01 (EIP-2930) or \
         type 0x02 (EIP-1559)"
    )]
    TransactionType(u8),
    /// Not RLP, or a field too many, too few or too large.
    #[error("the unsigned transaction cannot be read: {0}")]
    Rlp(String),
    /// Readable, but other bytes than those that are hashed to be signed.
    #[error(
        "the data is not exactly what is hashed to be signed: no signature, no leading zeros, nothing left over, and \
         chain id, 0, 0 at the end of a legacy transaction (EIP-155)"
    )]
    NotSigningForm,
    /// A transaction that could be replayed on other chains.
    #[error("the legacy transaction names no chain id (EIP-155): it could be sent on every chain")]
    NoChainId,
    /// A chain id out of bounds.
    #[error("chain id {0} is out of bounds: 1 to 2^53 - 1")]
    ChainId(u64),
    /// The last nonce, which no transaction may use (EIP-2681).
    #[error("nonce 2^64 - 1 is never valid (EIP-2681)")]
    Nonce,
    /// No `to`.
    #[error("the transaction creates a contract: only transactions with a recipient are signed")]
    ContractCreation,
    /// Never valid (EIP-1559).
    #[error("max_priority_fee_per_gas is above max_fee_per_gas")]
    PriorityFee,
    /// What it can cost does not fit 256 bits.
    #[error("value, and gas limit times the price of gas, do not fit 256 bits together")]
    CostTooLarge,
}

/// What is wrong with an input.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadInput {
    /// An earlier input has its outpoint.
    #[error("spends {0}, which an earlier input spends")]
    SpentTwice(String),
    /// Its script or its witness is final.
    #[error("is finalised: only unsigned inputs are signed")]
    Finalised,
    /// The previous transaction is left out.
    #[error("has no non_witness_utxo: every input needs its full previous transaction, segwit inputs too")]
    NoPreviousTransaction,
    /// Another transaction is given as the previous one.
    #[error("its non_witness_utxo is transaction {given}, but it spends {spent}")]
    WrongPreviousTransaction {
        /// Id of what is there.
        given: String,
        /// Id of what is spent.
        spent: String,
    },
    /// The previous transaction has fewer outputs.
    #[error("spends output {0} of a transaction that has fewer outputs")]
    NoPreviousOutput(u32),
    /// `witness_utxo` and the previous transaction differ.
    #[error(
        "its witness_utxo is not the output it spends: amount and script must be those of the previous transaction"
    )]
    WrongWitnessUtxo,
    /// Anything but SIGHASH_ALL.
    #[error("asks for sighash type {0:#x}: only SIGHASH_ALL (0x1), or none given, is signed")]
    SighashType(u32),
    /// A taproot output.
    #[error("spends a taproot output: only p2wpkh, p2sh-p2wpkh, p2pkh and p2wsh multisig are signed")]
    Taproot,
    /// Any other script.
    #[error("spends a script of no known form: only p2wpkh, p2sh-p2wpkh, p2pkh and p2wsh multisig are signed")]
    UnknownScript,
    /// A script hash without its script.
    #[error("spends a script hash: give its script as redeem_script")]
    NoRedeemScript,
    /// A script that is not the one hashed, or given where the output has no script hash.
    #[error("its redeem_script is not what the output it spends asks for")]
    WrongRedeemScript,
    /// P2SH-P2WSH.
    #[error("spends a witness script hash inside a script hash (p2sh-p2wsh), which is not signed: use p2wsh")]
    NestedWitnessScript,
    /// A script hash whose script is something else.
    #[error("its redeem_script is no p2wpkh: of script hashes only p2sh-p2wpkh is signed")]
    UnknownRedeemScript,
    /// A witness script hash without its script.
    #[error("spends a witness script hash: give its script as witness_script")]
    NoWitnessScript,
    /// A script that is not the one hashed, or given where the output has no witness script hash.
    #[error("its witness_script is not what the output it spends asks for")]
    WrongWitnessScript,
    /// Not a standard multisig.
    #[error(
        "its witness_script is no plain multisig: OP_m, 1 to 16 different compressed keys, OP_n, OP_CHECKMULTISIG, m \
         at most n"
    )]
    NotMultisig,
    /// Never on an input that exists.
    #[error("its digest cannot be computed")]
    Digest,
}

impl BadInput {
    pub(super) fn of(self, index: usize) -> BadEvidence {
        BadEvidence::Input { index, why: self }
    }
}
