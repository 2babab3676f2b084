//! Whether a history times a factor has forecasts times that factor.

use super::{Course, Examination, Probed, Tested, curve::part};
use crate::{learning::Stopped, routing::Task, series::Series};

pub(super) fn test(examination: &Examination<'_>, factor: f64, tolerance: f64) -> Result<Tested, Stopped> {
    let change = format!("its history times {factor}");
    let mut probed = Probed::new(Course::IsOff, tolerance);
    for probe in examination.probes() {
        let probe = probe?;
        let task = examination.task(&probe);
        let Series { id, start, values } = &probe.history;
        let scaled = values.iter().map(|value| value * factor).collect();
        let scaled = Series { id: id.clone(), start: *start, values: scaled };
        // No history holds such a value.
        if scaled.values.iter().any(|value| value.is_infinite()) {
            continue;
        }
        let moved = examination.answer(&task).and_then(|as_it_is| {
            let of_scaled = examination.answer(&Task { history: &scaled, ..task })?;
            Ok((change.clone(), apart(&as_it_is, &of_scaled, factor)))
        });
        probed.note(&probe.history.id, probe.origin, moved, &change);
    }
    Ok(Tested::Probed(probed))
}

/// How far two forecasts are apart once the second is scaled back, as a part of the size of the larger one.
fn apart(as_it_is: &[f64], of_scaled: &[f64], factor: f64) -> f64 {
    let steps = as_it_is.len() as f64;
    let (mut distance, mut size, mut other_size) = (0.0, 0.0, 0.0);
    for (one, other) in as_it_is.iter().zip(of_scaled) {
        // Divided first: the sum of enormous values would be no number.
        let (one, other) = (one / steps, other / factor / steps);
        distance += (one - other).abs();
        size += one.abs();
        other_size += other.abs();
    }
    part(distance, f64::max(size, other_size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecasts_are_apart_step_by_step() {
        assert_eq!(apart(&[1.0, 2.0], &[2.0, 4.0], 2.0), 0.0);
        assert_eq!(apart(&[2.0, 2.0], &[1.0, 1.0], 0.5), 0.0);
        assert_eq!(apart(&[1.0, 3.0], &[6.0, 2.0], 2.0), 1.0, "though their sums are alike");
        assert_eq!(apart(&[4.0, 4.0], &[4.0, 4.0], 2.0), 0.5);
        assert_eq!(apart(&[0.0, 0.0], &[4.0, 4.0], 2.0), 1.0);
        assert_eq!(apart(&[0.0, 0.0], &[0.0, 0.0], 2.0), 0.0);
    }
}
