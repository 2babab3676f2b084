//! Where candidates of a known kind are judged: pairs of different fits, windows, planted effects.

use super::{
    cells::{CELLS, Cell, Effect, Wish},
    certificate::{CertifySettings, Longer, MOST_NIGHTS, NightsToPromote, Outcome, Pairs, Row},
    fits::Fits,
    rules::RULES,
    spread::{Stage, Work},
    tally::Share,
    trial::{GateTerms, Ruling, Trial},
    twins::Rescaling,
    windows::{Windows, random_of},
};
use crate::{learning::Stopped, random::Random, series::Frame};

pub(super) struct Bench<'a> {
    fits: &'a Fits,
    settings: &'a CertifySettings<'a>,
    windows: Windows,
    /// Origins of a window.
    pub(super) window: usize,
    overlap: u32,
    pairs: Vec<Pair>,
    unmatched: usize,
}

/// Two fits, the first made as good as the second.
struct Pair {
    candidate: usize,
    incumbent: usize,
    rescaling: Rescaling,
    /// Of the errors that compete: the rescaled ones with the second's.
    correlation: f64,
}

/// Windows of one length with one kind of candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Batch {
    cell: usize,
    origins: usize,
    draws: usize,
}

/// What each rule says.
type Rulings = [Ruling; RULES.len()];

/// Times the usual window.
const LENGTHS: [usize; 3] = [2, 4, 8];
/// A rule has seen what a candidate is like when it promotes at most this share of it, or at least 0.9.
const TOLERATED: f64 = 0.05;
const EXPECTED: f64 = 0.9;
const ALIKE: f64 = 0.9;
/// Draws that a thread judges at a time.
const PIECE: usize = 10;
/// What a followed candidate is like.
const GAIN: Effect = Effect::Scaled(0.95);

impl<'a> Bench<'a> {
    pub(super) fn new(
        frame: &Frame,
        fits: &'a Fits,
        settings: &'a CertifySettings<'a>,
        work: &Work<'_>,
    ) -> Result<Self, Stopped> {
        let (grid, model) = (&frame.grid, settings.model);
        let overlap = grid.strides_of(model.horizon_steps);
        let block = grid.strides_drawn_together(model.horizon_steps) as usize;
        let every = fits.fitted.len();
        let couples: Vec<(usize, usize)> = (0..every * every)
            .map(|number| (number / every, number % every))
            .filter(|(candidate, incumbent)| candidate != incumbent)
            .collect();
        let matched = work.spread(Stage::Pairing, couples.len(), |number| {
            let (candidate, incumbent) = couples[number];
            let (ours, theirs) = (&fits.fitted[candidate].errors, &fits.fitted[incumbent].errors);
            let pair = |rescaling: Rescaling| {
                let correlation = rescaling.correlation(ours, theirs);
                Pair { candidate, incumbent, rescaling, correlation }
            };
            Ok(Rescaling::to_match(ours, theirs).map(pair))
        })?;
        let pairs: Vec<Pair> = matched.into_iter().flatten().collect();
        Ok(Self {
            fits,
            settings,
            windows: Windows { origins: fits.points.of_origin.len(), block },
            window: model.gate.needed_origins(grid, model.horizon_steps) as usize,
            overlap,
            unmatched: couples.len() - pairs.len(),
            pairs,
        })
    }

    pub(super) fn pairs(&self) -> Pairs {
        let correlations = || self.pairs.iter().map(|pair| pair.correlation);
        Pairs {
            pairs: self.pairs.len(),
            unmatched: self.unmatched,
            correlation: correlations().sum::<f64>() / self.pairs.len() as f64,
            lowest: correlations().fold(f64::INFINITY, f64::min),
            highest: correlations().fold(f64::NEG_INFINITY, f64::max),
            alike: correlations().filter(|correlation| *correlation >= ALIKE).count(),
        }
    }

