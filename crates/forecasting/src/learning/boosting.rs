//! Gradient boosting, tree by tree: forust bins the features and grows each tree, the loop around it is
//! ours, so that a fit can be stopped between two trees and can aim at the median.

use forust_ml::{
    Matrix,
    binning::bin_matrix,
    constraints::ConstraintMap,
    data::JaggedMatrix,
    gradientbooster::GrowPolicy,
    sampler::SampleMethod,
    splitter::MissingImputerSplitter,
    tree::{Tree, TreeRows, split_bins},
    utils::map_bin,
};

use super::stop::{StopFlag, Stopped};
use crate::{
    models::{Forest, Node},
    random::Random,
};

/// What the trees come as close as possible to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The mean: least squares.
    Squared,
    /// The median: least absolute differences. Trees are grown along the signs of the errors; then every
    /// leaf takes the weighted median of the errors in it.
    Absolute,
}

/// How trees are grown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    pub(crate) loss: Loss,
    pub(crate) trees: u32,
    pub(crate) leaves: usize,
    /// How much of each tree counts.
    pub(crate) learning_rate: f32,
    pub(crate) l2: f32,
    /// Fewest rows of mean weight in a leaf.
    pub(crate) least_rows: f32,
    /// Share of the rows that each tree sees.
    pub(crate) row_share: f64,
    /// Share of the columns that each tree sees.
    pub(crate) column_share: f64,
    pub(crate) seed: u64,
}

/// Features cut into bins: all that boosting needs of them.
pub(crate) struct BinnedColumns {
    rows: usize,
    width: usize,
    bins: Vec<u16>,
    cuts: JaggedMatrix<f64>,
}

pub(super) const BINS: u16 = 127;
const SAMPLE_ROWS: usize = 20_000;
/// The bin of missing values.
const MISSING_BIN: u16 = 0;

impl BinnedColumns {
    /// Cuts columns of equal length into bins of about equal weight, dropping each as it goes: only one
    /// column lies in memory in double precision at a time.
    pub(crate) fn new(columns: Vec<Vec<f32>>, weights: &[f64], stop: &StopFlag) -> Result<Self, Stopped> {
        let (rows, width) = (weights.len(), columns.len());
        let mut bins = Vec::with_capacity(rows * width);
        let mut cuts = Vec::with_capacity(width);
        for column in columns {
            stop.check()?;
            let column_cuts = cuts_of(&column, weights);
            bins.extend(column.iter().map(|&value| bin_of(value, &column_cuts)));
            cuts.push(column_cuts);
        }
        let cuts = JaggedMatrix::from_vecs(&cuts);
        Ok(Self { rows, width, bins, cuts })
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The bin of every row; 0 is a missing value.
    pub(super) fn bins(&self, column: usize) -> &[u16] {
        &self.bins[column * self.rows..(column + 1) * self.rows]
    }

    /// What a value must be below to lie in `bin` (from 1 on) or an earlier one.
    pub(super) fn upper_cut(&self, column: usize, bin: usize) -> f64 {
        self.cuts.get_col(column)[bin]
    }
}

/// Where bins begin, ascending; the last cut is the largest number. Quantiles of a sample will do: they
/// cost a sort per column.
fn cuts_of(column: &[f32], weights: &[f64]) -> Vec<f64> {
    // 1 more than a multiple of 6, so that the sample takes every hour of the day.
    let every = column.len() / SAMPLE_ROWS / 6 * 6 + 1;
    let sample: Vec<f64> = column.iter().step_by(every).copied().map(f64::from).collect();
    let weights: Vec<f64> = weights.iter().step_by(every).copied().collect();
    let binned = bin_matrix(&Matrix::new(&sample, sample.len(), 1), &weights, BINS, f64::NAN, false);
    binned.expect("the bins of a column fit into 16 bits").cuts.data
}

fn bin_of(value: f32, cuts: &[f64]) -> u16 {
    // Below the first cut would be the bin of missing values; a value below the whole sample belongs into
    // the first bin. No tree can tell the difference: splits lie above the first cut.
    let value = f64::from(value);
    let inside = if value < cuts[0] { cuts[0] } else { value };
    map_bin(cuts, &inside, &f64::NAN).expect("the bins of a column fit into 16 bits")
}

/// Fits a forest to `targets`; `weights` are positive and say how much each row counts.
pub(crate) fn boost(
    columns: &BinnedColumns,
    targets: &[f64],
    weights: &[f64],
    growth: &Growth,
    stop: &StopFlag,
) -> Result<Forest, Stopped> {
    let mut fit = Fit::start(columns, targets, weights, growth.loss);
    let mut random = Random::new(growth.seed);
    let mut trees = Vec::with_capacity(growth.trees as usize);
    for _ in 0..growth.trees {
        stop.check()?;
        trees.push(flat(&fit.grow(growth, &mut random)));
    }
    let forest = Forest::new(fit.base, &trees, columns.width);
    Ok(forest.expect("a fitted tree is a tree over these columns, with finite numbers"))
}

/// A fit in progress.
struct Fit<'a> {
    columns: &'a BinnedColumns,
    matrix: Matrix<'a, u16>,
    targets: &'a [f64],
    weights: &'a [f64],
    loss: Loss,
    base: f64,
    /// What the trees so far say of every row.
    sums: Vec<f64>,
    gradients: Vec<f32>,
    hessians: Vec<f32>,
}

