//! The text of an act: what officers read and sign.

use std::fmt::Write;

use jiff::{Timestamp, Unit, tz::TimeZone};

use crate::{policy::Quorum, state::State};

/// Something only officers may do, as the log has it at this moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Act {
    /// The namespace of its signatures (OpenSSH, PROTOCOL.sshsig): a signature for one kind of act is none for another.
    pub namespace: &'static str,
    /// What it does, in one line.
    pub title: String,
    /// The facts it is about, in order.
    pub facts: Vec<(&'static str, String)>,
    /// How many officers it takes.
    pub needs: Needs,
    /// Until when it may be handed in.
    pub content: Content,
}

/// How many officers an act takes, by the numbers of `[quorum]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    /// One, whoever it is: what keeps things as they are.
    One,
    /// `policy`.
    Policy,
    /// `loosen`.
    Loosen,
    /// `unfreeze`.
    Unfreeze,
    /// The larger of `unfreeze` and `loosen`.
    UnfreezeAndLoosen,
}

/// What officers sign.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct ToSign {
    /// The namespace: `ssh-keygen -Y sign -n NAMESPACE`.
    pub namespace: &'static str,
    /// The text, byte for byte.
    pub text: String,
    /// How many officers it takes; none where the policy has no officers.
    pub quorum: u64,
}

/// How long a text serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content {
    /// Until a moment the log knows.
    Until(Timestamp),
    /// So many whole days after the day on which the text was made, UTC.
    Days(i64),
}

impl Needs {
    /// The number.
    #[must_use]
    pub fn of(self, quorum: &Quorum) -> u64 {
        match self {
            Self::One => 1,
            Self::Policy => quorum.policy,
            Self::Loosen => quorum.loosen,
            Self::Unfreeze => quorum.unfreeze,
            Self::UnfreezeAndLoosen => quorum.unfreeze.max(quorum.loosen),
        }
    }
}

impl Act {
    /// What officers of the policy in force sign for it.
    ///
    /// # Errors
    /// The log has no genesis.
    pub fn to_sign(&self, state: &State, now: Timestamp) -> Result<ToSign, String> {
        let quorum = state.policy.as_ref().and_then(|policy| policy.quorum);
        let quorum = quorum.map_or(0, |quorum| self.needs.of(&quorum));
        Ok(ToSign { namespace: self.namespace, text: self.text(&state.origin()?, now), quorum })
    }

    /// The text of this act for the log of this origin, made at `now`.
    #[must_use]
    pub fn text(&self, origin: &str, now: Timestamp) -> String {
        let expires = match self.content {
            Content::Until(moment) => Some(moment),
            Content::Days(days) => midnight_after(now, days),
        };
        self.text_until(origin, expires.unwrap_or(now))
    }

    /// Every text of this act that has not expired at `now`: those of earlier days may still be signed and handed in.
    #[must_use]
    pub fn texts_in_time(&self, origin: &str, now: Timestamp) -> Vec<String> {
        match self.content {
            Content::Until(moment) if now < moment => vec![self.text_until(origin, moment)],
            Content::Until(_) => Vec::new(),
            Content::Days(days) => {
                let ends = (0..=days).filter_map(|days| midnight_after(now, days));
                ends.map(|end| self.text_until(origin, end)).collect()
            }
        }
    }

    /// Of these texts those of this act that had not expired at `then`, as the auditor finds them. What the act loosens is
    /// in the words of the version that made the text, and follows from the document it names.
    #[must_use]
    pub fn among(&self, origin: &str, then: Timestamp, texts: impl Iterator<Item = String>) -> Vec<String> {
        let wanted: Vec<String> =
            self.texts_in_time(origin, then).iter().map(|text| without_loosenings(text)).collect();
        texts.filter(|text| wanted.contains(&without_loosenings(text))).collect()
    }

    fn text_until(&self, origin: &str, expires: Timestamp) -> String {
        let mut text = format!("{}\n\n", self.title);
        for (name, value) in [("origin", origin)]
            .into_iter()
            .chain(self.facts.iter().map(|(name, value)| (*name, value.as_str())))
            .chain([("expires", expires.to_string().as_str())])
        {
            // What others wrote stays on its line.
            let value: String = value.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }
}

fn without_loosenings(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with("loosens: ")).collect()
}

/// The midnight that ends the day `days` after the day of `now`, UTC.
fn midnight_after(now: Timestamp, days: i64) -> Option<Timestamp> {
    let today = now.to_zoned(TimeZone::UTC).start_of_day().ok()?;
    let end = today.checked_add(jiff::Span::new().try_days(days + 1).ok()?).ok()?;
    end.round(Unit::Second).ok().map(|end| end.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(content: Content) -> Act {
        let facts = vec![("entry", "7".to_owned()), ("reason", "a\nexpires: never".to_owned())];
        Act { namespace: "chancery-test", title: "try this".to_owned(), facts, needs: Needs::One, content }
    }

    #[test]
    fn a_text_says_what_where_and_until_when_and_what_others_wrote_stays_on_its_line() {
        let now: Timestamp = "2026-11-21T16:00:00Z".parse().unwrap();
        let text = act(Content::Days(1)).text("exchange.example/1", now);
        assert_eq!(
            text,
            "try this\n\norigin: exchange.example/1\nentry: 7\nreason: a expires: never\n\
             expires: 2026-11-23T00:00:00Z\n"
        );
    }

    #[test]
    fn a_text_of_yesterday_serves_until_it_expires() {
        let made: Timestamp = "2026-11-21T23:59:59Z".parse().unwrap();
        let text = act(Content::Days(1)).text("o", made);
        for (now, serves) in
            [("2026-11-22T00:00:01Z", true), ("2026-11-22T23:59:59Z", true), ("2026-11-23T00:00:00Z", false)]
        {
            let texts = act(Content::Days(1)).texts_in_time("o", now.parse().unwrap());
            assert_eq!(texts.contains(&text), serves, "{now}");
        }
        let until: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert!(act(Content::Until(until)).texts_in_time("o", until).is_empty());
    }
}
