//! What is counted and measured, for the monitoring: what happens, as it happens, in [`Events`], and what is looked at
//! when somebody asks in [`Readings`]. Knows no HTTP.
//!
//! Names end in their unit. Labels are few: no address, no digest, no amount, no request id, and nothing a caller wrote.

use std::sync::{Mutex, PoisonError};

use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};

mod classic;
mod events;
mod gauges;
pub mod history;
mod labels;
mod readings;

pub use events::{AuthFailure, NO_NAME};
pub use readings::{ApplianceState, LimitReading, LogReading, Readings, WaitingReading, WitnessReading};

use events::Events;
use gauges::Gauges;
use history::History;

/// The metrics and their registry.
#[derive(Debug)]
pub struct Metrics {
    /// The last day, minute by minute.
    pub history: History,
    registry: Registry,
    events: Events,
    /// Held while the gauges are set and read: who asks meanwhile sees no half of them.
    gauges: Mutex<Gauges>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("chancery");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This program", build);
        let events = Events::new(&mut registry);
        let gauges = Mutex::new(Gauges::new(&mut registry));
        Self { history: History::default(), registry, events, gauges }
    }
}

impl Metrics {
    /// All of it as OpenMetrics text (`application/openmetrics-text; version=1.0.0`).
    #[must_use]
    pub fn open_metrics(&self, readings: &Readings) -> String {
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.set(readings);
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// The same in Prometheus' older format (`text/plain; version=0.0.4`).
    #[must_use]
    pub fn classic(&self, readings: &Readings) -> String {
        classic::classic(&self.open_metrics(readings))
    }
}

#[cfg(test)]
mod tests;
