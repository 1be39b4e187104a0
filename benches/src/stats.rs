//! Medians and quartiles.

/// The value below which the given share of the samples lies; 0 of none.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sample counts are small and the share lies between 0 and 1"
    )]
    let (below, rest) = {
        let at = last as f64 * share.clamp(0.0, 1.0);
        (at.floor() as usize, at.fract())
    };
    let above = sorted[(below + 1).min(last)];
    sorted[below] + (above - sorted[below]) * rest
}

/// The middle.
pub(crate) fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

#[cfg(test)]
mod tests {
    use super::{median, quantile};

    #[test]
    fn quantiles_lie_between_the_samples() {
        let samples = [4.0, 1.0, 3.0, 2.0];
        assert!((median(&samples) - 2.5).abs() < 1e-9);
        assert!((quantile(&samples, 0.0) - 1.0).abs() < 1e-9);
        assert!((quantile(&samples, 1.0) - 4.0).abs() < 1e-9);
        assert!((quantile(&samples, 0.25) - 1.75).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }
}
