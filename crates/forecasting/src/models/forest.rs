//! Regression trees, flat and checked.

use serde::{Deserialize, Serialize};

use crate::{
    bounded::at_most,
    learners::{MOST_LEAVES, MOST_TREES},
};

/// A sum of regression trees over single-precision features.
///
/// Every tree lies in one piece of `nodes`, parents before children: a split's left child follows it, its
/// right child lies further on. So walking down a tree ends, whatever the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    base: f64,
    /// Where each tree begins in `nodes`.
    #[serde(deserialize_with = "at_most::<{ MOST_TREES as usize }, _, _>")]
    roots: Vec<u32>,
    #[serde(deserialize_with = "at_most::<MOST_NODES, _, _>")]
    nodes: Vec<Node>,
}

/// More than any learner grows: twice as many nodes as [`MOST_LEAVES`].
const MOST_NODES: usize = 2 * MOST_LEAVES as usize;

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Node {
    /// The end of a path.
    Leaf {
        /// What the tree adds to the sum.
        value: f32,
    },
    /// A question; its left child is the next node.
    Split {
        /// Column of the feature.
        feature: u16,
        /// Smaller values go left, the others right.
        threshold: f32,
        /// How many nodes further the right child lies: 2 or more.
        right: u16,
        /// Where missing values go.
        missing_goes_left: bool,
    },
}

/// A forest that could not be walked safely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidForest {
    /// The trees do not fill the nodes from the first to the last.
    #[error("the trees do not cover the nodes one after the other")]
    Roots,
    /// A child lies outside its tree, or not behind its parent.
    #[error("node {node} has a child outside its tree")]
    Child {
        /// Index of the parent.
        node: usize,
    },
    /// A split asks for a feature that rows do not have.
    #[error("node {node} asks for feature {feature} of {width}")]
    Feature {
        /// Index of the split.
        node: usize,
        /// The feature it asks for.
        feature: u16,
        /// How many features a row has.
        width: usize,
    },
    /// A threshold or a value is infinite or not a number.
    #[error("node {node} holds a number that is not finite")]
    NotFinite {
        /// Index of the node.
        node: usize,
    },
}

impl Forest {
    /// A forest of `base` plus the trees, each a list of nodes as described at [`Forest`].
    ///
    /// # Errors
    /// [`InvalidForest`] if a walk over rows of `width` features could leave its tree.
    pub fn new(base: f64, trees: &[Vec<Node>], width: usize) -> Result<Self, InvalidForest> {
        let mut roots = Vec::with_capacity(trees.len());
        let mut nodes = Vec::with_capacity(trees.iter().map(Vec::len).sum());
        for tree in trees {
            roots.push(u32::try_from(nodes.len()).map_err(|_| InvalidForest::Roots)?);
            nodes.extend_from_slice(tree);
        }
        let forest = Self { base, roots, nodes };
        forest.validate(width)?;
        Ok(forest)
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Checks that every walk over rows of `width` finite or missing features stays inside and ends.
    pub(crate) fn validate(&self, width: usize) -> Result<(), InvalidForest> {
        if !self.base.is_finite() {
            return Err(InvalidForest::NotFinite { node: 0 });
        }
        let starts_at_first = self.roots.first().is_none_or(|&first| first == 0);
        let ascending = self.roots.windows(2).all(|pair| pair[0] < pair[1]);
        let last_is_inside =
            self.roots.last().map_or(self.nodes.is_empty(), |&last| (last as usize) < self.nodes.len());
        if !(starts_at_first && ascending && last_is_inside) {
            return Err(InvalidForest::Roots);
        }
        for (tree, &root) in self.roots.iter().enumerate() {
            let end = self.roots.get(tree + 1).map_or(self.nodes.len(), |&next| next as usize);
            for node in root as usize..end {
                self.validate_node(node, end, width)?;
            }
        }
        Ok(())
    }

    fn validate_node(&self, node: usize, end: usize, width: usize) -> Result<(), InvalidForest> {
        let finite = match self.nodes[node] {
            Node::Leaf { value } => value.is_finite(),
            Node::Split { feature, threshold, right, .. } => {
                if right < 2 || node + usize::from(right) >= end {
                    return Err(InvalidForest::Child { node });
                }
                if usize::from(feature) >= width {
                    return Err(InvalidForest::Feature { node, feature, width });
                }
                threshold.is_finite()
            }
        };
        if finite { Ok(()) } else { Err(InvalidForest::NotFinite { node }) }
    }

    /// The sum of the trees for every row; `rows` holds them one after the other.
    ///
    /// Tree by tree, because a tree then stays in the fastest cache for all rows; every sum still adds its
    /// trees in their order, so one row alone gets the same bits as among others.
    pub fn predict(&self, rows: &[f32], width: usize) -> Vec<f64> {
        let mut sums = vec![self.base; rows.len() / width];
        for &root in &self.roots {
            for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(width)) {
                *sum += f64::from(self.leaf(root as usize, row));
            }
        }
        sums
    }

