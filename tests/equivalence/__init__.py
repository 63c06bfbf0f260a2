"""The Rust core and the reference give the same bytes."""
