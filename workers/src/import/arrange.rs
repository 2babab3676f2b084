//! The points of each series, on the dataset's grid: in order, each time once, without large gaps.

use std::collections::BTreeMap;

use forecasting::{
    names::SeriesId,
    series::{Frequency, Grid},
    spec::Negative,
};
use history::Observation;
use jiff::{SignedDuration, Timestamp};

use super::{
    Gap, ImportError, ImportOptions, ImportReport, Imported, OnDuplicate, OnGap, OnUnsorted,
    columns::Columns,
    covariates,
    error::{Place, PlacedRow, Unit},
    points::{Parsed, Point, SeriesPoints, number_problem},
};

/// How many rows or gaps a message names.
const NAMED: usize = 3;
/// A series may lack this share of its steps, unless more is allowed by name.
const MOST_MISSING: f64 = 0.2;

/// Checks and repairs, as far as `options` ask for it.
pub(super) fn arrange(
    mut parsed: Parsed,
    grid: &Grid,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    // Dropped rows may have been all of a series.
    parsed.series.retain(|series| !series.points.is_empty() || series.beside.rows() > 0);
    parsed.series.sort_by(|one, other| one.id.cmp(&other.id));
    if options.on_unsorted == OnUnsorted::Error {
        check_sorted(&parsed)?;
    }
    let unsorted_rows = parsed.series.iter_mut().map(sort).sum();
    let found = common_step(&parsed.series, grid);
    check_grid(&parsed, grid, found, options.on_gap)?;
    let mut duplicates = 0;
    for series in &mut parsed.series {
        let merged = merge_duplicates(series, options.on_duplicate);
        duplicates += merged.map_err(|clash| clash.error(&series.id, &parsed.columns, parsed.unit))?;
    }
    let gaps = find_gaps(&parsed.series, grid, options.on_gap)?;
    let covariates = covariates::arrange(&mut parsed, grid, options.on_duplicate)?;
    let first_and_last =
        parsed.series.iter().flat_map(|series| [series.points.first(), series.points.last()]);
    let ends: Vec<Timestamp> = first_and_last.flatten().map(|point| point.ds).collect();
    let report = ImportReport {
        rows: parsed.rows,
        series: parsed.series.len() as u64,
        frequency: found.map(|step| step.to_string()),
        unsorted_rows,
        duplicates,
        daylight_saving: parsed.repairs,
        gaps: gaps.count,
        missing_steps: gaps.missing_steps,
        first_gaps: gaps.first,
        ignored_columns: parsed.columns.ignored,
        first: ends.iter().min().copied(),
        last: ends.iter().max().copied(),
        time_zone: grid.time_zone_name().to_owned(),
    };
    Ok(Imported { observations: observations(parsed.series), covariates, report })
}

/// Names the first value in the file that is below zero where none may be.
pub(super) fn check_negative(parsed: &Parsed, negative: Negative) -> Result<(), ImportError> {
    let points = parsed.series.iter().flat_map(|series| &series.points);
    let Some(point) = points.filter(|point| !negative.allows(point.y)).min_by_key(|point| point.at) else {
        return Ok(());
    };
    let problem = "is negative, which the dataset's specification refuses";
    let place = Place { unit: parsed.unit, number: point.at };
    Err(ImportError::row(place, &parsed.columns.y.name, &point.y.to_string(), problem))
}

fn observations(series: Vec<SeriesPoints>) -> Vec<Observation> {
    let mut observations = Vec::with_capacity(series.iter().map(|series| series.points.len()).sum());
    for SeriesPoints { id, points, .. } in series {
        observations.extend(points.iter().map(|point| Observation {
            series: id.clone(),
            ds: point.ds,
            y: point.y,
        }));
    }
    observations
}

/// Every row must stand after the earlier ones of its series; names the first in the file that does not.
fn check_sorted(Parsed { series, columns, unit, .. }: &Parsed) -> Result<(), ImportError> {
    let late = |series: &SeriesPoints| {
        let pair = series.points.windows(2).find(|pair| pair[1].ds < pair[0].ds)?;
        Some((series.id.clone(), pair[0], pair[1]))
    };
    let Some((id, before, late)) = series.iter().filter_map(late).min_by_key(|(.., late)| late.at) else {
        return Ok(());
    };
    let problem = format!(
        "is before {} on {} of series {id}: not sorted by time (--on-unsorted sort)",
        before.ds,
        Place { unit: *unit, number: before.at }
    );
    let place = Place { unit: *unit, number: late.at };
    Err(ImportError::row(place, &columns.ds.name, &late.ds.to_string(), problem))
}

