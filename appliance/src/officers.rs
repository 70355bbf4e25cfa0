//! People who decide: what they sign, one short text an act, and whether enough of them did.
//!
//! An act is made of the log as it stands, so that its text serves once, here. Nothing in this module writes.

mod act;
mod acts;
mod agreement;
mod offline;
mod request;

pub use act::{Act, Content, Needs, ToSign};
pub(crate) use acts::{RENEWAL, lapsed};
pub use agreement::{Agreement, agreed, agreement, renewal};
pub use offline::Consent;
pub use request::ActRequest;
