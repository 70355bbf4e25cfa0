//! The cheapest choice of groups that together hold every element.
//!
//! Exact for few elements; greedy beyond, where the answer may be larger than the cheapest and is still a bound.

use std::collections::BTreeSet;

use appliance_wire::Amount;

use super::bounds::Group;

/// The least sum of groups in which each of the first `count` elements is; none where one is in no group, or where the
/// sum does not fit.
pub(super) fn cheapest(count: usize, groups: &[Group]) -> Option<Amount> {
    if count <= MOST_EXACT { exact(count, groups) } else { greedy(count, groups) }
}

fn exact(count: usize, groups: &[Group]) -> Option<Amount> {
    let all = (1_usize << count) - 1;
    let masks: Vec<(usize, Amount)> = groups
        .iter()
        .map(|group| (group.members.iter().fold(0, |mask, place| mask | 1 << place), group.most))
        .collect();
    // By what is held so far, the least it takes. Holding more is never less, so rising order meets each once.
    let mut least: Vec<Option<Amount>> = vec![None; all + 1];
    *least.first_mut()? = Some(Amount::ZERO);
    for held in 0..all {
        let Some(so_far) = least.get(held).copied().flatten() else { continue };
        for (mask, most) in &masks {
            let (Some(sum), Some(next)) = (so_far.checked_add(*most), least.get_mut(held | mask)) else { continue };
            if next.is_none_or(|next| sum < next) {
                *next = Some(sum);
            }
        }
    }
    least.last().copied().flatten()
}

fn greedy(count: usize, groups: &[Group]) -> Option<Amount> {
    let mut free: BTreeSet<usize> = (0..count).collect();
    let mut sum = Amount::ZERO;
    while !free.is_empty() {
        let newly = |group: &Group| group.members.iter().filter(|place| free.contains(place)).count() as u64;
        let useful = groups.iter().map(|group| (newly(group), group)).filter(|(newly, _)| *newly > 0);
        let (_, best) = useful.reduce(|best, other| if is_cheaper(other, best) { other } else { best })?;
        sum = sum.checked_add(best.most)?;
        free.retain(|place| !best.members.contains(place));
    }
    Some(sum)
}

/// Whether one costs less for each element it newly holds.
fn is_cheaper((newly, group): (u64, &Group), (other_newly, other): (u64, &Group)) -> bool {
    let times = |amount: Amount, count: u64| amount.checked_mul(Amount::from_units(count)).unwrap_or(Amount::MAX);
    times(group.most, other_newly) < times(other.most, newly)
}

const MOST_EXACT: usize = 12;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(members: &[usize], most: u64) -> Group {
        Group { members: members.to_vec(), most: Amount::from_units(most) }
    }

    #[test]
    fn the_cheapest_of_overlapping_groups_is_found() {
        let groups = [group(&[0, 1], 10), group(&[1, 2], 10), group(&[0], 3), group(&[2], 8), group(&[0, 1, 2], 14)];
        assert_eq!(exact(3, &groups), Some(Amount::from_units(13)));
        assert_eq!(exact(2, &groups), Some(Amount::from_units(10)));
        assert_eq!(exact(0, &groups), Some(Amount::ZERO));
        assert_eq!(exact(4, &groups), None);
        assert_eq!(greedy(4, &groups), None);
    }

    proptest! {
        #[test]
        fn greedy_covers_and_exact_is_never_more(
            sets in prop::collection::vec((prop::collection::vec(any::<bool>(), 6), 0_u64..100), 0..8),
        ) {
            let groups: Vec<_> = sets
                .iter()
                .map(|(has, most)| group(&(0..6).filter(|place| has[*place]).collect::<Vec<_>>(), *most))
                .collect();
            let (exact, greedy) = (exact(6, &groups), greedy(6, &groups));
            prop_assert_eq!(exact.is_some(), greedy.is_some());
            prop_assert!(exact <= greedy);
            // Against every choice there is.
            let choices = (0..1_usize << groups.len()).filter_map(|choice| {
                let chosen: Vec<_> = (0..groups.len()).filter(|place| choice & (1 << place) != 0).collect();
                let held: BTreeSet<_> = chosen.iter().flat_map(|place| groups[*place].members.clone()).collect();
                (held.len() == 6).then(|| chosen.iter().map(|place| sets[*place].1).sum::<u64>())
            });
            prop_assert_eq!(exact, choices.min().map(Amount::from_units));
        }
    }
}
