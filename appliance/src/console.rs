//! The console page: what an operator looks at each morning, as HTML.
//!
//! Values in, HTML out. Knows no HTTP, asks nobody, changes nothing. Everything it is given is escaped by the templates
//! (`templates/console`), and what would reorder or hide text is made visible before.

pub(crate) mod assets;
mod attention;
mod entries;
mod facts;
mod history;
mod home;
mod limits;
mod policy;
mod standing;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use entries::{EntryPage, EntryQuery};
pub(crate) use history::history_json;
pub(crate) use home::{Home, Parts};
pub(crate) use policy::PolicyPage;

use askama::Template;

/// Something that cannot be shown.
#[derive(Debug, Template)]
#[template(path = "console/refused.html")]
pub(crate) struct RefusedPage {
    /// In two or three words.
    pub(crate) title: String,
    /// What to do.
    pub(crate) detail: String,
}
