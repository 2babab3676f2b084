//! A classification tree that serves as a regressor: targets are cut into classes of equal weight, the tree
//! keeps classes apart (Gini impurity, as CART), and a leaf answers with the mean target of its rows.
//!
//! It looks for structure that least squares does not: a few enormous targets are one class like any other
//! and do not draw the splits to themselves. Own code, because the same data must give the same bytes:
//! linfa-trees 0.8.1 sums class weights in the order of a randomly seeded hash map, and six processes grew
//! six different trees of the same 4,000 rows.

use super::{
    boosting::{BINS, BinnedColumns, single},
    stop::{StopFlag, Stopped},
};
use crate::models::{Forest, Node};

/// How a tree is grown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClassGrowth {
    /// Classes of equal weight.
    pub(crate) classes: usize,
    /// Questions from the root to a leaf, at most 12.
    pub(crate) depth: u32,
    /// Fewest rows of mean weight in a leaf.
    pub(crate) least_weight: f64,
}

/// Grows one tree; `weights` are positive and say how much each row counts.
pub(crate) fn class_tree(
    columns: &BinnedColumns,
    targets: &[f64],
    weights: &[f64],
    growth: &ClassGrowth,
    stop: &StopFlag,
) -> Result<Forest, Stopped> {
    let classes = classes(targets, weights, growth.classes);
    let growing = Growing { columns, targets, weights, classes: &classes, growth, stop };
    let mut nodes = Vec::new();
    let mut rows: Vec<u32> = (0..).take(targets.len()).collect();
    growing.grow(&mut rows, growth.depth, &mut nodes)?;
    let tree = Forest::new(0.0, &[nodes], columns.width());
    Ok(tree.expect("a grown tree is a tree over these columns, with finite numbers"))
}

/// The class of every row: 0 for the smallest targets.
fn classes(targets: &[f64], weights: &[f64], count: usize) -> Vec<u8> {
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by(|&one, &other| targets[one].total_cmp(&targets[other]));
    let all: f64 = weights.iter().sum();
    let mut classes = vec![0; targets.len()];
    let (mut reached, mut class, mut at) = (0.0, 0_u8, 0);
    while at < order.len() {
        // Equal targets are of one class.
        let target = targets[order[at]];
        let share = reached / all * count as f64;
        while f64::from(class + 1) <= share {
            class += 1;
        }
        while at < order.len() && targets[order[at]] == target {
            classes[order[at]] = class;
            reached += weights[order[at]];
            at += 1;
        }
    }
    classes
}

struct Growing<'a> {
    columns: &'a BinnedColumns,
    targets: &'a [f64],
    weights: &'a [f64],
    classes: &'a [u8],
    growth: &'a ClassGrowth,
    stop: &'a StopFlag,
}

/// A question, and how much purer its two sides are.
struct Split {
    column: usize,
    /// The last bin that goes left.
    bin: u16,
    missing_goes_left: bool,
    purity: f64,
}

impl Growing<'_> {
    /// Appends the tree of these rows in preorder; `rows` are reordered.
    fn grow(&self, rows: &mut [u32], depth: u32, nodes: &mut Vec<Node>) -> Result<(), Stopped> {
        self.stop.check()?;
        let split = if depth == 0 { None } else { self.best_split(rows) };
        let Some(split) = split else {
            nodes.push(Node::Leaf { value: self.mean(rows) });
            return Ok(());
        };
        let here = nodes.len();
        let threshold = self.columns.upper_cut(split.column, split.bin.into()).min(f32::MAX.into());
        let node = |right| Node::Split {
            feature: u16::try_from(split.column).expect("there are at most 256 features"),
            threshold: single(threshold),
            right,
            missing_goes_left: split.missing_goes_left,
        };
        nodes.push(node(0));
        let left = self.partition(rows, &split);
        let (left, right) = rows.split_at_mut(left);
        self.grow(left, depth - 1, nodes)?;
        nodes[here] = node(u16::try_from(nodes.len() - here).expect("a tree has at most 8,191 nodes"));
        self.grow(right, depth - 1, nodes)
    }

    fn mean(&self, rows: &[u32]) -> f32 {
        let (mut sum, mut weight) = (0.0, 0.0);
        for row in rows.iter().map(|&row| row as usize) {
            sum += self.targets[row] * self.weights[row];
            weight += self.weights[row];
        }
        single(sum / weight)
    }

    /// Moves the rows that go left to the front, each side in its order; returns how many they are.
    fn partition(&self, rows: &mut [u32], split: &Split) -> usize {
        let bins = self.columns.bins(split.column);
        let goes_left = |row: &u32| match bins[*row as usize] {
            0 => split.missing_goes_left,
            bin => bin <= split.bin,
        };
        let (left, right): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| goes_left(row));
        rows[..left.len()].copy_from_slice(&left);
        rows[left.len()..].copy_from_slice(&right);
        left.len()
    }

    /// The split with the purest sides, the first of equals; `None` if none makes them purer.
    fn best_split(&self, rows: &[u32]) -> Option<Split> {
        let mut table = Table::new(self.growth.classes);
        let mut best: Option<Split> = None;
        let mut before = None;
        for column in 0..self.columns.width() {
            table.fill(rows, self.columns.bins(column), self.classes, self.weights);
            let purity_before = *before.get_or_insert_with(|| table.all().purity());
            let least_gain = 1e-9 * purity_before;
            for missing_goes_left in [true, false] {
                let Some(split) = table.best(column, missing_goes_left, self.growth.least_weight) else {
                    continue;
                };
                let to_beat = best.as_ref().map_or(purity_before + least_gain, |best| best.purity);
                if split.purity > to_beat {
                    best = Some(split);
                }
            }
        }
        best
    }
}

