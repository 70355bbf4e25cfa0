//! Started and stopped whole.
