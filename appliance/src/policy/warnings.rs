//! What a policy allows and its author probably did not mean.

use appliance_wire::Chain;

use super::{Action, Limit, Max, Per, PolicyKey, Quorum, Rule, document::Names, key::Level};

pub(super) fn warnings(names: &Names, quorum: Option<&Quorum>, rules: &[Rule], limits: &[Limit]) -> Vec<String> {
    let signs = |key: &PolicyKey| rules.iter().any(|rule| rule.action != Action::Deny && rule.keys.contains(&key.name));
    let of_key = |key| {
        let missing = of_missing_limits(key, limits).filter(|_| signs(key));
        missing.chain(of_family(key)).collect::<Vec<_>>()
    };
    let mut warnings: Vec<String> = names.keys.items().flat_map(of_key).collect();
    match quorum {
        Some(quorum) => {
            warnings.extend(of_quorum(quorum, names.officers.count()));
            warnings.extend(of_approvals(quorum, rules, limits));
        }
        None => warnings.extend(of_missing_officers(names)),
    }
    warnings
}

fn of_missing_officers(names: &Names) -> Option<String> {
    let is_money = |chain: &Chain| matches!(chain, Chain::Bitcoin | Chain::Litecoin | Chain::Solana | Chain::Evm(1));
    let asset = names.assets.items().find(|asset| is_money(&asset.chain)).filter(|_| names.officers.count() == 0)?;
    Some(format!(
        "there is no [[officer]], and \"{}\" is money: whoever operates the appliance changes what may be signed, and \
         profile production refuses such a policy",
        asset.name
    ))
}

fn of_quorum(quorum: &Quorum, officers: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    if quorum.loosen == 1 {
        warnings.push("quorum.loosen is 1: one officer alone, or a thief of one key, opens everything".to_owned());
    }
    if quorum.loosen == officers && officers > 1 {
        warnings.push(format!(
            "quorum.loosen takes all {officers} officers: once one is lost, only the custodians' shares bring a new one"
        ));
    }
    warnings
}

/// Who may let money go should not be fewer than who may change a rule about it.
fn of_approvals(quorum: &Quorum, rules: &[Rule], limits: &[Limit]) -> Vec<String> {
    let by_rules = rules.iter().filter_map(|rule| match &rule.action {
        Action::Approve(approvers) => Some((format!("rule \"{}\"", rule.name), approvers)),
        Action::Sign | Action::Deny => None,
    });
    let beyond = limits.iter().filter_map(|limit| Some((format!("limit \"{}\"", limit.name), limit.beyond.as_ref()?)));
    let few = by_rules.chain(beyond).filter(|(_, approvers)| approvers.approve < quorum.policy);
    few.map(|(what, approvers)| {
        let (approve, policy) = (approvers.approve, quorum.policy);
        format!("{what} asks for {approve}, fewer than the {policy} officers who tighten a policy (quorum.policy)")
    })
    .collect()
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