/// Sorts by time, rows of the same time in the order of the file; returns how many rows stood too late.
fn sort(series: &mut SeriesPoints) -> u64 {
    let late = series.points.windows(2).filter(|pair| pair[1].ds < pair[0].ds).count();
    if late > 0 {
        series.points.sort_by_key(|point| (point.ds, point.at));
    }
    late as u64
}

/// The distance of two neighbours: calendar days on a grid of days, else elapsed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Days(i64),
    Elapsed(SignedDuration),
}

impl Step {
    fn between(earlier: &Point, later: &Point, grid: &Grid) -> Self {
        match grid.frequency() {
            // Hours within a day would count as no day at all.
            Frequency::Days(_) if grid.local(earlier.ds).date() != grid.local(later.ds).date() => {
                let days = grid.local(later.ds).date() - grid.local(earlier.ds).date();
                Self::Days(i64::from(days.get_days()))
            }
            _ => Self::Elapsed(later.ds.duration_since(earlier.ds)),
        }
    }

    fn declared(grid: &Grid) -> Self {
        match grid.frequency() {
            Frequency::Days(days) => Self::Days(days.into()),
            frequency @ Frequency::Minutes(_) => Self::Elapsed(frequency.nominal()),
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Days(days) => write!(f, "P{days}D"),
            Self::Elapsed(elapsed) if elapsed.as_hours() > 0 && elapsed.as_secs() % (24 * 3600) == 0 => {
                write!(f, "P{}D", elapsed.as_hours() / 24)
            }
            Self::Elapsed(elapsed) => write!(f, "{elapsed}"),
        }
    }
}

/// The most common distance of neighbours, the shortest of equally common ones; `None` without two times.
fn common_step(series: &[SeriesPoints], grid: &Grid) -> Option<Step> {
    let mut counts: BTreeMap<Step, u64> = BTreeMap::new();
    for series in series {
        for pair in series.points.windows(2).filter(|pair| pair[0].ds != pair[1].ds) {
            *counts.entry(Step::between(&pair[0], &pair[1], grid)).or_default() += 1;
        }
    }
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(step, _)| step)
}

/// Every point must lie on one grid: the one that most of them are on.
fn check_grid(
    Parsed { series, unit, .. }: &Parsed,
    grid: &Grid,
    found: Option<Step>,
    on_gap: OnGap,
) -> Result<(), ImportError> {
    let mut phases: BTreeMap<Option<i128>, u64> = BTreeMap::new();
    for point in series.iter().flat_map(|series| &series.points) {
        *phases.entry(phase(grid, point.ds)).or_default() += 1;
    }
    let common = phases.iter().filter(|(phase, _)| phase.is_some()).max_by_key(|(_, count)| **count);
    let common = common.and_then(|(phase, _)| *phase);
    let off_grid = phases.len() > 1 || phases.contains_key(&None);
    // Longer steps that are all on the grid are gaps, and may be allowed as such.
    let only_gaps = !off_grid && on_gap == OnGap::Allow;
    if let Some(step) = found.filter(|step| *step != Step::declared(grid) && !only_gaps) {
        return Err(ImportError::OtherFrequency { found: step.to_string(), declared: grid.frequency() });
    }
    if !off_grid {
        return Ok(());
    }
    let mut placed: Vec<PlacedRow> = Vec::new();
    for SeriesPoints { id, points, .. } in series {
        let off = points.iter().filter(|point| common.is_none() || phase(grid, point.ds) != common);
        placed.extend(off.map(|point| PlacedRow {
            place: Place { unit: *unit, number: point.at },
            series: id.to_string(),
            ds: point.ds,
        }));
    }
    placed.sort_by_key(|row| row.place.number);
    let count = placed.len() as u64;
    placed.truncate(NAMED);
    let (frequency, time_zone) = (grid.frequency(), grid.time_zone_name().to_owned());
    Err(ImportError::OffGrid { count, frequency, time_zone, first: placed })
}

