//! The policy through its public surface.
