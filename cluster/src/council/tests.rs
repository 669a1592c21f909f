//! Histories of councils, in memory and seeded.