/// Points with the same phase are whole steps apart; `None` is on no grid of days.
fn phase(grid: &Grid, ds: Timestamp) -> Option<i128> {
    match grid.frequency() {
        Frequency::Minutes(minutes) => {
            Some(ds.as_nanosecond().rem_euclid(60_000_000_000 * i128::from(minutes)))
        }
        Frequency::Days(days) => {
            let is_start = grid.start_of_day(ds, 0) == ds;
            let day = grid.local(ds).date() - jiff::civil::date(1900, 1, 1);
            is_start.then(|| i128::from(day.get_days()).rem_euclid(days.into()))
        }
    }
}

/// Leaves one point per time; returns how many rows went into another.
fn merge_duplicates(series: &mut SeriesPoints, on_duplicate: OnDuplicate) -> Result<u64, Clash> {
    let before = series.points.len();
    if series.points.windows(2).all(|pair| pair[0].ds != pair[1].ds) {
        return Ok(0);
    }
    let mut merged = Vec::with_capacity(before);
    for same in series.points.chunk_by(|one, next| one.ds == next.ds) {
        let (first, last) = (same[0], same[same.len() - 1]);
        let sum: f64 = same.iter().map(|point| point.y).sum();
        let y = match on_duplicate {
            _ if same.len() == 1 => first.y,
            OnDuplicate::Error => return Err(Clash::Second([first, same[1]])),
            OnDuplicate::Sum => sum,
            OnDuplicate::Last => last.y,
            OnDuplicate::First => first.y,
            OnDuplicate::Mean => sum / same.len() as f64,
        };
        if let Some(problem) = number_problem(y) {
            return Err(Clash::Together { merged: Point { y, ..last }, problem });
        }
        merged.push(Point { y, ..first });
    }
    series.points = merged;
    Ok((before - series.points.len()) as u64)
}

/// Why rows of the same time do not become one.
enum Clash {
    /// Nobody said how: the first two.
    Second([Point; 2]),
    /// Each may be, and all of them together not: at the last, with the value that they would have.
    Together { merged: Point, problem: &'static str },
}

impl Clash {
    fn error(&self, id: &SeriesId, columns: &Columns, unit: Unit) -> ImportError {
        let place = |point: &Point| Place { unit, number: point.at };
        match self {
            Self::Second([first, second]) => {
                let problem = format!(
                    "series {id} has {} there and {} on {} already (--on-duplicate sum, last, first or mean)",
                    second.y,
                    first.y,
                    place(first)
                );
                ImportError::row(place(second), &columns.ds.name, &second.ds.to_string(), problem)
            }
            Self::Together { merged, problem } => {
                let problem = format!("{problem}: what series {id} comes to at {}, with this row", merged.ds);
                ImportError::row(place(merged), &columns.y.name, &merged.y.to_string(), problem)
            }
        }
    }
}

#[derive(Default)]
struct Gaps {
    count: u64,
    missing_steps: u64,
    first: Vec<Gap>,
}

fn find_gaps(series: &[SeriesPoints], grid: &Grid, on_gap: OnGap) -> Result<Gaps, ImportError> {
    let mut all = Gaps::default();
    for series in series {
        let mut own = Gaps::default();
        for pair in series.points.windows(2) {
            own.add(series, grid, &pair[0], &pair[1]);
        }
        let steps = series.points.len() as u64 + own.missing_steps;
        let Gaps { count, missing_steps, mut first } = own;
        if on_gap == OnGap::Error && missing_steps as f64 > MOST_MISSING * steps as f64 {
            return Err(ImportError::Gaps { series: series.id.to_string(), missing_steps, steps, first });
        }
        all.count += count;
        all.missing_steps += missing_steps;
        first.truncate(NAMED - all.first.len());
        all.first.append(&mut first);
    }
    Ok(all)
}

impl Gaps {
    fn add(&mut self, series: &SeriesPoints, grid: &Grid, earlier: &Point, later: &Point) {
        let missing = grid.steps_up_to(earlier.ds, later.ds) - 1;
        let Some(steps) = u64::try_from(missing).ok().filter(|&steps| steps > 0) else {
            return;
        };
        self.count += 1;
        self.missing_steps += steps;
        if self.first.len() < NAMED {
            let from = grid.advance(earlier.ds, 1);
            self.first.push(Gap { series: series.id.to_string(), from, steps });
        }
    }
}
