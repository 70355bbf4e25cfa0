//! Entries appended while no appliance serves: by who holds the state directory, with nobody waiting.

use appliance_wire::Body;

use super::{draft::Draft, log::Tip, open::Opened, start::clock, unreadable::Unreadable};

impl Opened {
    /// Appends, and brings what was appended into the store and under the anchor.
    ///
    /// # Errors
    /// It cannot be written, or does not follow.
    pub fn append(&mut self, bodies: Vec<Body>) -> Result<Tip, Unreadable> {
        self.raise_format()?;
        let io = |error: std::io::Error| Unreadable::new(format!("appending to the audit log: {error}"));
        let clock = clock(&self.state).map_err(io)?;
        let mut draft = Draft::new(clock.now(), self.state.size);
        for body in bodies {
            draft.push(&mut self.state, &mut self.frontier, body)?;
        }
        draft.commit(&self.frontier, &mut self.journal, &self.log, &mut self.anchor)
    }
}
