#![no_main]

#[path = "../checks/eip2718.rs"]
mod eip2718;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    eip2718::check(data);
});
