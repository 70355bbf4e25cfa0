//! What a policy allows and its author probably did not mean.

use super::{Action, Limit, Max, Per, PolicyKey, Rule, document::Names, key::Level};

pub(super) fn warnings(names: &Names, rules: &[Rule], limits: &[Limit]) -> Vec<String> {
    let signs = |key: &PolicyKey| rules.iter().any(|rule| rule.action != Action::Deny && rule.keys.contains(&key.name));
    let of_key = |key| {
        let missing = of_missing_limits(key, limits).filter(|_| signs(key));
        missing.chain(of_family(key)).collect::<Vec<_>>()
    };
    names.keys.items().flat_map(of_key).collect()
}

/// A limit per destination does not count here: whoever takes a watcher over has as many destinations as he likes.
fn of_missing_limits<'a>(key: &'a PolicyKey, limits: &'a [Limit]) -> impl Iterator<Item = String> + 'a {
    let paid = key.assets.iter().filter(|_| key.evidence != Level::Blind);
    let is_limited = |asset: &String| {
        let mut limits = limits.iter().filter(|limit| limit.asset.as_ref() == Some(asset));
        limits.any(|limit| {
            matches!(limit.max, Max::Amount(_)) && limit.per != Some(Per::Destination) && limit.keys.contains(&key.name)
        })
    };
    paid.filter(move |asset| !is_limited(asset)).map(|asset| {
        let name = &key.name;
        format!("key \"{name}\" has no limit on the sum of \"{asset}\" it pays: a compromised watcher takes all of it")
    })
}

fn of_family(key: &PolicyKey) -> Option<String> {
    // Carrying a signature takes a digest of the requester's choosing.
    let is_carried = key.children && key.evidence != Level::Verified;
    is_carried.then(|| {
        let (name, level) = (&key.name, key.evidence.name());
        format!(
            "key \"{name}\" is {level} and has children: it is one key for the whole family, for a signature for one \
             child can be carried to the others and to the key itself"
        )
    })
}