impl<'a> Fit<'a> {
    fn start(columns: &'a BinnedColumns, targets: &'a [f64], weights: &'a [f64], loss: Loss) -> Self {
        let base = match loss {
            Loss::Squared => weighted_mean(targets, weights),
            Loss::Absolute => {
                let mut pairs: Vec<_> = targets.iter().copied().zip(weights.iter().copied()).collect();
                weighted_median(&mut pairs)
            }
        };
        Self {
            columns,
            matrix: Matrix::new(&columns.bins, columns.rows, columns.width),
            targets,
            weights,
            loss,
            base,
            sums: vec![base; columns.rows],
            gradients: vec![0.0; columns.rows],
            hessians: weights.iter().map(|&weight| single(weight)).collect(),
        }
    }

    fn grow(&mut self, growth: &Growth, random: &mut Random) -> Tree {
        self.update_gradients();
        let (chosen, left_out) = random.split(self.columns.rows, growth.row_share);
        let columns = random.choose(self.columns.width, growth.column_share);
        let splitter = MissingImputerSplitter {
            l1: 0.0,
            l2: growth.l2,
            max_delta_step: 0.0,
            gamma: 0.0,
            min_leaf_weight: growth.least_rows,
            learning_rate: growth.learning_rate,
            allow_missing_splits: true,
            constraints_map: ConstraintMap::new(),
        };
        let mut tree = Tree::new();
        let rows_of_nodes = tree.fit_with_tiles(
            &self.matrix,
            chosen.clone(),
            &columns,
            &self.columns.cuts,
            &self.gradients,
            &self.hessians,
            &splitter,
            growth.leaves,
            usize::MAX,
            false,
            &SampleMethod::Random,
            &GrowPolicy::LossGuide,
            None, // a second, tiled copy of the bins was no faster
        );
        self.add(&mut tree, rows_of_nodes.as_ref(), (&chosen, &left_out), growth.learning_rate);
        tree
    }

    fn update_gradients(&mut self) {
        let rows = self.sums.iter().zip(self.targets).zip(self.weights);
        for (gradient, ((sum, target), weight)) in self.gradients.iter_mut().zip(rows) {
            let error = sum - target;
            *gradient = single(match self.loss {
                Loss::Squared => error * weight,
                Loss::Absolute if error == 0.0 => 0.0,
                Loss::Absolute => error.signum() * weight,
            });
        }
    }

    /// Adds the tree to the sums. Rows that it was grown on need no walk: their leaves are known, unless
    /// forust says that some of its partitions are inexact.
    fn add(
        &mut self,
        tree: &mut Tree,
        rows_of_nodes: Option<&TreeRows>,
        (chosen, left_out): (&[usize], &[usize]),
        learning_rate: f32,
    ) {
        if let Some(rows_of_nodes) = rows_of_nodes {
            if self.loss == Loss::Absolute {
                self.move_leaves_to_medians(tree, rows_of_nodes, learning_rate);
            }
            for (rows, value) in rows_of_nodes.leaves(tree) {
                for &row in rows {
                    self.sums[row] += value;
                }
            }
        } else {
            self.walk(tree, chosen);
        }
        self.walk(tree, left_out);
    }

    fn walk(&mut self, tree: &Tree, rows: &[usize]) {
        let split_bins = split_bins(tree, &self.columns.cuts);
        for &row in rows {
            let bin = |column: usize| self.columns.bins[column * self.columns.rows + row];
            self.sums[row] += tree.predict_row_from_bins(bin, &split_bins, MISSING_BIN, &f64::NAN);
        }
    }

