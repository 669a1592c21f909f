//! Reader: to come.
