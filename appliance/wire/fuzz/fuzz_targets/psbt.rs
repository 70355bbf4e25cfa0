#![no_main]

#[path = "../checks/psbt.rs"]
mod psbt;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    psbt::check(data);
});
