//! How often each fault's function was called, over all processes: a worker that ends must not begin the count anew.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::Path,
};

/// Counts one call for each identity; which call it was, from 1.
pub(crate) fn count(path: &Path, identities: &[u64]) -> io::Result<Vec<u64>> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    file.lock()?;
    let counted = count_locked(&mut file, identities);
    file.unlock()?;
    counted
}

fn count_locked(file: &mut File, identities: &[u64]) -> io::Result<Vec<u64>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let line = |line: &str| {
        let (identity, count) = line.split_once(' ')?;
        Some((identity.parse::<u64>().ok()?, count.parse::<u64>().ok()?))
    };
    let mut counts: Vec<(u64, u64)> = text.lines().filter_map(line).collect();
    let mut counted = Vec::new();
    for identity in identities {
        match counts.iter_mut().find(|(known, _)| known == identity) {
            Some((_, count)) => {
                *count += 1;
                counted.push(*count);
            }
            None => {
                counts.push((*identity, 1));
                counted.push(1);
            }
        }
    }
    let text: String = counts.iter().map(|(identity, count)| format!("{identity} {count}\n")).collect();
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    Ok(counted)
}
