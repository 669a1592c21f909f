//! THE list of features. To add one: its file, its `mod`, its line here.

use crate::feature::Feature;

/// Every feature, in the order a stanza meets them.
pub fn all() -> Vec<Box<dyn Feature>> {
    vec![]
}
