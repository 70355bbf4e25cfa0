//! The packages, as `make deb PROFILE=dev` builds them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{machine::Machine, told};
use crate::harness::typed;

pub(super) struct Packages {
    files: Vec<PathBuf>,
    /// Holds `files`, where they were made here.
    _directory: Option<TempDir>,
}

impl Packages {
    /// Both packages of this tree.
    pub(super) fn built() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // This binary is `reference`, too: it need not be built again.
        let reference = directory.path().join("reference");
        symlink(std::env::current_exe().unwrap(), &reference).unwrap();
        let output =
            typed(".ci/package").arg("dev").env("REFERENCE", reference).stderr(Stdio::inherit()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), ".ci/package dev: {}\n{said}", output.status);
        let files: Vec<PathBuf> = said.lines().filter(|line| line.ends_with(".deb")).map(PathBuf::from).collect();
        assert_eq!(files.len(), 2, "{said}");
        Self { files, _directory: None }
    }

    /// The same programs under another version.
    pub(super) fn renumbered(&self, version: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = self.files.iter().enumerate().map(|(number, package)| {
            let (content, file) = (directory.path().join("content"), directory.path().join(format!("{number}.deb")));
            told(Command::new("dpkg-deb").arg("--raw-extract").args([package, &content]));
            let control = fs::read_to_string(content.join("DEBIAN/control")).unwrap();
            let change = |line: &str| {
                if line.starts_with("Version: ") { format!("Version: {version}\n") } else { format!("{line}\n") }
            };
            let changed: String = control.lines().map(change).collect();
            fs::write(content.join("DEBIAN/control"), changed).unwrap();
            told(Command::new("dpkg-deb").args(["-Znone", "--root-owner-group", "--build"]).args([&content, &file]));
            fs::remove_dir_all(&content).unwrap();
            file
        });
        Self { files: files.collect(), _directory: Some(directory) }
    }

    /// What dpkg says of a field, of each package.
    pub(super) fn field(&self, name: &str) -> Vec<String> {
        let field = |file: &PathBuf| told(Command::new("dpkg-deb").arg("--field").arg(file).arg(name));
        self.files.iter().map(|file| field(file).trim().to_owned()).collect()
    }

    /// Installs both, as `dpkg` does: with every dependency there already, or not at all.
    pub(super) fn install(&self, machine: &Machine) -> String {
        let place = |file: &PathBuf| Path::new("/root").join(file.file_name().unwrap());
        let mut command = machine.command(&["dpkg", "--install"]);
        for file in &self.files {
            fs::copy(file, machine.path(place(file))).unwrap();
            command.arg(place(file));
        }
        told(&mut command)
    }
}
