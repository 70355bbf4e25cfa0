//! The state as text: a line for each thing, a word for its kind, its bytes in hexadecimal. Behind the end come the
//! entries that the log took since.

use std::str;

use zeroize::Zeroizing;

use super::{Certified, State};
use crate::{
    simulator::{
        audit::Audit,
        log::Log,
        objects::{Object, Objects},
    },
    yubihsm2::protocol::{LogEntries, LogEntry, ObjectInfo, ObjectType, Reader},
};

const FIRST_LINE: &str = "simulated yubihsm 2, version 1";
const LAST_LINE: &str = "end";
const ENTRY: &str = "entry";

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

/// Entries that came into the log later, to stand behind the end.
pub(super) fn write_entries(entries: &[LogEntry]) -> String {
    let mut text = String::new();
    entries.iter().for_each(|entry| write_line(&mut text, ENTRY, &[&entry.encode()]));
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

/// What was written; otherwise the number of the first line that is wrong.
pub(super) fn read(bytes: &[u8]) -> Result<State, usize> {
    // A last line that is not whole is of a process that was killed before it answered.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').and_then(|end| bytes.get(..end)).unwrap_or_default();
    let text = str::from_utf8(whole).map_err(|_| 1_usize)?;
    let mut lines = text.lines().zip(1_usize..);
    lines.next().filter(|(line, _)| *line == FIRST_LINE).ok_or(1_usize)?;
    let mut parts = Parts::default();
    let mut last = 1;
    loop {
        let (line, number) = lines.next().ok_or(last + 1)?;
        last = number;
        if !parts.read_line(line).ok_or(number)? {
            break;
        }
    }
    let mut state = parts.into_state().ok_or(last)?;
    for (line, number) in lines {
        state.log.take(read_entry(line).ok_or(number)?);
    }
    Ok(state)
}

fn read_entry(line: &str) -> Option<LogEntry> {
    let bytes = hex::decode(line.strip_prefix(ENTRY)?.strip_prefix(' ')?).ok()?;
    LogEntry::decode(&bytes).ok()
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
