//! A whole import, as strict and as lenient as it can be, without covariates and with all that could be some.

use forecasting::{names::CovariateName, spec::DatasetSpec};
use workers::{
    file_format::FileFormat,
    import::{
        ColumnNames, CovariateNames, ImportOptions, OnDaylightSaving, OnDuplicate, OnGap, OnUnsorted, Sample,
        guess_columns, look, read, sample,
    },
};

pub(crate) fn check(bytes: &[u8], format: FileFormat) {
    let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("is a time stamp");
    let strict = ImportOptions { format: Some(format), ..ImportOptions::default() };
    let lenient = ImportOptions {
        time_zone: Some("Europe/Berlin".to_owned()),
        on_daylight_saving: OnDaylightSaving::Shift,
        on_duplicate: OnDuplicate::Mean,
        on_gap: OnGap::Allow,
        on_unsorted: OnUnsorted::Sort,
        ..strict.clone()
    };
    for frequency in ["PT1H", "P1D"] {
        let toml = format!("name = 'x'\nfrequency = '{frequency}'\ntime_zone = 'Europe/Berlin'");
        let dataset: DatasetSpec = toml::from_str(&toml).expect("is a dataset");
        for options in [&strict, &lenient] {
            if let Ok(imported) = read(bytes, options, &dataset, now) {
                // In order, each once, finite.
                let key = |one: &history::Observation| (one.series.clone(), one.ds);
                assert!(imported.observations.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
                assert!(imported.observations.iter().all(|one| one.y.is_finite()));
            }
        }
    }
    if let Ok(sample) = sample(bytes, None)
        && let Ok(columns) = guess_columns(&sample, &ColumnNames::default())
    {
        let columns = ColumnNames { covariates: all_others(&sample, &columns), ..columns };
        let dataset = "name = 'x'\nfrequency = 'PT1H'\ntime_zone = 'Europe/Berlin'";
        let dataset: DatasetSpec = toml::from_str(dataset).expect("is a dataset");
        let _ = read(bytes, &ImportOptions { columns: columns.clone(), ..lenient.clone() }, &dataset, now);
        let _ = look(bytes, &ImportOptions { columns, ..ImportOptions::default() }, now);
    }
}

/// Each column that is not read as something else, as one kind of covariate or another.
fn all_others(sample: &Sample, columns: &ColumnNames) -> CovariateNames {
    let read = [&columns.id, &columns.time, &columns.value].map(|name| name.as_deref().unwrap_or_default());
    let others = sample.header.iter().filter(|name| !read.contains(&name.as_str()));
    let mut covariates = CovariateNames::default();
    for (place, name) in others.filter_map(|name| CovariateName::new(name.as_str()).ok()).enumerate() {
        match place % 3 {
            0 => covariates.known.push(name),
            1 => covariates.past.push(name),
            _ => covariates.attributes.push(name),
        }
    }
    covariates
}
