//! Every scene, in one binary: the stages with nodes are built once and shared.
