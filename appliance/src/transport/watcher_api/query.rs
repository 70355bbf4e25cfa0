//! Numbers in paths and queries, read strictly: what is not meant is refused, never guessed.

use hsm_types::LAST_CHILD;

use crate::{refusal::Refusal, transport::problem::malformed};

/// The values of `names`, each there once, nothing else beside them.
pub(super) fn numbers<const N: usize>(query: &str, names: [&str; N]) -> Result<[u64; N], Refusal> {
    let mut values = [None; N];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = names.iter().zip(&mut values).find_map(|(known, slot)| (*known == name).then_some(slot));
        match slot {
            Some(slot @ None) => *slot = Some(number(name, value)?),
            Some(Some(_)) => return Err(malformed(format!("query parameter `{name}` is there twice: give it once"))),
            None => return Err(malformed(format!("unknown query parameter: this call takes {}", listed(&names)))),
        }
    }
    let mut numbers = [0; N];
    for (number, value) in numbers.iter_mut().zip(values) {
        *number = value.ok_or_else(|| malformed(format!("a query parameter is missing: give {}", listed(&names))))?;
    }
    Ok(numbers)
}

/// The value of `name`, where it is there; nothing else beside it.
pub(super) fn optional(name: &str, query: &str) -> Result<Option<u64>, Refusal> {
    if query.is_empty() {
        return Ok(None);
    }
    let [value] = numbers(query, [name])?;
    Ok(Some(value))
}

/// Likewise, a child's index.
pub(super) fn optional_child(name: &str, query: &str) -> Result<Option<u32>, Refusal> {
    let child = optional(name, query)?.map(u32::try_from).transpose();
    let child = child.ok().filter(|child| child.is_none_or(|child| child <= LAST_CHILD));
    child.ok_or_else(|| malformed(format!("`{name}` is no child: the last one is {LAST_CHILD}")))
}

/// A number in plain decimal digits, without sign or leading zeros.
pub(super) fn number(name: &str, text: &str) -> Result<u64, Refusal> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    let number = if plain { text.parse().ok() } else { None };
    number
        .ok_or_else(|| malformed(format!("`{name}` is no number: write decimal digits, at most 18446744073709551615")))
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_at_most_the_last_there_can_be() {
        assert_eq!(optional_child("after", "").unwrap(), None);
        assert_eq!(optional_child("after", "after=2147483647").unwrap(), Some(LAST_CHILD));
        for bad in ["after=2147483648", "after=4294967296", "after=-1", "after="] {
            assert!(optional_child("after", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_named_parameters_once_each_in_digits_are_read() {
        assert_eq!(numbers("size=18446744073709551615&index=0", ["index", "size"]).unwrap(), [0, u64::MAX]);
        for bad in [
            "",
            "index=1",
            "index=1&size=2&index=1",
            "index=1&size=2&x=3",
            "index=1&size=",
            "index=1&size",
            "index=1&size=+2",
            "index=1&size=02",
            "index=1&size=%32",
            "index=1&size=-2",
            "index=1&size=18446744073709551616",
            "Index=1&size=2",
            "index=1;size=2",
        ] {
            assert!(numbers(bad, ["index", "size"]).is_err(), "{bad}");
        }
    }
}
