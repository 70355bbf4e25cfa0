//! The program `chancery-provision` on real SoftHSM tokens.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may end a test as the tests themselves do"
)]

mod ceremony;
mod harness;
mod init;
mod key;
mod pki;
mod quickstart;
mod replicate;
mod yubihsm;
