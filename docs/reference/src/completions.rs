//! Completions of the programs' command lines, under the names their shells look for.

use std::{fs, path::Path};

use clap::Command;
use clap_complete::{Generator, Shell, generate};

use crate::{Error, programs};

/// Writes `SHELL/FILE` of every program for bash, zsh and fish below `directory`.
///
/// # Errors
///
/// Where it may not write there.
pub(crate) fn write(directory: &Path) -> Result<(), Error> {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let folder = directory.join(shell.to_string());
        fs::create_dir_all(&folder).map_err(Error::writing(&folder))?;
        for program in programs::all() {
            let name = program.get_name().to_owned();
            let path = folder.join(file_name(shell, &name));
            let mut script = Vec::new();
            generate(shell, &mut without_hidden(&program), name, &mut script);
            fs::write(&path, script).map_err(Error::writing(&path))?;
        }
    }
    Ok(())
}

/// Where bash and its loader, zsh's `compinit` and fish look: <https://github.com/scop/bash-completion> wants the
/// command's name alone.
fn file_name(shell: Shell, program: &str) -> String {
    if shell == Shell::Bash { program.to_owned() } else { shell.file_name(program) }
}

/// What completion needs of a command, without hidden subcommands: the generators offer those, too.
fn without_hidden(command: &Command) -> Command {
    let mut shown = Command::new(kept(command.get_name()))
        .args(command.get_arguments().cloned())
        .groups(command.get_groups().cloned())
        .subcommands(command.get_subcommands().filter(|inner| !inner.is_hide_set()).map(without_hidden));
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    match command.get_version() {
        Some(version) => shown.version(kept(version)),
        None => shown,
    }
}

/// For the rest of this short program: clap asks for names that live so long.
fn kept(name: &str) -> &'static str {
    name.to_owned().leak()
}
