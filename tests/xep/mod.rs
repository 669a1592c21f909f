//! Extensions, one file each.

mod carbons;
