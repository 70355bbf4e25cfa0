//! Events pushed: signed, in order, at least once.
