//! The anchor in a YubiHSM 2 that the ceremony set up.

use hsm_drivers::{
    Device,
    yubihsm2::protocol::{Command, ObjectType},
};
use libtest_mimic::Trial;

use super::Plugged;
use crate::trial;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm_anchor::an_interruption_anywhere_leaves_the_old_or_the_new", an_interruption_anywhere),
        trial("yubihsm_anchor::it_may_do_nothing_and_one_is_left", it_may_do_nothing),
        trial("yubihsm_anchor::each_writing_is_noted_as_two", each_writing_is_noted),
    ]
}

fn an_interruption_anywhere() {
    let mut cuts = 0;
    loop {
        let device = Plugged::ready(1);
        let mut serving = device.device();
        serving.write_anchor(b"first").unwrap();
        serving.write_anchor(b"old").unwrap();
        device.cut_after(cuts);
        let written = serving.write_anchor(b"new");
        let was_cut = device.mend();
        let read = device.device().read_anchor().unwrap().unwrap();
        if !was_cut {
            assert_eq!((written, read), (Ok(()), b"new".to_vec()));
            break;
        }
        assert!(written.is_err() && [&b"old"[..], b"new"].contains(&&read[..]), "cut after {cuts}: {read:?}");
        let mut again = device.device();
        again.write_anchor(b"newer").unwrap();
        assert_eq!(again.read_anchor().unwrap().unwrap(), b"newer", "cut after {cuts}");
        assert_eq!(device.count(ObjectType::OPAQUE), 1, "cut after {cuts}");
        cuts += 1;
    }
    assert!(cuts >= 5, "it was cut {cuts} times");
}

fn it_may_do_nothing() {
    let device = Plugged::ready(1);
    let mut serving = device.device();
    let mut ids = Vec::new();
    for number in 0..4_u8 {
        serving.write_anchor(&[number; 200]).unwrap();
        let objects = device.objects();
        let found: Vec<_> = objects.iter().filter(|info| info.object_type == ObjectType::OPAQUE).collect();
        let [anchor] = found[..] else { panic!("{found:?}") };
        assert_eq!((anchor.capabilities.0, anchor.delegated_capabilities.0, anchor.domains.0), (0, 0, 1));
        ids.push(anchor.id);
    }
    assert_eq!(ids, [0xff00, 0xff01, 0xff00, 0xff01]);
}

fn each_writing_is_noted() {
    let device = Plugged::ready(1);
    let mut serving = device.device();
    serving.write_anchor(b"first").unwrap();
    let log = serving.device_log().unwrap();
    let last = log.read().unwrap().entries.last().unwrap().number;
    log.acknowledge(last).unwrap();
    serving.write_anchor(b"second").unwrap();
    assert_eq!(serving.read_anchor().unwrap().unwrap(), b"second");
    let noted: Vec<u8> =
        serving.device_log().unwrap().read().unwrap().entries.iter().map(|entry| entry.command).collect();
    assert_eq!(noted, [Command::PUT_OPAQUE.0, Command::DELETE_OBJECT.0]);
}