    fn leaf(&self, root: usize, row: &[f32]) -> f32 {
        let mut node = root;
        loop {
            match self.nodes[node] {
                Node::Leaf { value } => return value,
                Node::Split { feature, threshold, right, missing_goes_left } => {
                    let value = row[usize::from(feature)];
                    let left = value < threshold || (missing_goes_left && value.is_nan());
                    node += if left { 1 } else { usize::from(right) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(value: f32) -> Node {
        Node::Leaf { value }
    }

    fn split(feature: u16, threshold: f32, right: u16, missing_goes_left: bool) -> Node {
        Node::Split { feature, threshold, right, missing_goes_left }
    }

    /// Feature 0 below 5: 1; else feature 1 below 2 or missing: 10, else 100.
    fn tree() -> Vec<Node> {
        vec![split(0, 5.0, 2, false), leaf(1.0), split(1, 2.0, 2, true), leaf(10.0), leaf(100.0)]
    }

    #[test]
    fn rows_walk_down_every_tree() {
        let forest = Forest::new(0.5, &[tree(), vec![leaf(1000.0)]], 2).expect("is a forest");
        let rows = [4.0, 9.0, 5.0, 1.0, 5.0, 2.0, f32::NAN, f32::NAN];
        assert_eq!(forest.predict(&rows, 2), [1001.5, 1010.5, 1100.5, 1010.5]);
        assert_eq!(forest.trees(), 2);
    }

    #[test]
    fn a_row_alone_gets_the_same_bits_as_among_others() {
        let forest = Forest::new(0.1, &[tree(), tree(), tree()], 2).expect("is a forest");
        let rows = [4.0, 9.0, 7.0, 0.3, f32::NAN, 2.0];
        let alone: Vec<f64> = rows.chunks(2).flat_map(|row| forest.predict(row, 2)).collect();
        assert_eq!(forest.predict(&rows, 2), alone);
    }

    #[test]
    fn no_row_has_no_forecast() {
        let forest = Forest::new(0.1, &[], 2).expect("is a forest");
        assert_eq!(forest.predict(&[], 2), [0.0; 0]);
        assert_eq!(forest.predict(&[1.0, 2.0], 2), [0.1]);
    }

    #[test]
    fn trees_that_could_not_be_walked_are_refused() {
        let child = |node| Err(InvalidForest::Child { node });
        let not_finite = |node| Err(InvalidForest::NotFinite { node });
        let cases = [
            (vec![split(0, 1.0, 2, true), leaf(1.0)], child(0)),
            (vec![split(0, 1.0, 0, true), leaf(1.0), leaf(2.0)], child(0)),
            (vec![split(0, 1.0, 1, true), leaf(1.0), leaf(2.0)], child(0)),
            (vec![split(0, 1.0, u16::MAX, true), leaf(1.0), leaf(2.0)], child(0)),
            (vec![split(0, 1.0, 2, true), split(0, 1.0, 2, true), leaf(1.0)], child(1)),
            (
                vec![split(2, 1.0, 2, true), leaf(1.0), leaf(2.0)],
                Err(InvalidForest::Feature { node: 0, feature: 2, width: 2 }),
            ),
            (vec![split(0, f32::NAN, 2, true), leaf(1.0), leaf(2.0)], not_finite(0)),
            (vec![split(0, 1.0, 2, true), leaf(1.0), leaf(f32::INFINITY)], not_finite(2)),
        ];
        for (tree, problem) in cases {
            assert_eq!(Forest::new(0.0, std::slice::from_ref(&tree), 2), problem, "{tree:?}");
        }
        assert_eq!(Forest::new(f64::NAN, &[], 2), Err(InvalidForest::NotFinite { node: 0 }));
        assert_eq!(Forest::new(0.0, &[Vec::new(), tree()], 2), Err(InvalidForest::Roots));
        assert_eq!(Forest::new(0.0, &[tree(), Vec::new()], 2), Err(InvalidForest::Roots));
        let headless = Forest { base: 0.0, roots: vec![1], nodes: tree() };
        assert_eq!(headless.validate(2), Err(InvalidForest::Roots));
    }
}
