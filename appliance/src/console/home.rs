//! The page `/`, and its parts as they are refreshed.

use askama::Template;

use super::{
    assets,
    entries::{EntryQuery, EntrySection, FilterForm},
    facts::{AttentionSection, KeySection, StateSection, TokenSection},
    history::HistorySection,
    limits::LimitSection,
};
use crate::{
    metrics::history::Minute,
    operations::{FoundEntries, Overview},
};

/// The whole page.
#[derive(Debug, Template)]
#[template(path = "console/home.html")]
pub(crate) struct Home {
    parts: Parts,
    filter: FilterForm,
    /// Where the parts are refreshed from.
    parts_path: String,
}

/// What changes by itself.
#[derive(Debug, Template)]
#[template(path = "console/parts.html")]
pub(crate) struct Parts {
    state: StateSection,
    attention: AttentionSection,
    limits: LimitSection,
    tokens: TokenSection,
    history: HistorySection,
    /// Older pages do not change.
    entries: Option<EntrySection>,
    keys: KeySection,
}

impl Parts {
    pub(crate) fn new(
        overview: &Overview,
        minutes: &[(u64, Minute)],
        query: &EntryQuery,
        found: Option<Result<&FoundEntries, String>>,
    ) -> Self {
        Self {
            state: StateSection::new(overview),
            attention: AttentionSection::new(overview),
            limits: LimitSection::new(overview),
            tokens: TokenSection::new(overview),
            history: HistorySection::new(overview, minutes),
            entries: found.map(|found| EntrySection::new(query, found)),
            keys: KeySection::new(overview),
        }
    }
}

impl Home {
    pub(crate) fn new(overview: &Overview, parts: Parts, query: &EntryQuery) -> Self {
        let before = if query.is_newest() { "" } else { "&before=0" };
        let parts_path = format!("/parts?{}{before}", query.text(None));
        Self { parts, filter: FilterForm::new(overview, query), parts_path }
    }
}
