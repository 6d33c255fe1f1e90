//! The tests of the crate from outside, as one program: building and linking one is quicker than eight.

mod compare;
mod dissector;
mod edge_points;
mod ends;
mod expect;
mod explain;
mod grammar;
mod layouts;
mod own;
mod peer;
mod report;
mod runner;
mod shims;
mod templates;
