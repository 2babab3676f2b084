//! The losses of two sides on the same points.

/// Scaled absolute errors of two sides on the same points, in the same order: all finite, none negative,
/// at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedLosses {
    candidate: Vec<f64>,
    incumbent: Vec<f64>,
}

/// Why two lists of losses are not paired.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Unpaired {
    /// One side has more than the other.
    #[error("the candidate has {candidate} losses, the incumbent {incumbent}")]
    UnequalLengths {
        /// Losses of the candidate.
        candidate: usize,
        /// Losses of the incumbent.
        incumbent: usize,
    },
    /// Nothing was compared.
    #[error("there are no losses")]
    Empty,
    /// A loss is missing, infinite or negative.
    #[error("loss {index} of one side is {value}")]
    NotALoss {
        /// The first such loss, counted from 0.
        index: usize,
        /// What stands there.
        value: f64,
    },
}

impl PairedLosses {
    /// Checks and takes the losses of both sides.
    pub fn new(candidate: Vec<f64>, incumbent: Vec<f64>) -> Result<Self, Unpaired> {
        if candidate.len() != incumbent.len() {
            let (candidate, incumbent) = (candidate.len(), incumbent.len());
            return Err(Unpaired::UnequalLengths { candidate, incumbent });
        }
        if candidate.is_empty() {
            return Err(Unpaired::Empty);
        }
        for side in [&candidate, &incumbent] {
            if let Some(index) = side.iter().position(|loss| !loss.is_finite() || *loss < 0.0) {
                return Err(Unpaired::NotALoss { index, value: side[index] });
            }
        }
        Ok(Self { candidate, incumbent })
    }

    /// Losses of the candidate.
    pub fn candidate(&self) -> &[f64] {
        &self.candidate
    }

    /// Losses of the incumbent, on the same points in the same order.
    pub fn incumbent(&self) -> &[f64] {
        &self.incumbent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_on_the_same_points_are_paired() {
        assert!(PairedLosses::new(vec![0.0, 1.5], vec![2.0, 0.0]).is_ok());
        assert_eq!(PairedLosses::new(vec![], vec![]), Err(Unpaired::Empty));
        let unequal = Unpaired::UnequalLengths { candidate: 1, incumbent: 2 };
        assert_eq!(PairedLosses::new(vec![1.0], vec![1.0, 1.0]), Err(unequal));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            for (candidate, incumbent) in [(vec![1.0, bad], vec![1.0, 1.0]), (vec![1.0, 1.0], vec![1.0, bad])]
            {
                let refused = PairedLosses::new(candidate, incumbent);
                assert!(matches!(refused, Err(Unpaired::NotALoss { index: 1, .. })), "{bad}");
            }
        }
    }
}