    fn move_leaves_to_medians(&self, tree: &mut Tree, rows_of_nodes: &TreeRows, learning_rate: f32) {
        let mut errors = Vec::new();
        for leaf in tree.nodes.iter_mut().filter(|node| node.is_leaf) {
            let (start, end) = rows_of_nodes.ranges[leaf.num];
            let rows = &rows_of_nodes.index[start..end];
            errors.clear();
            errors.extend(rows.iter().map(|&row| (self.targets[row] - self.sums[row], self.weights[row])));
            if !errors.is_empty() {
                leaf.weight_value = learning_rate * single(weighted_median(&mut errors));
            }
        }
    }
}

/// A tree as [`Forest`] wants it: in preorder, so that every left child follows its parent.
fn flat(tree: &Tree) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::with_capacity(tree.nodes.len());
    // (node in `tree`, parent in `nodes` whose right child it is)
    let mut waiting = vec![(0, None)];
    while let Some((index, right_child_of)) = waiting.pop() {
        let here = nodes.len();
        if let Some(parent) = right_child_of
            && let Some(Node::Split { right, .. }) = nodes.get_mut::<usize>(parent)
        {
            *right = u16::try_from(here - parent).expect("a tree has at most 2,047 nodes");
        }
        let node = &tree.nodes[index];
        if node.is_leaf {
            nodes.push(Node::Leaf { value: node.weight_value });
            continue;
        }
        nodes.push(Node::Split {
            feature: u16::try_from(node.split_feature).expect("there are at most 256 features"),
            // The last cut of a column is the largest double: everything known lies below it.
            threshold: single(node.split_value.min(f32::MAX.into())),
            right: 0,
            missing_goes_left: node.missing_node == node.left_child,
        });
        waiting.push((node.right_child, Some(here)));
        waiting.push((node.left_child, None));
    }
    nodes
}

fn weighted_mean(values: &[f64], weights: &[f64]) -> f64 {
    let sum: f64 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    sum / weights.iter().sum::<f64>()
}

/// The first value, in ascending order, at which half of the weight is reached.
fn weighted_median(pairs: &mut [(f64, f64)]) -> f64 {
    pairs.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
    let half = pairs.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut reached = 0.0;
    for &(value, weight) in pairs.iter() {
        reached += weight;
        if reached >= half {
            return value;
        }
    }
    pairs.last().map_or(0.0, |&(value, _)| value)
}

