//! Datasets and models in TOML: read, checked, and laid on their grid.

#![no_main]

use forecasting::spec::{DatasetSpec, ModelSpec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(dataset) = toml::from_str::<DatasetSpec>(text)
        && dataset.validate().is_ok()
    {
        let _ = (dataset.grid(), dataset.delay_steps(), dataset.most_horizon_steps(), dataset.hash());
    }
    if let Ok(model) = toml::from_str::<ModelSpec>(text)
        && model.validate().is_ok()
    {
        let hourly = "name = 'x'\nfrequency = 'PT1H'\ntime_zone = 'UTC'";
        let mut dataset: DatasetSpec = toml::from_str(hourly).expect("is a dataset");
        dataset.name = model.dataset.clone();
        let _ = (model.validate_with(&dataset), model.hash());
    }
});
