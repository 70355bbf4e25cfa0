//! The journal by itself.