/// Gradients, thresholds and leaves are single precision, in forust and in [`Forest`].
#[expect(clippy::cast_possible_truncation, reason = "single precision is what is wanted")]
pub(super) fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use forust_ml::{GradientBooster, objective::ObjectiveType};

    use super::*;

    /// Rows with a curve, a jump, noise and missing values.
    fn table(rows: usize) -> (Vec<Vec<f32>>, Vec<f64>, Vec<f64>) {
        let mut random = Random::new(3);
        let mut columns = vec![Vec::new(); 4];
        let (mut targets, mut weights) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let cells: Vec<f64> = (0..4).map(|_| random.share()).collect();
            let jump = if cells[1] > 0.7 { 2.0 } else { 0.0 };
            targets.push(f64::sin(6.0 * cells[0]) + jump + 0.1 * cells[3]);
            weights.push(0.5 + cells[2]);
            for (column, &cell) in columns.iter_mut().zip(&cells) {
                column.push(if cell < 0.05 { f32::NAN } else { single(cell) });
            }
        }
        (columns, targets, weights)
    }

    fn growth(loss: Loss) -> Growth {
        Growth {
            loss,
            trees: 60,
            leaves: 15,
            learning_rate: 0.1,
            l2: 1.0,
            least_rows: 5.0,
            row_share: 0.7,
            column_share: 0.8,
            seed: 7,
        }
    }

    fn fit(loss: Loss, stop: &StopFlag) -> Result<(Forest, Vec<f32>, Vec<f64>), Stopped> {
        let (columns, targets, weights) = table(3000);
        let rows: Vec<f32> =
            (0..3000).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
        let columns = BinnedColumns::new(columns, &weights, stop)?;
        Ok((boost(&columns, &targets, &weights, &growth(loss), stop)?, rows, targets))
    }

    fn mean_error(forest: &Forest, rows: &[f32], targets: &[f64]) -> f64 {
        let forecasts = forest.predict(rows, 4);
        forecasts.iter().zip(targets).map(|(one, other)| (one - other).abs()).sum::<f64>()
            / targets.len() as f64
    }

    #[test]
    fn both_losses_learn_the_table() {
        for loss in [Loss::Squared, Loss::Absolute] {
            let (forest, rows, targets) = fit(loss, &StopFlag::default()).expect("nobody stops it");
            let error = mean_error(&forest, &rows, &targets);
            assert!(error < 0.1, "{loss:?}: {error}");
        }
    }

    #[test]
    fn the_forest_says_what_the_fit_believed() {
        // The sums of the fit come from bins, those of the forest from values: they agree only if bins,
        // thresholds, missing values and the flat trees all do.
        let (columns, targets, weights) = table(3000);
        let rows: Vec<f32> =
            (0..3000).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
        let columns = BinnedColumns::new(columns, &weights, &StopFlag::default()).expect("nobody stops it");
        let mut fit = Fit::start(&columns, &targets, &weights, Loss::Absolute);
        let mut random = Random::new(7);
        let trees: Vec<_> = (0..30).map(|_| flat(&fit.grow(&growth(Loss::Absolute), &mut random))).collect();
        let forest = Forest::new(fit.base, &trees, 4).expect("is a forest");
        assert_eq!(forest.predict(&rows, 4), fit.sums);
    }

    #[test]
    fn a_forest_made_of_forusts_trees_forecasts_exactly_like_forust() {
        let (columns, targets, weights) = table(2000);
        let doubles: Vec<f64> = columns.iter().flatten().copied().map(f64::from).collect();
        let matrix = Matrix::new(&doubles, 2000, 4);
        let mut booster = GradientBooster::default();
        booster.objective_type = ObjectiveType::SquaredLoss;
        booster.iterations = 40;
        booster.initialize_base_score = true;
        booster.max_leaves = 31;
        booster.parallel = false;
        booster.fit(&matrix, &targets, &weights, None).expect("is a table");
        let trees: Vec<_> = booster.trees.iter().map(flat).collect();
        let forest = Forest::new(booster.base_score, &trees, 4).expect("is a forest");
        let rows: Vec<f32> =
            (0..2000).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
        assert_eq!(forest.predict(&rows, 4), booster.predict(&matrix, false));
    }

    #[test]
    fn the_absolute_loss_finds_the_median_and_the_squared_loss_the_mean() {
        // One in four targets is 100, the others are 1; the feature says nothing.
        let targets: Vec<f64> = (0..4000).map(|row| if row % 4 == 0 { 100.0 } else { 1.0 }).collect();
        let weights = vec![1.0; 4000];
        for (loss, expected) in [(Loss::Absolute, 1.0), (Loss::Squared, 25.75)] {
            let columns = BinnedColumns::new(vec![vec![0.0; 4000]], &weights, &StopFlag::default());
            let columns = columns.expect("nobody stops it");
            let forest = boost(&columns, &targets, &weights, &growth(loss), &StopFlag::default());
            let forecast = forest.expect("nobody stops it").predict(&[0.0], 1)[0];
            assert!((forecast - expected).abs() < 2.0, "{loss:?}: {forecast}");
        }
    }

    #[test]
    fn the_weighted_median_is_where_half_of_the_weight_is_reached() {
        assert_eq!(weighted_median(&mut [(3.0, 1.0), (1.0, 1.0), (2.0, 1.0)]), 2.0);
        assert_eq!(weighted_median(&mut [(3.0, 5.0), (1.0, 1.0), (2.0, 1.0)]), 3.0);
        assert_eq!(weighted_median(&mut [(4.0, 1.0)]), 4.0);
    }

    #[test]
    fn a_fit_that_is_asked_to_stop_stops() {
        let stop = StopFlag::default();
        stop.stop();
        assert_eq!(fit(Loss::Squared, &stop).err(), Some(Stopped));
    }

    #[test]
    fn values_outside_the_sample_fall_into_the_first_and_last_bin() {
        let cuts = [1.0, 2.0, f64::MAX];
        let bins = [-5.0, 1.0, 1.5, 2.0, 9.0].map(|value| bin_of(value, &cuts));
        assert_eq!(bins, [1, 1, 1, 2, 2]);
        assert_eq!(bin_of(f32::NAN, &cuts), MISSING_BIN);
    }
}
