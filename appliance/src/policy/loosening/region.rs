//! Matters that no rule tells apart, many at once: what a destination gets, what the request pays, to whom, and when.

use appliance_wire::Amount;

use super::set::Set;

/// Amounts from one to another, both of them too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) from: Amount,
    pub(super) to: Amount,
}

/// All combinations of these in which no destination gets more than the request pays.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Region {
    /// What the destination gets.
    pub(super) amount: Span,
    /// What the request pays.
    pub(super) total: Span,
    /// Kinds of destinations.
    pub(super) places: Set,
    /// For each time zone, parts of its week. Zones are taken to be independent: more moments than there are.
    pub(super) weeks: Vec<Set>,
}

/// What a rule asks of a matter, as far as it is not the same for all of a region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Conditions {
    pub(super) max_amount: Amount,
    pub(super) max_total: Amount,
    pub(super) places: Set,
    /// Which time zone, and the parts of its week.
    pub(super) week: Option<(usize, Set)>,
}

impl Span {
    /// No amount at all.
    pub(super) const NOTHING: Self = Self { from: Amount::ZERO, to: Amount::ZERO };
    /// Every amount there is.
    pub(super) const ANY: Self = Self { from: Amount::ZERO, to: Amount::MAX };

    /// What is at most `max`, and what is more.
    fn cut(self, max: Amount) -> (Self, Option<Self>) {
        let above = max.checked_add(Amount::from_units(1)).filter(|above| *above <= self.to);
        let more = above.map(|above| Self { from: above.max(self.from), ..self });
        (Self { to: self.to.min(max), ..self }, more)
    }
}

impl Region {
    /// The part that meets the conditions, and the parts that do not.
    pub(super) fn split(self, conditions: &Conditions) -> (Option<Self>, Vec<Self>) {
        let Some(hit) = self.within(conditions) else { return (None, vec![self]) };
        let mut others = Vec::new();
        // Cut off one after the other, so that they have nothing in common.
        let mut rest = self;
        let places = rest.places.without(&conditions.places);
        others.extend(Self { places, ..rest.clone() }.normal());
        rest.places = hit.places.clone();
        let (amount, more) = rest.amount.cut(conditions.max_amount);
        others.extend(more.and_then(|amount| Self { amount, ..rest.clone() }.normal()));
        rest.amount = amount;
        let (total, more) = rest.total.cut(conditions.max_total);
        others.extend(more.and_then(|total| Self { total, ..rest.clone() }.normal()));
        rest.total = total;
        if let Some((zone, parts)) = &conditions.week
            && let Some(week) = rest.weeks.get_mut(*zone)
        {
            *week = week.without(parts);
            others.extend(rest.normal());
        }
        (Some(hit), others)
    }

    /// The part that meets the conditions.
    fn within(&self, conditions: &Conditions) -> Option<Self> {
        let (amount, _) = self.amount.cut(conditions.max_amount);
        let (total, _) = self.total.cut(conditions.max_total);
        if amount.from > amount.to || total.from > total.to {
            return None;
        }
        let places = self.places.and(&conditions.places);
        let mut weeks = self.weeks.clone();
        if let Some((zone, parts)) = &conditions.week
            && let Some(week) = weeks.get_mut(*zone)
        {
            *week = week.and(parts);
        }
        Self { amount, total, places, weeks }.normal()
    }

    /// Without combinations that cannot be; none where nothing is left.
    fn normal(mut self) -> Option<Self> {
        self.total.from = self.total.from.max(self.amount.from);
        self.amount.to = self.amount.to.min(self.total.to);
        let is_empty = self.amount.from > self.amount.to
            || self.total.from > self.total.to
            || self.places.is_empty()
            || self.weeks.iter().any(Set::is_empty);
        (!is_empty).then_some(self)
    }

    /// The smallest region that holds both.
    pub(super) fn hull(&self, other: &Self) -> Self {
        let span = |one: Span, other: Span| Span { from: one.from.min(other.from), to: one.to.max(other.to) };
        Self {
            amount: span(self.amount, other.amount),
            total: span(self.total, other.total),
            places: self.places.or(&other.places),
            weeks: self.weeks.iter().zip(&other.weeks).map(|(one, other)| one.or(other)).collect(),
        }
    }
}
