//! Links of the built book: every file and every anchor they name is there. Other machines are not asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

/// Dead links of the pages below `book`, each with where it stands.
pub(super) fn dead_in_book(book: &Path) -> Vec<String> {
    let mut pages = BTreeMap::new();
    collect(book, &mut pages);
    assert!(pages.len() > 20, "{} pages", pages.len());
    let anchors: BTreeMap<&PathBuf, BTreeSet<&str>> =
        pages.iter().map(|(path, html)| (path, values(html, "id").collect())).collect();
    let mut dead = Vec::new();
    for (page, html) in &pages {
        for link in values(html, "href").chain(values(html, "src")) {
            if !leads_somewhere(page, &unescaped(link), &anchors) {
                dead.push(format!("{}: {link}", page.strip_prefix(book).unwrap().display()));
            }
        }
    }
    dead.sort();
    dead.dedup();
    dead
}

/// Those of README.md: a page of the book is looked up in `book`, anything else in the repository.
pub(super) fn dead_in_readme(root: &Path, book: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join("README.md")).unwrap();
    let links = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let is_dead = |link: &&str| {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        if file.contains("://") || (file.is_empty() && text.to_lowercase().contains(&anchor.replace('-', " "))) {
            return false;
        }
        let page = file.strip_prefix("docs/").and_then(|page| page.strip_suffix(".md"));
        let html = page.map(|page| fs::read_to_string(book.join(format!("{page}.html"))).unwrap_or_default());
        let has_anchor = html.is_none_or(|html| anchor.is_empty() || values(&html, "id").any(|id| id == anchor));
        !root.join(file).exists() || !has_anchor
    };
    links.filter(is_dead).map(|link| format!("README.md: {link}")).collect()
}

fn collect(directory: &Path, pages: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|ending| ending == "html") {
            let html = fs::read_to_string(&path).unwrap();
            pages.insert(path, html);
        }
    }
}

/// Values of an attribute, as they stand in `html`.
fn values<'h>(html: &'h str, attribute: &str) -> impl Iterator<Item = &'h str> {
    let begin = format!(" {attribute}=\"");
    html.match_indices(&begin).map(|(at, _)| at + begin.len()).collect::<Vec<_>>().into_iter().filter_map(move |at| {
        let rest = &html[at..];
        rest.find('"').map(|end| &rest[..end])
    })
}

fn leads_somewhere(page: &Path, link: &str, anchors: &BTreeMap<&PathBuf, BTreeSet<&str>>) -> bool {
    let scheme = link.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| ["http", "https", "mailto", "data", "javascript"].contains(&scheme)) {
        return true;
    }
    // The page for what is not there is served under any path.
    if page.file_name().is_some_and(|name| name == "404.html") || link.is_empty() {
        return true;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_owned() } else { normal(&page.parent().unwrap().join(file)) };
    match anchors.get(&target) {
        Some(ids) => anchor.is_empty() || ids.contains(anchor),
        None => anchor.is_empty() && target.exists(),
    }
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut normal, component| {
        match component {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(component),
        }
        normal
    })
}

fn unescaped(link: &str) -> String {
    link.replace("&amp;", "&").replace("&#x27;", "'").replace("&quot;", "\"").replace("%20", " ")
}
