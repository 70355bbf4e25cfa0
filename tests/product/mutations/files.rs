//! Directories held in memory, so that one of which a byte differs is made in a millisecond. Knows nothing of a log.

use std::{collections::BTreeMap, fs, path::Path};

/// What is under a directory, by path: the bytes of a file, or that it is a directory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Option<Vec<u8>>>);

impl Files {
    /// What is under these names of a directory.
    pub(crate) fn read(directory: &Path, names: &[&str]) -> Self {
        let mut files = Self::default();
        for name in names {
            files.add(directory, name);
        }
        files
    }

    fn add(&mut self, directory: &Path, name: &str) {
        let path = directory.join(name);
        if name.ends_with("/ballast") {
            return; // megabytes that nobody reads
        }
        if !path.is_dir() {
            let bytes = fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"));
            self.0.insert(name.to_owned(), Some(bytes));
            return;
        }
        self.0.insert(name.to_owned(), None);
        for entry in fs::read_dir(path).unwrap() {
            self.add(directory, &format!("{name}/{}", entry.unwrap().file_name().to_str().unwrap()));
        }
    }

    /// Makes the directory anew, with this and nothing else.
    pub(crate) fn write(&self, directory: &Path) {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).unwrap();
        self.write_into(directory);
    }

    /// Writes this into a directory that has nothing of these names.
    pub(crate) fn write_into(&self, directory: &Path) {
        for (name, content) in &self.0 {
            match content {
                Some(bytes) => fs::write(directory.join(name), bytes).unwrap(),
                None => fs::create_dir_all(directory.join(name)).unwrap(),
            }
        }
    }

    /// Names of the files.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().filter(|(_, content)| content.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// The bytes of a file; none where there is no such file.
    pub(crate) fn bytes(&self, name: &str) -> Option<&Vec<u8>> {
        self.0.get(name)?.as_ref()
    }

    pub(crate) fn bytes_mut(&mut self, name: &str) -> Option<&mut Vec<u8>> {
        self.0.get_mut(name)?.as_mut()
    }

    /// A part of it: what has one of these names, or is under it.
    pub(crate) fn part(&self, names: &[&str]) -> Self {
        let fits = |name: &str| names.iter().any(|wanted| name == *wanted || name.starts_with(&format!("{wanted}/")));
        Self(self.0.iter().filter(|(name, _)| fits(name)).map(|(name, file)| (name.clone(), file.clone())).collect())
    }

    /// Takes these names from another, with all that is under them; what that has not is removed.
    pub(crate) fn take(&mut self, names: &[&str], other: &Self) {
        let removed: Vec<String> = self.part(names).0.into_keys().collect();
        removed.iter().for_each(|name| drop(self.0.remove(name)));
        self.0.extend(other.part(names).0);
    }

    /// What differs, by name.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let names = self.0.keys().chain(other.0.keys().filter(|name| !self.0.contains_key(*name)));
        names.filter(|name| self.0.get(*name) != other.0.get(*name)).cloned().collect()
    }
}
