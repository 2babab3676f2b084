//! Small charts of what a verdict was found on, from its scored rows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use registry::Decision;

use crate::{
    environment::Environment,
    scored_rows::{self, KeptRow, UnreadableRows},
    terminal::{Table, cut, narrowed, spark},
};

/// Widest chart, beside the name of its side and a number.
const CHART: usize = 44;
/// Worst points that are listed.
const WORST: usize = 3;
/// Widest series id in that list.
const ID: usize = 14;

/// What there is to draw.
pub(super) struct Charts {
    /// Both sides' mean scaled errors of each origin.
    origins: BTreeMap<Timestamp, [Mean; 2]>,
    /// The largest scaled errors of each side, the largest first.
    tails: [Vec<f64>; 2],
    /// Where the candidate was off most.
    worst: Vec<KeptRow>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

/// The charts of a decision; none where no rows were kept.
pub(super) async fn load(environment: &Environment, decision: &Decision) -> anyhow::Result<Option<Charts>> {
    let Some(rows) = decision.scored_rows else { return Ok(None) };
    let bytes = environment.artifacts.get(&rows.name).await?;
    let tail = decision.judgement.evidence.tail_points as usize;
    let drawn = tokio::task::spawn_blocking(move || Charts::of(scored_rows::decode(bytes)?, tail));
    Ok(Some(drawn.await??))
}

impl Charts {
    pub(super) fn of(
        rows: impl Iterator<Item = Result<KeptRow, UnreadableRows>>,
        tail_points: usize,
    ) -> Result<Self, UnreadableRows> {
        let mut origins: BTreeMap<Timestamp, [Mean; 2]> = BTreeMap::new();
        let mut losses = [Vec::new(), Vec::new()];
        let mut worst: Vec<(f64, KeptRow)> = Vec::new();
        for row in rows {
            let row = row?;
            let means = origins.entry(row.origin).or_default();
            for ((loss, mean), losses) in row.losses().into_iter().zip(means).zip(&mut losses) {
                let Some(loss) = loss else { continue };
                *mean = Mean { sum: mean.sum + loss, count: mean.count + 1 };
                losses.push(loss);
            }
            let [candidate, _] = row.losses();
            if let Some(loss) = candidate
                && (worst.len() < WORST || worst.last().is_some_and(|(least, _)| loss > *least))
            {
                let at = worst.partition_point(|(larger, _)| *larger >= loss);
                worst.insert(at, (loss, row));
                worst.truncate(WORST);
            }
        }
        let tails = losses.map(|mut losses| {
            losses.sort_unstable_by(|one, other| other.total_cmp(one));
            losses.truncate(tail_points);
            losses
        });
        Ok(Self { origins, tails, worst: worst.into_iter().map(|(_, row)| row).collect() })
    }

    /// `opponent`: who the candidate competed with.
    pub(super) fn lines(&self, opponent: &'static str) -> Vec<String> {
        let names = ["candidate", opponent];
        let date =
            |at: Option<&Timestamp>| at.map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
        let (first, last) = (self.origins.keys().next(), self.origins.keys().next_back());
        let means = [0, 1]
            .map(|side: usize| self.origins.values().map(|sides| sides[side].value()).collect::<Vec<f64>>());
        let mut lines = vec![format!("Mean error of each origin, {} to {}", date(first), date(last))];
        lines.extend(pair(names, &means, |means| format!("at most {:.4}", largest(means))));
        lines.push(String::new());
        lines.push("The largest errors, from the largest down (scaled, as above)".to_owned());
        lines.extend(pair(names, &self.tails, |tail| format!("at most {:.4}", largest(tail))));
        lines.push(String::new());
        lines.push("Where the candidate was off most".to_owned());
        lines.extend(self.worst_points(opponent));
        lines
    }

    fn worst_points(&self, opponent: &'static str) -> Vec<String> {
        let number =
            |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.1}"));
        let mut table = Table::new(["series", "at", "was", "candidate", opponent]);
        for row in &self.worst {
            table.row([
                cut(row.series.as_str(), ID),
                row.target.strftime("%Y-%m-%d %H:%MZ").to_string(),
                number(Some(row.actual)),
                number(row.candidate),
                number(row.incumbent),
            ]);
        }
        table.lines()
    }
}

impl Mean {
    fn value(self) -> f64 {
        self.sum / self.count as f64
    }
}

/// One line per side, on one scale.
fn pair(names: [&str; 2], sides: &[Vec<f64>; 2], beside: impl Fn(&[f64]) -> String) -> Vec<String> {
    let narrow = sides.each_ref().map(|side| narrowed(side, CHART));
    let chart: Vec<char> = spark(&narrow.concat()).chars().collect();
    let (above, below) = chart.split_at(narrow[0].len());
    let line = |name: &str, chart: &[char], side: &[f64]| {
        format!("  {name:<9}  {}  {}", String::from_iter(chart), beside(side))
    };
    vec![line(names[0], above, &sides[0]), line(names[1], below, &sides[1])]
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
}
