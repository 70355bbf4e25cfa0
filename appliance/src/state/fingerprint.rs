//! What a state comes to, part by part: equal where two states decide alike, however each was come to.

use std::collections::BTreeMap;

use appliance_wire::sha256_hex;

use super::State;

/// Hashes of a state's parts, by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fingerprint(BTreeMap<String, String>);

/// Compared by what still counts, or of no meaning for a decision.
const NOT_AS_WRITTEN: [&str; 4] = ["usage", "everywhere", "uncounted", "bytes"];

impl State {
    /// The fingerprint. What limits have seen is a part of it only where it was counted.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let document = serde_json::to_value(self.document(None)).unwrap_or_default();
        let parts = document.as_object().into_iter().flatten();
        let parts = parts.filter(|(name, _)| !NOT_AS_WRITTEN.contains(&name.as_str()));
        let mut hashes: BTreeMap<String, String> =
            parts.map(|(name, part)| (name.clone(), sha256_hex(part.to_string().as_bytes()))).collect();
        if !self.uncounted {
            let counting = format!("{:?}", self.usage.counting(self.elapsed));
            hashes.insert("usage".to_owned(), sha256_hex(counting.as_bytes()));
        }
        Fingerprint(hashes)
    }
}

impl Fingerprint {
    /// The first part that is another in `other`, or is missing there.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<&str> {
        let differs = |(name, hash): &(&String, &String)| other.0.get(*name) != Some(*hash);
        self.0.iter().find(differs).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_would_decide_otherwise_is_told_by_the_part() {
        let state = State::default();
        let changed: [(&str, State); 4] = [
            ("elapsed", State { elapsed: 1, ..state.clone() }),
            ("size", State { size: 1, ..state.clone() }),
            ("anchored", State { anchored: true, ..state.clone() }),
            ("frozen", State { frozen: [(appliance_wire::Scope::All, 0)].into(), ..state.clone() }),
        ];
        assert_eq!(state.fingerprint().difference(&state.fingerprint()), None);
        for (part, other) in changed {
            assert_eq!(other.fingerprint().difference(&state.fingerprint()), Some(part));
        }
    }
}
