//! `run`: the daemon, until a signal ends it.

use serde_json::Value;

use super::{Shown, failure::Failure};
use crate::{Client, Config, run};

pub(super) async fn run(config: &Config, client: Client) -> Result<Shown, Failure> {
    run::log::start();
    run::run(config, client).await?;
    Shown::new(String::new(), &Value::Null)
}