    /// Every cell on the usual windows, and what needs time on longer ones.
    pub(super) fn judge_all(&self, work: &Work<'_>) -> Result<(Vec<Row>, Vec<Longer>), Stopped> {
        let usual =
            (0..CELLS.len()).map(|cell| Batch { cell, origins: self.window, draws: self.settings.draws });
        let slow = (0..CELLS.len()).filter(|&cell| CELLS[cell].needs_time());
        let longer = slow.clone().flat_map(|cell| {
            LENGTHS.map(|times| Batch {
                cell,
                origins: times * self.window,
                draws: self.settings.draws_per_length,
            })
        });
        let batches: Vec<Batch> = usual.chain(longer).collect();
        let pieces: Vec<(Batch, usize)> = batches
            .iter()
            .flat_map(|&batch| (0..batch.draws).step_by(PIECE).map(move |first| (batch, first)))
            .collect();
        let judged = work.spread(Stage::Judging, pieces.len(), |piece| {
            let (batch, first) = pieces[piece];
            Ok((first..batch.draws.min(first + PIECE))
                .map(|draw| self.judge(batch, draw))
                .collect::<Vec<_>>())
        })?;
        let of_batch = |wanted: Batch| -> Vec<Rulings> {
            let pieces = pieces.iter().zip(&judged).filter(|((batch, _), _)| *batch == wanted);
            pieces.flat_map(|(_, findings)| findings.iter().copied()).collect()
        };
        let (usual, longer) = batches.split_at(CELLS.len());
        let rows: Vec<Row> = usual.iter().map(|&batch| self.row(batch, &of_batch(batch))).collect();
        let slow = slow.map(|cell| {
            let at_first = (self.window, rows[cell].outcomes[0].promoted.share);
            let later = longer.iter().filter(|batch| batch.cell == cell);
            let later = later.map(|&batch| (batch.origins, promoted(&of_batch(batch), 0)));
            on_longer(&CELLS[cell], [at_first].into_iter().chain(later).collect())
        });
        let slow = slow.collect();
        Ok((rows, slow))
    }

    /// Candidates that are 5 % better, judged night after night on the newest window until they are promoted.
    pub(super) fn follow(&self, work: &Work<'_>) -> Result<Vec<NightsToPromote>, Stopped> {
        let walks = work.spread(Stage::Following, self.settings.walks, |walk| {
            let (pair, origins) = self.draw(walk, self.window + MOST_NIGHTS);
            let mut promoted_on = [None; RULES.len()];
            for night in 0..MOST_NIGHTS {
                work.stop.check()?;
                let mut random = random_of(self.seed(), [walk, CELLS.len() + 1 + night]);
                let trial = self.trial(pair, &origins[night..night + self.window], GAIN, &mut random);
                let terms = self.terms(&mut random);
                for (rule, promoted_on) in RULES.iter().zip(&mut promoted_on) {
                    if promoted_on.is_none() && (rule.decide)(&trial, &terms) == Ruling::Promote {
                        *promoted_on = Some(night + 1);
                    }
                }
                if promoted_on.iter().all(Option::is_some) {
                    break;
                }
            }
            Ok(promoted_on)
        })?;
        let of_rule = |(index, rule): (usize, &super::Rule)| {
            let mut nights: Vec<usize> = walks.iter().filter_map(|promoted_on| promoted_on[index]).collect();
            nights.sort_unstable();
            let median = nights.get(walks.len().div_ceil(2).saturating_sub(1)).copied();
            NightsToPromote { rule: rule.name, median, promoted: nights.len() as f64 / walks.len() as f64 }
        };
        Ok(RULES.iter().enumerate().map(of_rule).collect())
    }

    fn seed(&self) -> u64 {
        self.settings.model.train.seed
    }

    /// The pair and the origins of a draw: the same for all cells.
    fn draw(&self, draw: usize, origins: usize) -> (&Pair, Vec<usize>) {
        let mut random = random_of(self.seed(), [draw, 0]);
        let pair = &self.pairs[random.place(self.pairs.len())];
        (pair, self.windows.draw(origins, &mut random))
    }

