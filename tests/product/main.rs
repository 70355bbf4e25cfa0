//! The whole product under test: real processes, a real SoftHSM token, real TLS.
//!
//! This one binary is also each of the programs: run under the name `chancery`, it is `chancery`. So tests start exactly
//! what they were built with, and nothing is looked for under `target/`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod api_schema;
mod approvals;
mod archive;
mod audit_show;
mod bad_evidence;
mod bad_input;
mod bad_token;
mod book;
mod ceremony;
mod certificates;
mod children;
mod clients;
mod console;
mod container;
mod crash;
mod device_faults;
mod device_log;
mod doctor;
mod durability;
mod ethereum;
mod events;
mod evm_chain;
mod exactly_once;
mod explain;
mod export;
mod flows;
mod freeze;
mod harness;
mod idempotency;
mod keys;
mod limits;
mod litecoin;
mod mirror;
mod monitoring;
mod mutations;
mod notify;
mod officers;
mod operator_cli;
mod package;
mod policy_tools;
mod power_cut;
mod problem_codes;
mod proofs;
mod rates;
mod recover;
mod rollback;
mod scale;
mod secrets;
mod several_tokens;
mod shape;
mod small_disk;
mod solana;
mod tamper;
mod the_way;
mod token_gone;
mod units;
mod upgrade;
mod utxo_chain;
mod verified;
mod watcher_cli;
mod withdrawals;
mod witness;
mod worker_privileges;
mod yubihsm;

fn main() -> ExitCode {
    if let Some(code) = harness::program().or_else(mutations::program) {
        return code;
    }
    let trials: Vec<Trial> = [
        api_schema::trials(),
        approvals::trials(),
        archive::trials(),
        audit_show::trials(),
        bad_evidence::trials(),
        bad_input::trials(),
        bad_token::trials(),
        book::trials(),
        ceremony::trials(),
        certificates::trials(),
        children::trials(),
        clients::trials(),
        console::trials(),
        container::trials(),
        crash::trials(),
        device_faults::trials(),
        device_log::trials(),
        doctor::trials(),
        durability::trials(),
        ethereum::trials(),
        events::trials(),
        evm_chain::trials(),
        exactly_once::trials(),
        explain::trials(),
        export::trials(),
        flows::trials(),
        freeze::trials(),
        idempotency::trials(),
        keys::trials(),
        limits::trials(),
        litecoin::trials(),
        mirror::trials(),
        monitoring::trials(),
        mutations::trials(),
        notify::trials(),
        officers::trials(),
        operator_cli::trials(),
        package::trials(),
        policy_tools::trials(),
        power_cut::trials(),
        problem_codes::trials(),
        proofs::trials(),
        rates::trials(),
        recover::trials(),
        rollback::trials(),
        scale::trials(),
        secrets::trials(),
        several_tokens::trials(),
        shape::trials(),
        small_disk::trials(),
        solana::trials(),
        tamper::trials(),
        the_way::trials(),
        token_gone::trials(),
        units::trials(),
        upgrade::trials(),
        utxo_chain::trials(),
        verified::trials(),
        watcher_cli::trials(),
        withdrawals::trials(),
        witness::trials(),
        worker_privileges::trials(),
        yubihsm::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
