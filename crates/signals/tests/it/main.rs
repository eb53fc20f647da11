//! The signals through their public surface.