    fn judge(&self, batch: Batch, draw: usize) -> Rulings {
        let (pair, origins) = self.draw(draw, batch.origins);
        let mut random = random_of(self.seed(), [draw, 1 + batch.cell]);
        let trial = self.trial(pair, &origins, CELLS[batch.cell].effect, &mut random);
        let terms = self.terms(&mut random);
        RULES.map(|rule| (rule.decide)(&trial, &terms))
    }

    fn trial<'o>(&self, pair: &Pair, origins: &'o [usize], effect: Effect, random: &mut Random) -> Trial<'o> {
        let points = &self.fits.points;
        let mut trial = Trial::on(points, origins);
        let (ours, theirs) =
            (&self.fits.fitted[pair.candidate].errors, &self.fits.fitted[pair.incumbent].errors);
        trial.candidate = trial.places.iter().map(|&point| pair.rescaling.apply(ours[point])).collect();
        trial.incumbent = trial.places.iter().map(|&point| theirs[point]).collect();
        effect.plant(&mut trial, points, random);
        trial
    }

    fn terms(&self, random: &mut Random) -> GateTerms<'_> {
        GateTerms {
            policy: &self.settings.model.gate,
            points: &self.fits.points,
            overlap: self.overlap,
            block_origins: u32::try_from(self.windows.block).expect("is a few origins"),
            seed: random.next(),
        }
    }

    fn row(&self, batch: Batch, findings: &[Rulings]) -> Row {
        let cell = &CELLS[batch.cell];
        let alike: Vec<Rulings> = (0..batch.draws)
            .filter(|&draw| self.draw(draw, 0).0.correlation >= ALIKE)
            .map(|draw| findings[draw])
            .collect();
        let outcome = |(index, rule): (usize, &super::Rule)| {
            let of_rule: Vec<bool> = findings.iter().map(|found| found[index] == Ruling::Promote).collect();
            let drawn = (0..batch.draws).map(|draw| self.draw(draw, batch.origins).1);
            let not_enough = findings.iter().filter(|found| found[index] == Ruling::NotEnough).count();
            Outcome {
                rule: rule.name,
                promoted: Share::of(&of_rule, self.windows, drawn),
                promoted_alike: (!alike.is_empty()).then(|| promoted(&alike, index)),
                not_enough: not_enough as f64 / batch.draws as f64,
            }
        };
        let outcomes = RULES.iter().enumerate().map(outcome).collect();
        Row { cell: cell.name, what: cell.what, wish: cell.wish, outcomes }
    }
}

/// The share that a rule promotes.
fn promoted(findings: &[Rulings], rule: usize) -> f64 {
    findings.iter().filter(|found| found[rule] == Ruling::Promote).count() as f64 / findings.len() as f64
}

fn on_longer(cell: &Cell, promoted: Vec<(usize, f64)>) -> Longer {
    let is_right = |share: f64| match cell.wish {
        Wish::Refuse => share <= TOLERATED,
        Wish::Promote => share >= EXPECTED,
    };
    let right = promoted.iter().rev().take_while(|(_, share)| is_right(*share));
    let needed_origins = right.last().map(|(origins, _)| *origins);
    Longer { cell: cell.name, promoted, needed_origins }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_needs_the_length_from_which_on_it_is_told() {
        let needed = |name: &str, shares: [f64; 3]| {
            let cell = CELLS.iter().find(|cell| cell.name == name).expect("is a cell");
            on_longer(cell, [28, 56, 112].into_iter().zip(shares).collect()).needed_origins
        };
        assert_eq!(needed("points-10", [0.2, 0.04, 0.01]), Some(56));
        assert_eq!(needed("points-10", [0.04, 0.2, 0.01]), Some(112), "once is luck");
        assert_eq!(needed("points-10", [0.4, 0.3, 0.2]), None);
        assert_eq!(needed("better-10", [0.7, 0.9, 1.0]), Some(56));
        assert_eq!(needed("better-10", [0.95, 1.0, 1.0]), Some(28));
    }
}
