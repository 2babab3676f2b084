//! The points that are scored, origin by origin, so that whole origins can be drawn.

use std::ops::Range;

use crate::{
    evaluation::{Forecasts, LossScales, Row, RowSet},
    gate::slicing::{Clock, has_hours},
    names::SeriesId,
};

/// Points by origin, series and step.
#[derive(Debug)]
pub(super) struct Points {
    /// What was, divided by the scale of its series.
    pub(super) actual: Vec<f64>,
    /// What a value of this point's series is divided by.
    pub(super) scale: Vec<f64>,
    /// The series, by its place in the frame.
    pub(super) series: Vec<u32>,
    /// The ids of all series, by their places.
    pub(super) ids: Vec<SeriesId>,
    /// When the step begins.
    pub(super) clock: Vec<Clock>,
    /// Whether steps are shorter than days.
    pub(super) has_hours: bool,
    /// Which points are of each origin.
    pub(super) of_origin: Vec<Range<usize>>,
    /// The month of each origin, from 1.
    pub(super) month: Vec<i8>,
}

impl Points {
    /// The points of a row set, once for each of its origins (which may have none).
    pub(super) fn of(rows: &RowSet<'_>, scales: &LossScales) -> Self {
        let grid = &rows.frame().grid;
        let mut places: Vec<usize> = (0..rows.rows().len()).collect();
        places.sort_by_key(|&place| rows.rows()[place].origin);
        let in_order = || places.iter().map(|&place| &rows.rows()[place]);
        let scale_of = |row: &Row| scales.of(rows.series_of(row));
        let ends = |origin: usize| places.partition_point(|&place| rows.rows()[place].origin < origin);
        Self {
            actual: in_order().map(|row| row.actual / scale_of(row)).collect(),
            scale: in_order().map(scale_of).collect(),
            series: in_order().map(|row| u32::try_from(row.series).expect("a frame is smaller")).collect(),
            ids: rows.frame().series.iter().map(|series| series.id.clone()).collect(),
            clock: in_order().map(|row| Clock::of(row.target, grid)).collect(),
            has_hours: has_hours(grid),
            of_origin: (0..rows.origins().len()).map(|origin| ends(origin)..ends(origin + 1)).collect(),
            month: rows.origins().iter().map(|&origin| grid.local(origin).month()).collect(),
        }
    }
}

/// How far off a side was, origin by origin: forecast − actual of each point, divided by its scale; `NaN` where it
/// gave no forecast.
pub(super) fn errors(rows: &RowSet<'_>, forecasts: &Forecasts, scales: &LossScales) -> Vec<Vec<f64>> {
    let mut of_origin = vec![Vec::new(); rows.origins().len()];
    for (row, forecast) in rows.rows().iter().zip(&forecasts.values) {
        of_origin[row.origin].push((forecast - row.actual) / scales.of(rows.series_of(row)));
    }
    of_origin
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::examples::{history, start};

    #[test]
    fn points_come_origin_by_origin_with_their_errors() {
        let mut frame = history(30);
        frame.series[1].values[28 * 24 + 3] = f64::NAN;
        let day = |days| frame.grid.start_of_day(start(), days);
        let origins: Vec<Timestamp> = vec![day(28), day(29)];
        let rows = RowSet::new(&frame, origins, 24, SignedDuration::ZERO);
        let scales = LossScales::in_sample(&frame, day(28));
        let points = Points::of(&rows, &scales);
        assert_eq!(points.of_origin, [0..71, 71..143], "a point without an actual is none");
        assert!(points.series[..71].is_sorted() && points.series[71..].is_sorted());
        // 2025-01-06 was a Monday, and so was the day 28 days later.
        let clock = |point: usize| (points.clock[point].weekday, points.clock[point].hour);
        assert_eq!((clock(0), clock(71), points.month[0]), ((0, 0), (1, 0), 2));
        let two_too_high = rows.forecast(|history, origin| -> Result<_, Infallible> {
            let at = history.index_of(&frame.grid, origin);
            let series = frame.series(&history.id).expect("is there");
            Ok(Ok(series.values[at..at + 24]
                .iter()
                .map(|value| if value.is_nan() { 0.0 } else { value + 2.0 })
                .collect()))
        });
        let errors = errors(&rows, &two_too_high.expect("never stops"), &scales).concat();
        let off = |(error, scale): (&f64, &f64)| (error * scale - 2.0).abs() < 1e-9;
        assert!(errors.iter().zip(&points.scale).all(off));
    }
}
