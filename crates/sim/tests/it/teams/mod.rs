//! Tests of the Teams simulator.
