//! Medians and tails of a few thousand durations.

use std::time::Duration;

/// Sorted samples of one measure.
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn new(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        Self(samples)
    }

    /// The sample below which this share of them lie; zero without samples.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0
            .get((last as f64 * share).round() as usize)
            .copied()
            .unwrap_or_default()
    }

    pub fn p50(&self) -> Duration {
        self.quantile(0.5)
    }

    /// `p50 0.31 ms, p99 0.80 ms, min 0.25 ms`.
    pub fn summary(&self) -> String {
        format!(
            "p50 {}, p99 {}, min {}",
            ms(self.p50()),
            ms(self.quantile(0.99)),
            ms(self.quantile(0.0))
        )
    }
}

pub fn ms(span: Duration) -> String {
    format!("{:.2} ms", span.as_secs_f64() * 1_000.0)
}
