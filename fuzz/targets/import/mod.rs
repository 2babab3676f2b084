//! A whole import, as strict and as lenient as it can be.

use forecasting::spec::DatasetSpec;
use workers::{
    file_format::FileFormat,
    import::{
        ColumnNames, ImportOptions, OnDaylightSaving, OnDuplicate, OnGap, OnUnsorted, guess_columns, look, read,
        sample,
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
        let _ = look(bytes, &ImportOptions { columns, ..ImportOptions::default() }, now);
    }
}
