//! Biplane's own tags.
