//! What one more unit of a feature adds to the forecasts of a linear model.

use super::{Examination, Tested};

pub(super) fn test(examination: &Examination<'_>, feature: &str, [least, most]: [Option<f64>; 2]) -> Tested {
    let Some(regression) = examination.regression() else {
        return Tested::untested("looks at no features");
    };
    if regression.coefficient(0).is_none() {
        return Tested::untested("is not linear");
    }
    let column = regression.relative().features.column(feature);
    let Some(coefficient) = column.and_then(|column| regression.coefficient(column)) else {
        return Tested::NoSuchFeature(feature.to_owned());
    };
    let too_low = least.filter(|least| coefficient < *least);
    let too_high = most.filter(|most| coefficient > *most);
    Tested::Coefficient { coefficient, beyond: too_low.or(too_high) }
}
