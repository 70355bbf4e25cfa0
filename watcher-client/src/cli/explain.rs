//! `sign --dry-run`: what would happen and why, for people.

use appliance_wire::{ExplainedAmount, ExplainedOutcome, ExplainedPayment, Explanation, RequestId, SignatureRequest};

use super::{Shown, failure::Failure};
use crate::{Client, Error};

/// Asks; a refusal is a failure, as the request's would be.
pub(super) async fn run(client: &Client, id: &RequestId, request: &SignatureRequest) -> Result<Shown, Failure> {
    let explanation = client.explain(id, request).await?;
    let mut shown = Shown::new(describe(&explanation), &explanation)?;
    if explanation.outcome == ExplainedOutcome::Refuse {
        shown.failure = Some(match explanation.problem {
            Some(problem) => Error::Refused(Box::new(problem)).into(),
            None => Failure::Failed(format!("{id} would be refused")),
        });
    }
    Ok(shown)
}

fn describe(explanation: &Explanation) -> String {
    let id = &explanation.request_id;
    let mut text = match explanation.outcome {
        ExplainedOutcome::Sign => format!("{id}: would be signed\n"),
        ExplainedOutcome::Approve => format!("{id}: would wait for officers\n"),
        ExplainedOutcome::Bound => format!("{id}: was put before, and stands as it does; ask `status {id}`\n"),
        ExplainedOutcome::Refuse => format!("{id}: would be refused\n"),
    };
    for payment in &explanation.payments {
        text += &describe_payment(payment);
    }
    for change in &explanation.change {
        text += &format!("change: {}\n", describe_amount(change));
    }
    if let Some(fee) = &explanation.fee {
        text += &format!("fee: {}\n", describe_amount(fee));
    }
    if !explanation.amounts_verified {
        text += "these amounts are our own word: the signer cannot check them\n";
    }
    for limit in &explanation.limits {
        let fits = if limit.fits { "" } else { ": TOO MUCH" };
        let per = limit.per.as_ref().map(|per| format!(" of {per}")).unwrap_or_default();
        let unit = limit.asset.as_deref().unwrap_or("signatures");
        let (name, adds, used, max) = (&limit.limit, &limit.adds, &limit.used, &limit.max);
        text += &format!("limit {name}{per}: {adds} more than the {used} used of {max} {unit}{fits}\n");
    }
    for hold in &explanation.holds {
        let state = if hold.free { "free" } else { "HELD by another withdrawal" };
        text += &format!("spends {}: {state}\n", hold.hold);
    }
    text
}

fn describe_payment(payment: &ExplainedPayment) -> String {
    let paid = payment.paid.as_ref().map_or_else(|| "nothing known".to_owned(), describe_amount);
    let ours = payment.ours.as_ref().map(|key| format!(", which is our {key}")).unwrap_or_default();
    let mut text = format!("pays {paid}{ours}\n");
    for rule in &payment.rules {
        let matches = if rule.matches { "decides" } else { "does not match" };
        text += &format!("  rule {} {matches}: {}\n", rule.rule, rule.reason);
    }
    text
}

fn describe_amount(amount: &ExplainedAmount) -> String {
    let to = amount.destination.as_ref().map(|destination| format!(" to {destination}")).unwrap_or_default();
    format!("{} {}{to}", amount.amount, amount.asset)
}
