//! The state as text: a line for each thing, a word for its kind, its bytes in hexadecimal. Behind the end comes what
//! happened to the log since, and perhaps the state anew.

use std::str;

use zeroize::Zeroizing;

use super::{Certified, State};
use crate::{
    simulator::{
        audit::Audit,
        log::{Changes, Log},
        objects::{Object, Objects},
    },
    yubihsm2::protocol::{LogEntries, LogEntry, ObjectInfo, ObjectType, Reader},
};

const FIRST_LINE: &str = "simulated yubihsm 2, version 1";
const LAST_LINE: &str = "end";
const ENTRY: &str = "entry";
const RELEASED: &str = "released";

/// All but the log.
pub(super) fn write_head(state: &State) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{FIRST_LINE}\n"));
    let mut line = |word: &str, parts: &[&[u8]]| write_line(&mut text, word, parts);
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
    text
}

/// The log as it is, and the end of what is written at once.
pub(super) fn write_log(log: &Log) -> String {
    let mut text = String::new();
    write_line(&mut text, "log", &[&log.next.to_be_bytes(), &log.digest, &log.read().encode()]);
    write_line(&mut text, LAST_LINE, &[]);
    text
}

/// What happened to the log later, to stand behind the end.
pub(super) fn write_changes(changes: &Changes) -> String {
    let mut text = String::new();
    if let Some(number) = changes.released {
        write_line(&mut text, RELEASED, &[&number.to_be_bytes()]);
    }
    changes.taken.iter().for_each(|entry| write_line(&mut text, ENTRY, &[&entry.encode()]));
    text
}

fn write_line(text: &mut String, word: &str, parts: &[&[u8]]) {
    text.push_str(word);
    for part in parts {
        text.push(' ');
        text.push_str(&Zeroizing::new(hex::encode(part)));
    }
    text.push('\n');
}

/// The newest state that was written whole, with what happened to its log; otherwise the number of the first line that is
/// wrong. The bytes end with a line.
pub(super) fn read(bytes: &[u8]) -> Result<State, usize> {
    let text = str::from_utf8(bytes).map_err(|_| 1_usize)?;
    let mut state: Option<State> = None;
    let mut parts: Option<Parts> = None;
    let mut count = 0;
    for line in text.lines() {
        count += 1;
        if line == FIRST_LINE {
            // One that was begun and has no end is of a process that was killed.
            parts = Some(Parts::default());
        } else if let Some(begun) = &mut parts {
            if !begun.read_line(line).ok_or(count)? {
                state = Some(parts.take().and_then(Parts::into_state).ok_or(count)?);
            }
        } else {
            state.as_mut().and_then(|state| read_change(line, &mut state.log)).ok_or(count)?;
        }
    }
    state.ok_or(count + 1)
}

fn read_change(line: &str, log: &mut Log) -> Option<()> {
    let (word, digits) = line.split_once(' ')?;
    let bytes = hex::decode(digits).ok()?;
    match word {
        ENTRY => log.take(LogEntry::decode(&bytes).ok()?),
        RELEASED => log.release(u16::from_be_bytes(bytes.try_into().ok()?)).then_some(())?,
        _ => return None,
    }
    Some(())
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
