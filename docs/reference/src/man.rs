//! Man pages: one a program, one a subcommand (`chancery-audit-verify.1`).

use std::{fs, path::Path};

use clap::Command;
use clap_mangen::Man;

use crate::{Error, programs};

/// Writes every page into `directory`.
///
/// # Errors
///
/// Where it may not write there.
pub(crate) fn write(directory: &Path) -> Result<(), Error> {
    fs::create_dir_all(directory).map_err(Error::writing(directory))?;
    for program in programs::all() {
        let source = format!("chancery {}", program.get_version().unwrap_or_default());
        // `help` says what the pages say.
        let mut program = program.disable_help_subcommand(true);
        program.build();
        write_pages(&program, &source, directory)?;
    }
    Ok(())
}

fn write_pages(command: &Command, source: &str, directory: &Path) -> Result<(), Error> {
    // No date: that of the build would make every build another one.
    let page = Man::new(command.clone()).source(source).manual("Chancery");
    let path = directory.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).map_err(Error::writing(&path))?;
    fs::write(&path, text).map_err(Error::writing(&path))?;
    command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .try_for_each(|inner| write_pages(inner, source, directory))
}
