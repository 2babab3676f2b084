//! The losses of two sides on the same points.

/// Scaled absolute errors of two sides on the same points, in the same order: all finite, none negative,
/// at least one; and from which origin each point was forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedLosses {
    candidate: Vec<f64>,
    incumbent: Vec<f64>,
    origin_of: Vec<u32>,
    origins: u32,
}

/// The losses of both sides from one origin, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OriginLosses {
    /// Of the candidate.
    pub candidate: f64,
    /// Of the incumbent.
    pub incumbent: f64,
    /// Points that they are of, at least one.
    pub points: u32,
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
    /// The list of origins is not as long as the lists of losses.
    #[error("there are {losses} losses of each side, and {origins} of them have an origin")]
    WithoutOrigin {
        /// Losses of each side.
        losses: usize,
        /// Entries of the list of origins.
        origins: usize,
    },
    /// An origin has no point, although a later one has.
    #[error("origin {origin} has no losses, though a later one has")]
    EmptyOrigin {
        /// The first such origin, counted from 0.
        origin: usize,
    },
}

impl PairedLosses {
    /// Checks and takes the losses of both sides. `origin_of` says for each point which origin it is of: origins
    /// are counted from 0 in the order of time, and none is left out.
    pub fn new(candidate: Vec<f64>, incumbent: Vec<f64>, origin_of: Vec<u32>) -> Result<Self, Unpaired> {
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
        if origin_of.len() != candidate.len() {
            let (losses, origins) = (candidate.len(), origin_of.len());
            return Err(Unpaired::WithoutOrigin { losses, origins });
        }
        let origins = count_origins(&origin_of)?;
        Ok(Self { candidate, incumbent, origin_of, origins })
    }

    /// Losses of the candidate.
    pub fn candidate(&self) -> &[f64] {
        &self.candidate
    }

    /// Losses of the incumbent, on the same points in the same order.
    pub fn incumbent(&self) -> &[f64] {
        &self.incumbent
    }

    /// Of each point the origin that it was forecast from.
    pub fn origin_of(&self) -> &[u32] {
        &self.origin_of
    }

    /// How many origins there are; each has a point.
    pub fn origins(&self) -> usize {
        self.origins as usize
    }

    /// The losses of each origin added up, in the order of time. A sum may be too large for a number.
    pub fn per_origin(&self) -> Vec<OriginLosses> {
        let mut sums = vec![OriginLosses::default(); self.origins()];
        let sides = self.candidate.iter().zip(&self.incumbent);
        for (&origin, (candidate, incumbent)) in self.origin_of.iter().zip(sides) {
            let sum = &mut sums[origin as usize];
            sum.candidate += candidate;
            sum.incumbent += incumbent;
            sum.points += 1;
        }
        sums
    }
}

/// There cannot be more origins than points, so a wild number reserves no memory.
fn count_origins(origin_of: &[u32]) -> Result<u32, Unpaired> {
    let mut has_point = vec![false; origin_of.len()];
    for &origin in origin_of {
        if let Some(seen) = has_point.get_mut(origin as usize) {
            *seen = true;
        }
    }
    let last = origin_of.iter().copied().max().unwrap_or(0);
    match has_point.iter().position(|seen| !seen) {
        Some(origin) if origin <= last as usize => Err(Unpaired::EmptyOrigin { origin }),
        _ => Ok(last + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_on_the_same_points_are_paired() {
        let two = || vec![0, 0];
        assert!(PairedLosses::new(vec![0.0, 1.5], vec![2.0, 0.0], two()).is_ok());
        assert_eq!(PairedLosses::new(vec![], vec![], vec![]), Err(Unpaired::Empty));
        let unequal = Unpaired::UnequalLengths { candidate: 1, incumbent: 2 };
        assert_eq!(PairedLosses::new(vec![1.0], vec![1.0, 1.0], two()), Err(unequal));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            for (candidate, incumbent) in [(vec![1.0, bad], vec![1.0, 1.0]), (vec![1.0, 1.0], vec![1.0, bad])]
            {
                let refused = PairedLosses::new(candidate, incumbent, two());
                assert!(matches!(refused, Err(Unpaired::NotALoss { index: 1, .. })), "{bad}");
            }
        }
    }

    #[test]
    fn losses_add_up_per_origin_in_the_order_of_time() {
        let losses = PairedLosses::new(vec![1.0, 2.0, 4.0], vec![0.5, 8.0, 16.0], vec![1, 0, 1]);
        let sums = losses.expect("are paired").per_origin();
        let first = OriginLosses { candidate: 2.0, incumbent: 8.0, points: 1 };
        let second = OriginLosses { candidate: 5.0, incumbent: 16.5, points: 2 };
        assert_eq!(sums, [first, second]);
    }

    #[test]
    fn every_point_is_of_an_origin_and_no_origin_is_left_out() {
        let pair = |origin_of: &[u32]| PairedLosses::new(vec![1.0; 3], vec![1.0; 3], origin_of.to_vec());
        // The points need not come in the order of their origins.
        for (origin_of, origins) in [([0, 0, 0], 1), ([1, 0, 1], 2), ([2, 1, 0], 3)] {
            assert_eq!(pair(&origin_of).map(|losses| losses.origins()), Ok(origins));
        }
        assert_eq!(pair(&[0, 1]), Err(Unpaired::WithoutOrigin { losses: 3, origins: 2 }));
        assert_eq!(pair(&[1, 1, 2]), Err(Unpaired::EmptyOrigin { origin: 0 }));
        assert_eq!(pair(&[0, 2, 2]), Err(Unpaired::EmptyOrigin { origin: 1 }));
        assert_eq!(pair(&[0, 1, u32::MAX]), Err(Unpaired::EmptyOrigin { origin: 2 }));
    }
}
