//! How requests are shared out among targets, with fabio's arithmetic.
//!
//! A weight is that of each instance. What all fixed ones take is taken first, scaled down to the whole if it is more, and up
//! if nobody else is there; the others share evenly what is left.

/// Instances that are reached in one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    /// The fixed weight of each of them; 0 or less: none.
    pub fixed: f64,
    /// How many there are.
    pub instances: u32,
}

/// One is a hundredth of a percent.
const WHOLE: f64 = 10_000.0;

/// The weights of targets among each other, at least one of them above 0.
pub(super) fn weights(shares: &[Share]) -> Vec<u32> {
    let weights = if shares.iter().any(Share::is_fixed) {
        shares.iter().map(|share| share.part(shares)).collect()
    } else {
        shares.iter().map(|share| share.instances).collect::<Vec<_>>()
    };
    // Nobody is there: the first that comes back finds a route.
    if weights.iter().all(|weight| *weight == 0) { vec![1; shares.len()] } else { weights }
}

impl Share {
    fn is_fixed(&self) -> bool {
        self.fixed > 0.0 && self.instances > 0
    }

    fn total(&self) -> f64 {
        self.fixed * f64::from(self.instances)
    }

    fn part(&self, all: &[Self]) -> u32 {
        let taken: f64 = all.iter().filter(|share| share.is_fixed()).map(Self::total).sum();
        let others: u32 = all.iter().filter(|share| !share.is_fixed()).map(|share| share.instances).sum();
        let part = if self.is_fixed() {
            if taken > 1.0 || others == 0 { self.total() / taken } else { self.total() }
        } else {
            f64::max(0.0, 1.0 - taken) * f64::from(self.instances) / f64::from(others.max(1))
        };
        hundredths(part)
    }
}

/// What is not nothing gets at least the smallest weight, as in fabio.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10,000")]
fn hundredths(part: f64) -> u32 {
    if part <= 0.0 { 0 } else { ((part * WHOLE).round() as u32).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shares: &[(f64, u32)]) -> Vec<u32> {
        weights(&shares.iter().map(|&(fixed, instances)| Share { fixed, instances }).collect::<Vec<_>>())
    }

    #[test]
    fn without_weights_every_instance_counts_the_same() {
        assert_eq!(of(&[(0.0, 3), (0.0, 1), (-1.0, 2)]), [3, 1, 2]);
    }

    #[test]
    fn a_weight_is_that_of_each_instance() {
        assert_eq!(of(&[(0.1, 2), (0.0, 4)]), [2000, 8000]);
        assert_eq!(of(&[(0.05, 1), (0.0, 2), (0.0, 1)]), [500, 6333, 3167]);
    }

    #[test]
    fn weights_above_the_whole_are_scaled_down_and_leave_nothing() {
        assert_eq!(of(&[(0.9, 2), (0.6, 1), (0.0, 5)]), [7500, 2500, 0]);
    }

    #[test]
    fn weights_alone_are_scaled_up() {
        assert_eq!(of(&[(0.1, 1), (0.3, 1)]), [2500, 7500]);
    }

    #[test]
    fn a_weight_of_nobody_takes_nothing() {
        assert_eq!(of(&[(0.9, 0), (0.0, 3)]), [0, 3]);
        assert_eq!(of(&[(0.9, 0), (0.0, 0)]), [1, 1]);
    }

    #[test]
    fn a_tiny_weight_is_not_rounded_away() {
        assert_eq!(of(&[(0.000_001, 1), (0.0, 1)]), [1, 10_000]);
    }
}
