//! The real source of randomness. Simulations bring a seeded one.

use dragoman_model::Random;

/// The system's generator, through aws-lc.
#[derive(Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("a process without working randomness must not go on");
    }
}
