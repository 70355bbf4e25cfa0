//! So many at once of one watcher, and so many of all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use appliance_wire::ProblemCode;

use crate::refusal::Refusal;

/// How many places each watcher has taken.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Of one watcher, and of all.
    most: (usize, usize),
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

impl Places {
    pub(super) fn new(most: (usize, usize)) -> Self {
        Self { most, taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more place for `watcher`.
    ///
    /// # Errors
    /// `rate-limited`.
    pub(super) fn take(&self, watcher: &str) -> Result<Place, Refusal> {
        let (of_one, of_all) = self.most;
        let mut taken = self.taken();
        let detail = if taken.get(watcher).is_some_and(|taken| *taken >= of_one) {
            format!("this watcher asks for its events {of_one} times at once already: follow them once")
        } else if taken.values().sum::<usize>() >= of_all {
            format!("events are asked for {of_all} times at once already: ask again later")
        } else {
            *taken.entry(watcher.to_owned()).or_default() += 1;
            return Ok(Place { places: self.clone(), watcher: watcher.to_owned() });
        };
        Err(Refusal::new(ProblemCode::RateLimited, detail).retry_after(5))
    }
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    watcher: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&self.watcher) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.watcher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_has_its_places_and_all_together_have_theirs() {
        let places = Places::new((2, 3));
        let first = places.take("a").unwrap();
        let _second = places.take("a").unwrap();
        assert_eq!(places.take("a").unwrap_err().code(), ProblemCode::RateLimited);
        let third = places.take("b").unwrap();
        assert!(places.take("c").is_err());
        drop(first);
        assert!(places.take("c").is_ok());
        drop(third);
        assert_eq!(places.taken().len(), 1);
    }
}
