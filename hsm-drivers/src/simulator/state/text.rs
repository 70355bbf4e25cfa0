//! The state as text: a line for each thing, a word for its kind, its bytes in hexadecimal.

use std::str;

use zeroize::Zeroizing;

use super::{Certified, State};
use crate::{
    simulator::{
        audit::Audit,
        log::Log,
        objects::{Object, Objects},
    },
    yubihsm2::protocol::{LogEntries, ObjectInfo, ObjectType, Reader},
};

const FIRST_LINE: &str = "simulated yubihsm 2, version 1";
const LAST_LINE: &str = "end";

/// The whole file.
pub(super) fn write(state: &State) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(format!("{FIRST_LINE}\n"));
    let mut line = |word: &str, parts: &[&[u8]]| {
        text.push_str(word);
        for part in parts {
            text.push(' ');
            text.push_str(&Zeroizing::new(hex::encode(part)));
        }
        text.push('\n');
    };
    line("serial", &[&state.serial.to_be_bytes()]);
    line("maker", &[&state.maker.key, &state.maker.certificate]);
    line("attestation", &[&state.attestation.key]);
    line("force-audit", &[&[state.audit.force]]);
    for (command, value) in &state.audit.commands {
        line("command-audit", &[&[*command, *value]]);
    }
    for ((object_type, id), sequence) in &state.objects.sequences {
        line("sequence", &[&[object_type.0], &id.to_be_bytes(), &[*sequence]]);
    }
    for object in state.objects.held.values() {
        line("object", &[&object.info.encode(), &object.value]);
    }
    line("log", &[&state.log.next.to_be_bytes(), &state.log.digest, &state.log.read().encode()]);
    line(LAST_LINE, &[]);
    Zeroizing::new(text.as_bytes().to_vec())
}

/// What [`write`] wrote; otherwise the number of the first line that is wrong.
pub(super) fn read(bytes: &[u8]) -> Result<State, usize> {
    let text = str::from_utf8(bytes).map_err(|_| 1_usize)?;
    let mut parts = Parts::default();
    let mut count = 0;
    for line in text.lines() {
        count += 1;
        let is_edge = match count {
            1 => (line == FIRST_LINE).then_some(true).ok_or(count)?,
            _ => false,
        };
        if is_edge || parts.read_line(line).ok_or(count)? {
            continue;
        }
        return parts.into_state().ok_or(count);
    }
    Err(count + 1)
}

/// What was read so far.
#[derive(Default)]
struct Parts {
    serial: Option<u32>,
    maker: Option<Certified>,
    attestation: Option<Certified>,
    audit: Audit,
    objects: Objects,
    log: Option<Log>,
}

impl Parts {
    /// Whether there may be more lines. None: this one is wrong.
    fn read_line(&mut self, line: &str) -> Option<bool> {
        let mut words = line.split(' ');
        let word = words.next()?;
        let fields = words.map(|digits| hex::decode(digits).ok().map(Zeroizing::new));
        let fields: Vec<Zeroizing<Vec<u8>>> = fields.collect::<Option<_>>()?;
        let fields: Vec<&[u8]> = fields.iter().map(|field| &field[..]).collect();
        match (word, &fields[..]) {
            ("serial", [serial]) => self.serial = Some(u32::from_be_bytes((*serial).try_into().ok()?)),
            ("maker", [key, certificate]) => self.maker = Some(certified(key, certificate)),
            ("attestation", [key]) => self.attestation = Some(certified(key, &[])),
            ("force-audit", [[force]]) => self.audit.force = *force,
            ("command-audit", [[command, value]]) => drop(self.audit.commands.insert(*command, *value)),
            ("sequence", [[object_type], id, [sequence]]) => {
                let id = u16::from_be_bytes((*id).try_into().ok()?);
                self.objects.sequences.insert((ObjectType(*object_type), id), *sequence);
            }
            ("object", [info, value]) => {
                let (info, value) = (ObjectInfo::decode(info).ok()?, Zeroizing::new(value.to_vec()));
                self.objects.held.insert((info.object_type, info.id), Object { info, value });
            }
            ("log", [next, digest, entries]) => self.log = Some(read_log(next, digest, entries)?),
            (LAST_LINE, []) => return Some(false),
            _ => return None,
        }
        Some(true)
    }

    fn into_state(self) -> Option<State> {
        Some(State {
            serial: self.serial?,
            maker: self.maker?,
            attestation: self.attestation?,
            objects: self.objects,
            audit: self.audit,
            log: self.log?,
        })
    }
}

fn certified(key: &[u8], certificate: &[u8]) -> Certified {
    Certified { key: Zeroizing::new(key.to_vec()), certificate: certificate.to_vec() }
}

fn read_log(next: &[u8], digest: &[u8], entries: &[u8]) -> Option<Log> {
    let next = Reader::new(next).u16().ok()?;
    let LogEntries { unlogged_boots, unlogged_authentications, entries } = LogEntries::decode(entries).ok()?;
    let digest = digest.try_into().ok()?;
    Some(Log { entries: entries.into(), next, digest, unlogged_boots, unlogged_authentications })
}
