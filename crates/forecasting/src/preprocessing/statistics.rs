//! Means and the like of values of which some are missing (`NaN`).

/// Mean of the known values; `NaN` if none is known.
pub(super) fn mean_of(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values.filter(|value| !value.is_nan()) {
        sum += value;
        count += 1;
    }
    // 0 / 0 is NaN, as wanted.
    sum / f64::from(count)
}

/// [`mean_of`] for a slice.
pub(super) fn mean(values: &[f64]) -> f64 {
    mean_of(values.iter().copied())
}

/// Standard deviation of the known values.
pub(super) fn spread(values: &[f64]) -> f64 {
    let center = mean(values);
    mean_of(values.iter().map(|value| (value - center) * (value - center))).sqrt()
}

/// Median of the known values; the mean of the middle two where their number is even.
pub(super) fn median(mut values: [f64; 5]) -> f64 {
    // Missing values last, whatever their sign bit.
    values.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
    let known = values.iter().take_while(|value| !value.is_nan()).count();
    match known {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}
