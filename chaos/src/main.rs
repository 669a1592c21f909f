//! Breaks clusters on purpose, and measures them.
fn main() {}
