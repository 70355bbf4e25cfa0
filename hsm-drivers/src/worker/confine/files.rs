//! Which places of the file system stay, where some must not: a Landlock rule allows a folder with all that is in it, so
//! that on the way to a forbidden place every neighbour is allowed by itself.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Places to be allowed, none of which holds a forbidden one. `forbidden` are absolute, and need not exist.
///
/// A folder on the way to a forbidden place is not allowed itself: it cannot be listed, and what is made in it later is
/// not allowed either.
pub(super) fn allowed(forbidden: &[PathBuf]) -> Vec<PathBuf> {
    let closed = forbidden.iter().flat_map(|path| places(path)).collect();
    let mut allowed = Vec::new();
    visit(Path::new("/").to_owned(), &closed, &mut allowed);
    allowed
}

fn visit(place: PathBuf, closed: &BTreeSet<PathBuf>, allowed: &mut Vec<PathBuf>) {
    if closed.contains(&place) {
        return;
    }
    let below: Vec<&Path> = closed.iter().filter_map(|path| path.strip_prefix(&place).ok()).collect();
    if below.is_empty() {
        return allowed.push(place);
    }
    // A folder that may be passed and not listed still leads to the forbidden place's neighbours.
    let mut names: BTreeSet<_> = below.iter().filter_map(|path| path.iter().next()).map(ToOwned::to_owned).collect();
    names.extend(fs::read_dir(&place).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.file_name())));
    for name in names {
        visit(place.join(name), closed, allowed);
    }
}

/// Where `path` leads, and every symbolic link on the way: who changes one of them changes where it leads.
fn places(path: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let mut at = PathBuf::from("/");
    let mut ahead: Vec<PathBuf> = steps(path);
    while let Some(step) = ahead.pop() {
        if step == Path::new("..") {
            at.pop();
            continue;
        }
        // A step that is the root begins anew there.
        let next = at.join(step);
        match fs::read_link(&next) {
            Ok(target) if places.len() < MOST_LINKS => {
                places.push(next);
                ahead.extend(steps(&target));
            }
            Ok(_) | Err(_) => at = next,
        }
    }
    places.push(at);
    places
}

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// The first is the last of the list.
fn steps(path: &Path) -> Vec<PathBuf> {
    path.components().rev().filter(|step| step.as_os_str() != ".").map(|step| PathBuf::from(&step)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What is allowed below a folder that has files, folders and links in it.
    fn allowed_below(forbidden: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        for path in ["box/state", "box/token/objects", "box/pki", "other/deep"] {
            fs::create_dir_all(folder.join(path)).unwrap();
        }
        for path in ["box/token/pin", "box/pki/server.key", "box/pki/server.crt"] {
            fs::write(folder.join(path), "").unwrap();
        }
        symlink("../other", folder.join("box/link")).unwrap();
        symlink(folder.join("box/pki"), folder.join("other/absolute")).unwrap();
        let forbidden: Vec<PathBuf> = forbidden.iter().map(|path| folder.join(path)).collect();
        let below = |path: PathBuf| Some(path.strip_prefix(&folder).ok()?.to_str()?.to_owned());
        let allowed = allowed(&forbidden);
        assert!(allowed.contains(&PathBuf::from("/proc")), "{allowed:?}");
        allowed.into_iter().filter_map(below).collect()
    }

    #[test]
    fn every_neighbour_of_a_forbidden_place_is_allowed_and_no_folder_that_holds_one() {
        assert_eq!(
            allowed_below(&["box/state", "box/token/pin", "box/pki/server.key"]),
            ["box/link", "box/pki/server.crt", "box/token/objects", "other"]
        );
    }

    #[test]
    fn a_place_that_is_not_there_yet_cannot_be_made() {
        assert_eq!(
            allowed_below(&["box/pki/absent/deep"]),
            ["box/link", "box/pki/server.crt", "box/pki/server.key", "box/state", "box/token", "other"]
        );
    }

    #[test]
    fn a_link_is_followed_and_may_not_be_changed_either() {
        assert_eq!(allowed_below(&["box/link/deep"]), ["box/pki", "box/state", "box/token", "other/absolute"]);
        let through_both = allowed_below(&["box/link/absolute/server.key"]);
        assert_eq!(through_both, ["box/pki/server.crt", "box/state", "box/token", "other/deep"]);
    }

    #[test]
    fn with_nothing_forbidden_everything_is_allowed() {
        assert_eq!(allowed(&[]), [PathBuf::from("/")]);
    }
}