/// The weight of every class in every bin of one column.
struct Table {
    classes: usize,
    weights: Vec<f64>,
    last_bin: usize,
}

/// The weights of the classes on one side of a split.
#[derive(Clone)]
struct Side(Vec<f64>);

impl Side {
    fn weight(&self) -> f64 {
        self.0.iter().sum()
    }

    /// Weight times the sum of the squared shares: the larger, the purer. Weight − purity is what Gini's
    /// impurity sums to.
    fn purity(&self) -> f64 {
        let weight = self.weight();
        if weight > 0.0 { self.0.iter().map(|class| class * class).sum::<f64>() / weight } else { 0.0 }
    }

    fn take(&mut self, other: &mut Side, bin: &[f64]) {
        for ((mine, theirs), weight) in self.0.iter_mut().zip(&mut other.0).zip(bin) {
            *mine += weight;
            // A rest of rounding must not become a negative weight.
            *theirs = (*theirs - weight).max(0.0);
        }
    }
}

impl Table {
    fn new(classes: usize) -> Self {
        Self { classes, weights: vec![0.0; classes * (usize::from(BINS) + 2)], last_bin: 0 }
    }

    fn fill(&mut self, rows: &[u32], bins: &[u16], classes: &[u8], weights: &[f64]) {
        self.weights.fill(0.0);
        self.last_bin = 0;
        for row in rows.iter().map(|&row| row as usize) {
            let bin = usize::from(bins[row]);
            self.last_bin = self.last_bin.max(bin);
            let cell = bin * self.classes + usize::from(classes[row]);
            if cell >= self.weights.len() {
                self.weights.resize(cell + self.classes, 0.0);
            }
            self.weights[cell] += weights[row];
        }
    }

    fn bin(&self, bin: usize) -> &[f64] {
        &self.weights[bin * self.classes..(bin + 1) * self.classes]
    }

    fn all(&self) -> Side {
        let mut all = Side(vec![0.0; self.classes]);
        let mut nothing = all.clone();
        (0..=self.last_bin).for_each(|bin| all.take(&mut nothing, self.bin(bin)));
        all
    }

    fn best(&self, column: usize, missing_goes_left: bool, least_weight: f64) -> Option<Split> {
        let (mut left, mut right) = (Side(vec![0.0; self.classes]), self.all());
        if missing_goes_left {
            left.take(&mut right, self.bin(0));
        }
        let mut best: Option<Split> = None;
        for bin in 1..self.last_bin {
            left.take(&mut right, self.bin(bin));
            if left.weight() < least_weight || right.weight() < least_weight {
                continue;
            }
            let purity = left.purity() + right.purity();
            if best.as_ref().is_none_or(|best| purity > best.purity) {
                let bin = u16::try_from(bin).expect("bins have 16 bits");
                best = Some(Split { column, bin, missing_goes_left, purity });
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const GROWTH: ClassGrowth = ClassGrowth { classes: 32, depth: 8, least_weight: 20.0 };

    /// Two columns, one of them with missing values, and a target that both explain.
    fn table(rows: usize) -> (Vec<Vec<f32>>, Vec<f64>, Vec<f64>) {
        let mut random = Random::new(3);
        let mut columns = vec![Vec::new(); 2];
        let (mut targets, mut weights) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let cells = [random.share(), random.share()];
            let missing = cells[1] < 0.2;
            targets.push(if missing { 5.0 } else { (4.0 * cells[0]).floor() });
            weights.push(0.5 + random.share());
            columns[0].push(single(cells[0]));
            columns[1].push(if missing { f32::NAN } else { single(cells[1]) });
        }
        (columns, targets, weights)
    }

    fn grown(targets: &[f64]) -> (Forest, Vec<f32>) {
        let (columns, _, weights) = table(targets.len());
        let rows = (0..targets.len()).flat_map(|row| columns.iter().map(move |column| column[row]));
        let rows: Vec<f32> = rows.collect();
        let stop = StopFlag::default();
        let columns = BinnedColumns::new(columns, &weights, &stop).expect("nobody stops it");
        let tree = class_tree(&columns, targets, &weights, &GROWTH, &stop).expect("nobody stops it");
        (tree, rows)
    }

    #[test]
    fn classes_are_told_apart_with_missing_values_as_one_more() {
        let (_, targets, _) = table(4000);
        let (tree, rows) = grown(&targets);
        let wrong = tree.predict(&rows, 2).into_iter().zip(&targets);
        // Bins are finer than the steps of the target, but do not end where the steps do.
        let wrong = wrong.filter(|(forecast, target)| (forecast - *target).abs() > 0.5).count();
        assert!(wrong < 100, "{wrong} of 4000");
    }

    #[test]
    fn the_same_rows_give_the_same_tree() {
        let (_, targets, _) = table(3000);
        assert_eq!(grown(&targets).0, grown(&targets).0);
    }

    #[test]
    fn equal_targets_are_one_class_and_one_leaf() {
        let (tree, rows) = grown(&[7.0; 1000]);
        assert!(tree.predict(&rows, 2).iter().all(|&forecast| forecast == 7.0));
        assert_eq!(tree, Forest::new(0.0, &[vec![Node::Leaf { value: 7.0 }]], 2).expect("is a leaf"));
    }

    #[test]
    fn classes_have_equal_weight() {
        let targets: Vec<f64> = (0..640).map(f64::from).rev().collect();
        let classes = classes(&targets, &[1.0; 640], 32);
        for class in 0..32 {
            let of_class: Vec<&u8> = classes.iter().filter(|&&other| other == class).collect();
            assert_eq!(of_class.len(), 20, "class {class}");
        }
        assert_eq!((classes[0], classes[639]), (31, 0));
    }
}
