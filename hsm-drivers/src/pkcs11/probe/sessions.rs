//! How many sessions a token gives, and what they are good for.

use crate::{
    Error,
    pkcs11::{Pkcs11Device, Token},
    probe::{Examiner, Question, Rate, Sessions},
};

/// No more are opened: a configuration admits no more either.
const MOST_SESSIONS: u64 = 64;

/// With no more at once is signed, unless more are configured.
const MOST_SIGNING: usize = 16;

/// Opens further sessions beside the first, and keeps those that will sign.
pub(super) fn examine(
    examiner: &mut Examiner<'_>,
    token: &Token,
    devices: &mut Vec<Pkcs11Device>,
    configured: usize,
    question: &Question,
) -> Result<(), Error> {
    let facts = examiner.report.pkcs11.as_ref().and_then(|pkcs11| pkcs11.token.as_ref());
    let limit = facts.and_then(|facts| Some(facts.most_sessions?.saturating_sub(facts.open_sessions.unwrap_or(0))));
    // Those who use the token beside this may want another one meanwhile.
    let most = limit.map_or(MOST_SESSIONS, |limit| limit.min(MOST_SESSIONS)).max(1);
    let mut refusal = None;
    examiner.step("C_OpenSession");
    while (devices.len() as u64) < most {
        examiner.step_on(|| "C_OpenSession".to_owned());
        match token.open_further_session() {
            Ok(device) => devices.push(device),
            Err(error) => {
                refusal = Some(error.to_string());
                break;
            }
        }
    }
    let opened = devices.len() as u64;
    examiner.report.sessions = Some(Sessions { opened, refusal: refusal.clone() });
    examiner.step("C_CloseSession");
    devices.truncate(configured.max(MOST_SIGNING));
    if opened >= configured as u64 {
        examiner.works(format!("{opened} sessions beside one another, {configured} configured"));
        return Ok(());
    }
    let why = refusal.unwrap_or_else(|| "the token sets this limit".to_owned());
    let what = format!("{opened} sessions could be opened, {configured} are configured: {why}");
    if question.shared {
        examiner
            .odd(what, "the running appliance holds some already: stop it and look again to see how many there are");
    } else {
        examiner.wrong(what, format!("write sessions = {opened}, or end what else holds sessions of this token"));
    }
    Ok(())
}

/// How many sessions are to sign at once: 2, 4, 8 and so on, and as many as are configured.
pub(super) fn counts(open: usize, configured: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(2_usize), |count| count.checked_mul(2));
    let mut counts: Vec<usize> = doubled.take_while(|count| *count <= MOST_SIGNING).chain([configured]).collect();
    counts.retain(|count| (2..=open).contains(count));
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// What the rates say about the sessions configured.
pub(super) fn judge(examiner: &mut Examiner<'_>, rates: &[Rate], configured: usize) {
    let with = |sessions: u64| rates.iter().find(|rate| rate.sessions == sessions).map(|rate| rate.per_second);
    let (Some(one), Some(most)) = (with(1), rates.iter().map(|rate| rate.per_second).max()) else { return };
    if rates.len() == 1 {
        return;
    }
    // The fewest that come near the most.
    let enough = rates.iter().find(|rate| rate.per_second * 10 >= most * 9).map_or(1, |rate| rate.sessions);
    if most * 10 < one * 13 {
        examiner.works(format!("sessions may sign at once, but gain little by it: {one} signatures a second with 1"));
    } else {
        examiner.works(format!("sessions sign at once: {one} signatures a second with 1, {most} with {enough}"));
    }
    let now = with(configured as u64).unwrap_or(one);
    // Half as many again: less than that may be whatever else the machine did meanwhile.
    if enough > configured as u64 && most * 2 >= now * 3 {
        examiner.odd(
            format!("{configured} sessions give {now} signatures a second, {enough} give {most}"),
            format!("write sessions = {enough}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Level;

    #[test]
    fn the_configured_number_is_always_measured() {
        assert_eq!(counts(64, 4), [2, 4, 8, 16]);
        assert_eq!(counts(64, 5), [2, 4, 5, 8, 16]);
        assert_eq!(counts(64, 32), [2, 4, 8, 16, 32]);
        assert_eq!(counts(3, 4), [2]);
        assert!(counts(1, 4).is_empty());
    }

    #[test]
    fn more_sessions_are_advised_only_where_they_gain() {
        let judged = |rates: &[(u64, u64)], configured| {
            let rates: Vec<Rate> = rates
                .iter()
                .map(|(sessions, per_second)| Rate { sessions: *sessions, per_second: *per_second })
                .collect();
            let mut tell = |_: &str, _: &crate::probe::Report| {};
            let mut examiner = Examiner::new(&mut tell);
            judge(&mut examiner, &rates, configured);
            let odd = examiner.report.findings.into_iter().find(|finding| finding.level == Level::Odd);
            odd.and_then(|finding| finding.advice)
        };
        let growing = [(1, 100), (2, 200), (4, 390), (8, 700), (16, 720)];
        let level = [(1, 2000), (2, 2200), (4, 2500), (8, 2300), (16, 3200)];
        assert_eq!(judged(&growing, 4).as_deref(), Some("write sessions = 8"));
        assert_eq!(judged(&growing, 8), None);
        assert_eq!(judged(&growing, 16), None);
        assert_eq!(judged(&level, 4), None);
        assert_eq!(judged(&[(1, 100), (2, 105), (4, 100)], 1), None);
        assert_eq!(judged(&[(1, 100), (2, 190)], 1).as_deref(), Some("write sessions = 2"));
        assert_eq!(judged(&[(1, 100)], 1), None);
    }
}
