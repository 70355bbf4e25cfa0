//! Every page, with nothing, with much, and with what strangers write.

use appliance_wire::{Receipt, Scope};
use serde_json::json;

use super::{
    standing::standing,
    testing::{HOSTILE, busy, key, quiet, token},
    *,
};
use crate::{
    metrics::history::Minute,
    operations::{FoundEntries, FoundEntry, Freeze, Overview, Proven},
};

/// Well-formed as far as a page of ours must be: every element is closed, and nothing a stranger wrote is one.
fn assert_sound(page: &str) {
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}') && !page.contains('\u{7}'), "{page}");
    for inline in [" style=", " onclick=", " onload=", "<style", "javascript:", "hx-on"] {
        assert!(!page.contains(inline), "{inline}");
    }
    assert!(!page.contains("src=\"\"") && !page.contains("href=\"/assets\""), "a file that is not there");
    for element in
        ["section", "ul", "li", "table", "tr", "td", "th", "div", "p", "a", "dl", "details", "figure", "main", "svg"]
    {
        let opened = page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
        assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "{element} in\n{page}");
    }
}

fn found(words: &str) -> FoundEntries {
    let entry = |index| FoundEntry {
        index,
        time: "2026-11-21T12:07:20.127107Z".to_owned(),
        kind: "denied".to_owned(),
        words: words.to_owned(),
    };
    FoundEntries { entries: (0..25).rev().map(entry).collect(), looked_at: 25, older: Some(7) }
}

fn home(overview: &Overview, minutes: &[(u64, Minute)], found: &FoundEntries) -> String {
    let query = EntryQuery::default();
    let parts = Parts::new(overview, minutes, &query, Some(Ok(found)));
    let refreshed = parts.render().unwrap();
    assert_sound(&refreshed);
    Home::new(overview, parts, &query).render().unwrap()
}

