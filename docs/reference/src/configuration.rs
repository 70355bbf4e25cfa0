//! The keys of every file people write, as tables of the book. Which keys there are, which must be there and what kind
//! of value they take is asked of the programs' own readers; only the sentences are written here.

mod appliance;
mod document;
mod plan;
mod policy;
mod probe;
mod region;
mod table;
mod watcher;

use std::{fs, path::Path};

pub(crate) use document::{Document, Key, Table};

use crate::Error;

/// Every document, in the order of the page.
fn documents() -> [Document; 4] {
    [appliance::document(), watcher::document(), policy::document(), plan::document()]
}

/// The page, its marked regions written anew.
///
/// # Errors
/// The page cannot be read, has no region for a document, or a reader and the sentences here do not agree.
pub fn page(path: &Path) -> Result<String, Error> {
    let mut page = fs::read_to_string(path).map_err(Error::reading(path))?;
    for document in documents() {
        let tables = table::tables(&document)?;
        page = region::replaced(&page, document.name, &tables)
            .ok_or_else(|| Error::NoRegion { page: path.to_owned(), document: document.name.to_owned() })?;
    }
    Ok(page)
}

/// Writes the page, where it says something else.
///
/// # Errors
/// As of [`page`]; or it cannot be written.
pub(crate) fn write(path: &Path) -> Result<(), Error> {
    let page = page(path)?;
    fs::write(path, page).map_err(Error::writing(path))
}
