//! The whole product in one process against the simulators.
