//! Two different fits made equally good, so that nothing but a planted effect tells them apart.

use crate::evaluation::Tail;

/// Changes errors so that they have another mean and another worst case, by a power and a factor: their signs and
/// their order by size stay as they are, and so does most of what makes one fit differ from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rescaling {
    power: f64,
    factor: f64,
}

/// Far more than two usable models are apart.
const POWERS: [f64; 2] = [0.25, 4.0];
/// Of the ratio that is aimed at.
const TOLERANCE: f64 = 1e-9;

impl Rescaling {
    /// What gives `errors` the mean and the worst case of `target`; `None` if no power does.
    pub(super) fn to_match(errors: &[f64], target: &[f64]) -> Option<Self> {
        let aim = Summary::of(&ascending(target))?;
        let losses = ascending(errors);
        // A power keeps their order.
        let at = |power: f64| Summary::of(&losses.iter().map(|loss| loss.powf(power)).collect::<Vec<_>>());
        let [mut low, mut high] = POWERS;
        // The ratio of the worst case to the mean grows with the power.
        if at(low)?.ratio() > aim.ratio() || at(high)?.ratio() < aim.ratio() {
            return None;
        }
        let mut power = 1.0;
        let mut now = at(power)?;
        for _ in 0..60 {
            if (now.ratio() / aim.ratio() - 1.0).abs() < TOLERANCE {
                break;
            }
            *(if now.ratio() < aim.ratio() { &mut low } else { &mut high }) = power;
            power = f64::midpoint(low, high);
            now = at(power)?;
        }
        Some(Self { power, factor: aim.mean / now.mean })
    }

    /// Of `errors`, rescaled, with those that they then match.
    pub(super) fn correlation(self, errors: &[f64], target: &[f64]) -> f64 {
        let rescaled: Vec<f64> = errors.iter().map(|&error| self.apply(error)).collect();
        correlation(&rescaled, target)
    }

    pub(super) fn apply(self, error: f64) -> f64 {
        (self.factor * error.abs().powf(self.power)).copysign(error)
    }
}

fn ascending(errors: &[f64]) -> Vec<f64> {
    let mut losses: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    losses.sort_unstable_by(f64::total_cmp);
    losses
}

struct Summary {
    mean: f64,
    worst_case: f64,
}

impl Summary {
    fn of(ascending: &[f64]) -> Option<Self> {
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let tail = Tail::of(ascending.len())?;
        let (mean, worst_case) = (mean(ascending), mean(&ascending[ascending.len() - tail.points..]));
        (mean > 0.0 && worst_case.is_finite()).then_some(Self { mean, worst_case })
    }

    fn ratio(&self) -> f64 {
        self.worst_case / self.mean
    }
}

/// Pearson's correlation of two lists of errors.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let count = one.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut both, mut of_one, mut of_other) = (0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(other) {
        let (one, other) = (one - mean_one, other - mean_other);
        both += one * other;
        of_one += one * one;
        of_other += other * other;
    }
    both / (of_one * of_other).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{average, worst_case};

    /// Many small errors of both signs and a tail whose weight depends on `tail`.
    fn errors(tail: f64) -> Vec<f64> {
        let error = |index: i32| {
            let share = f64::from(index) / 4000.0;
            let size = 0.5 + share + if share > 0.98 { tail * share } else { 0.0 };
            if index % 2 == 0 { size } else { -size }
        };
        (0..4000).map(error).collect()
    }

    #[test]
    fn a_twin_has_the_mean_and_the_worst_case_of_the_other() {
        let (ours, theirs) = (errors(3.0), errors(9.0));
        let rescaling = Rescaling::to_match(&ours, &theirs).expect("there is a power");
        let twin: Vec<f64> = ours.iter().map(|&error| rescaling.apply(error)).collect();
        let losses = |errors: &[f64]| errors.iter().map(|error| error.abs()).collect::<Vec<_>>();
        let (twin_losses, their_losses) = (losses(&twin), losses(&theirs));
        for number in [average, worst_case] {
            let (one, other) =
                (number(&twin_losses).expect("is one"), number(&their_losses).expect("is one"));
            assert!((one / other - 1.0).abs() < 1e-6, "{one} {other}");
        }
        assert!(twin.iter().zip(&ours).all(|(one, other)| one.signum() == other.signum()));
    }

    #[test]
    fn what_has_no_tail_has_no_twin_with_one() {
        assert_eq!(Rescaling::to_match(&vec![1.0; 4000], &errors(9.0)), None);
        assert_eq!(Rescaling::to_match(&errors(3.0), &vec![0.0; 4000]), None);
    }

    #[test]
    fn a_twin_correlates_as_it_competes() {
        let ours = errors(3.0);
        let theirs: Vec<f64> = ours.iter().map(|error| error.abs().powi(3).copysign(*error)).collect();
        let rescaling = Rescaling::to_match(&ours, &theirs).expect("there is a power: 3");
        assert!((rescaling.correlation(&ours, &theirs) - 1.0).abs() < 1e-6);
        assert!(correlation(&ours, &theirs) < 0.99);
    }

    #[test]
    fn correlation_agrees_with_a_hand_computed_example() {
        assert!((correlation(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]) - 1.0).abs() < 1e-12);
        assert!((correlation(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]) - 0.5).abs() < 1e-12);
    }
}
