//! Whether comparing takes equally long wherever the difference is, by Welch's t-test as in dudect ("Dude, is my code
//! constant time?", Reparaz and others, 2017).

use std::hint::black_box;
use std::time::Instant;

use dragoman_model::Random;
use dragoman_seal::{SystemRandom, equal};

const SAMPLES: usize = 1_000_000;
/// Comparisons per sample, so that the clock's grain does not hide what one takes.
const REPEAT: usize = 8;

/// t of two classes, each without its slowest tenth, where interrupts of the machine are.
fn t_value(classes: [Vec<u32>; 2]) -> f64 {
    let [a, b] = classes.map(|mut times| {
        times.sort_unstable();
        times.truncate(times.len() * 9 / 10);
        let count = f64::from(u32::try_from(times.len()).expect("a million"));
        let mean = times.iter().map(|time| f64::from(*time)).sum::<f64>() / count;
        let variance =
            times.iter().map(|time| (f64::from(*time) - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (a.0 - b.0) / (a.1 + b.1).sqrt()
}

fn measure(compare: impl Fn(&[u8], &[u8]) -> bool) -> f64 {
    let secret = [0x5a; 32];
    let mut first = secret;
    first[0] ^= 1;
    let mut last = secret;
    last[31] ^= 1;
    let mut choices = vec![0; SAMPLES];
    SystemRandom.fill(&mut choices);
    let mut classes = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    for choice in choices {
        let class = usize::from(choice & 1);
        // Copied into one place, so that both classes read the same memory.
        let guess = black_box([first, last][class]);
        #[expect(clippy::disallowed_methods, reason = "this measures real time")]
        let start = Instant::now();
        for _ in 0..REPEAT {
            black_box(compare(black_box(&secret), black_box(&guess)));
        }
        classes[class].push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }
    t_value(classes)
}

fn leaky(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| black_box(a) == black_box(b))
}

#[test]
#[ignore = "needs a quiet machine: cargo test -p dragoman-seal --test it timing -- --ignored"]
fn comparing_takes_as_long_wherever_the_difference_is() {
    let t = measure(leaky);
    assert!(t.abs() > 50.0, "the method finds a comparison that stops early: t = {t}");
    let t = measure(equal);
    assert!(t.abs() < 4.5, "t = {t}");
}