#[test]
fn the_page_is_sound_with_nothing_on_it() {
    let mut nothing = quiet();
    nothing.keys.clear();
    nothing.status.tokens.clear();
    nothing.status.checkpoint = None;
    nothing.status.log_key = None;
    let page = home(&nothing, &[], &FoundEntries::default());
    assert_sound(&page);
    for part in
        ["Nothing needs attention.", "chancery-provision key generate", "no checkpoint yet", "The log begins here."]
    {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn the_page_is_sound_with_much_of_what_strangers_write() {
    let mut minute = busy().day;
    minute.refused.insert("token-unavailable", 2);
    let minutes: Vec<_> = (0..1_440).rev().map(|ago| (ago, minute.clone())).collect();
    let page = home(&busy(), &minutes, &found(HOSTILE));
    assert_sound(&page);
    assert!(page.contains("&#60;script&#62;alert") && page.contains("\\u{202e}"), "it is shown");
    assert!(page.contains("17 more sums") && page.contains("12\u{202f}345"));
}

#[test]
fn an_entry_is_sound_whatever_it_says() {
    let json = json!({ "index": 7, "kind": "failed", "reason": HOSTILE, "accepted": 5 });
    let mut entry = found(HOSTILE).entries.remove(0);
    entry.index = 7;
    let receipt =
        Receipt { index: 7, entry: String::new(), proof: vec!["aGFzaA==".to_owned()], checkpoint: HOSTILE.to_owned() };
    let mut proven = Proven { entry, json, leaf_hash: [7; 32], receipt: Some(receipt), checkpoint: Some(8), size: 8 };
    let page = EntryPage::new(&proven, "origin+00000000+AAAA").render().unwrap();
    assert_sound(&page);
    assert!(page.contains("href=\"/entries/6\"") && !page.contains("href=\"/entries/8\""), "it is the last");
    assert!(page.contains("accepted: <a href=\"/entries/5\"") && page.contains("/entries/7/receipt.json"));
    (proven.receipt, proven.checkpoint) = (None, None);
    let page = EntryPage::new(&proven, "").render().unwrap();
    assert_sound(&page);
    assert!(page.contains("No checkpoint covers it yet") && !page.contains("receipt.json"));
}

#[test]
fn the_policy_is_sound_with_and_without_one_that_waits() {
    let page = PolicyPage::new(&quiet()).render().unwrap();
    assert_sound(&page);
    assert!(!page.contains("waiting-title"));
    for part in ["Exposure", "Rules", "Limits", "Officers", "Quorum", "in 7 d"] {
        assert!(page.contains(part), "{part}");
    }
    let page = PolicyPage::new(&busy()).render().unwrap();
    assert_sound(&page);
    assert!(page.contains("waiting-title") && page.contains("It loosens") && page.contains("chancery policy veto 4"));
}

#[test]
fn a_refusal_is_sound() {
    assert_sound(
        &RefusedPage { title: HOSTILE.to_owned(), detail: HOSTILE.replace(['\u{202e}', '\u{7}'], "") }
            .render()
            .unwrap()
            .replace(['\u{202e}', '\u{7}'], ""),
    );
}

#[test]
fn the_word_says_what_is() {
    let word = |change: &dyn Fn(&mut Overview)| {
        let mut overview = quiet();
        change(&mut overview);
        standing(&overview).word
    };
    let freeze = |what| Freeze { what, entry: None, by: None };
    assert_eq!(word(&|_| {}), "READY");
    assert_eq!(word(&|o| o.frozen = vec![freeze(Scope::Key("hot".to_owned()))]), "PARTLY FROZEN");
    assert_eq!(word(&|o| o.frozen = vec![freeze(Scope::All)]), "FROZEN");
    assert_eq!(word(&|o| o.readiness = None), "NOT PROVEN");
    assert_eq!(word(&|o| o.readiness.as_mut().unwrap().ready = false), "NOT READY");
    assert_eq!(word(&|o| o.log_silent = Some("gone".to_owned())), "NOT READY");
    assert_eq!(word(&|o| o.status.scrub.finding = Some("altered".to_owned())), "NOT READY");
    // Known before the next self-test; of a key that is not in use it is no matter.
    let down = || Some("token main is down".to_owned());
    assert_eq!(word(&|o| o.keys[0].not_ready = down()), "NOT READY");
    assert_eq!(word(&|o| o.keys.push(KeyFactsOf(key("old", "disabled"), down()).into())), "READY");
    // One token of two is no reason.
    assert_eq!(word(&|o| o.status.tokens.push(token("second", "down"))), "READY");
    assert_eq!(
        word(&|o| {
            o.frozen = vec![freeze(Scope::All)];
            o.readiness = None;
        }),
        "FROZEN"
    );
}

/// A key that is not ready, for this reason.
struct KeyFactsOf(crate::operations::KeyFacts, Option<String>);

impl From<KeyFactsOf> for crate::operations::KeyFacts {
    fn from(KeyFactsOf(key, not_ready): KeyFactsOf) -> Self {
        Self { not_ready, ..key }
    }
}

#[test]
fn a_filter_reads_what_it_writes_and_refuses_what_names_nothing() {
    let members =
        [("kind", ""), ("outcome", "refused"), ("watcher", "a b&c"), ("key", "hot/7"), ("request", "wd"), ("x", "y")];
    let query = EntryQuery::read(members.into_iter());
    assert_eq!(query.text(Some(9)), "watcher=a%20b%26c&key=hot%2F7&outcome=refused&request=wd&before=9");
    let search = query.search().unwrap();
    assert_eq!(search.filter.kind, ["denied", "rejected", "lapsed"]);
    assert_eq!((search.id_part.as_str(), search.before), ("wd", None));
    for bad in [("kind", "nonsense"), ("outcome", "nonsense"), ("key", "\u{0}"), ("before", "x"), ("before", "-1")] {
        assert!(EntryQuery::read([bad].into_iter()).search().is_err(), "{bad:?}");
    }
    assert!(EntryQuery::read([("kind", "denied"), ("outcome", "signed")].into_iter()).search().is_err());
}
