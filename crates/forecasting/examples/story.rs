//! Judges learners as the gate's floor does, on the newest days of an example set: which pair tells the
//! story of `gatecast demo`?
//!
//!     cargo run --release -p forecasting --example story -- auckland-pedestrians [ORIGINS]
//!
//! Every learner is fitted once on everything before the first origin and forecasts 24 steps from each
//! origin. `avg` and `cvar99` are scaled absolute errors (mean, and mean of the worst hundredth).

use std::{collections::BTreeMap, fs::File, time::Instant};

use flate2::read::GzDecoder;
use forecasting::{
    learning::{Material, StopFlag, fit},
    models::{Model, Predict},
    names::SeriesId,
    series::{Frame, Frequency, Grid, Series},
    spec::LearnerSpec,
};
use jiff::Timestamp;

const HORIZON_STEPS: usize = 24;

fn main() {
    let mut args = std::env::args().skip(1);
    let set = args.next().unwrap_or_else(|| "auckland-pedestrians".to_owned());
    let origins: i64 = args
        .next()
        .map_or(56, |text| text.parse().expect("the number of origins"));
    let memory_days: i64 = args
        .next()
        .map_or(365, |text| text.parse().expect("days of memory"));
    let frame = read(&set);
    let last = frame.last_target().expect("the set has values");
    let end = frame.grid.advance(last, 1);
    let origins: Vec<Timestamp> = (1..=origins)
        .rev()
        .map(|back| frame.grid.advance(end, -24 * back))
        .collect();
    let from = frame.grid.start_of_day(origins[0], -memory_days);
    let training = frame.window(from, origins[0]);
    println!(
        "{set}: {} series, {} origins from {} on",
        frame.series.len(),
        origins.len(),
        origins[0]
    );
    println!("learner | avg | cvar99 | mae | wape % | bias % | worst day % | fit s | MB | µs per series");
    let scales = scales(&frame, origins[0]);
    for text in LEARNERS {
        let spec: LearnerSpec = toml::from_str(text).expect("a learner");
        let stop = StopFlag::default();
        let material = Material {
            frame: &training,
            horizon_steps: HORIZON_STEPS,
            delay_steps: 0,
            seed: 7,
            stop: &stop,
        };
        let begin = Instant::now();
        let model = fit(&spec, &material).expect("enough history");
        let fit_s = begin.elapsed().as_secs_f64();
        println!("{}", score(&spec, &model, &frame, &origins, &scales, fit_s));
    }
}

fn score(
    spec: &LearnerSpec,
    model: &Model,
    frame: &Frame,
    origins: &[Timestamp],
    scales: &BTreeMap<SeriesId, f64>,
    fit_s: f64,
) -> String {
    let (mut scaled, mut absolute, mut signed, mut actual) = (Vec::new(), 0.0, 0.0, 0.0);
    let mut worst_day = 0.0_f64;
    let begin = Instant::now();
    let mut asked = 0;
    for &origin in origins {
        let (mut day_error, mut day_actual) = (0.0, 0.0);
        for series in &frame.series {
            let forecast = model
                .predict(series, &frame.grid, origin, HORIZON_STEPS)
                .expect("a forecast");
            asked += 1;
            let first = series.index_of(&frame.grid, origin);
            for (value, predicted) in series.values[first..].iter().zip(forecast) {
                if value.is_nan() {
                    continue;
                }
                let error = predicted - value;
                scaled.push(error.abs() / scales[&series.id]);
                signed += error;
                day_error += error.abs();
                day_actual += value;
            }
        }
        absolute += day_error;
        actual += day_actual;
        worst_day = worst_day.max(100.0 * day_error / day_actual);
    }
    let micros = begin.elapsed().as_secs_f64() * 1e6 / f64::from(asked);
    scaled.sort_by(f64::total_cmp);
    let tail = &scaled[scaled.len() - scaled.len().div_ceil(100).max(30)..];
    let rows = scaled.len() as f64;
    let megabytes = postcard::to_stdvec(model).expect("a model").len() as f64 / 1e6;
    format!(
        "{} | {:.4} | {:.3} | {:.2} | {:.2} | {:+.2} | {worst_day:.1} | {fit_s:.2} | {megabytes:.2} | {micros:.0}",
        spec.name,
        scaled.iter().sum::<f64>() / rows,
        tail.iter().sum::<f64>() / tail.len() as f64,
        absolute / rows,
        100.0 * absolute / actual,
        100.0 * signed / actual,
    )
}

fn scales(frame: &Frame, until: Timestamp) -> BTreeMap<SeriesId, f64> {
    let past = frame.window(Timestamp::MIN, until);
    let scale = |series: &Series| {
        let pairs = series.values.iter().zip(&series.values[168..]);
        let errors: Vec<f64> = pairs
            .map(|(a, b)| (a - b).abs())
            .filter(|error| !error.is_nan())
            .collect();
        errors.iter().sum::<f64>() / errors.len() as f64
    };
    past.series
        .iter()
        .map(|series| (series.id.clone(), scale(series)))
        .collect()
}

fn read(set: &str) -> Frame {
    let zone = if set == "washington-bikes" {
        "America/New_York"
    } else {
        "Pacific/Auckland"
    };
    let grid = Grid::new(Frequency::Minutes(60), zone).expect("a grid");
    let path = format!("{}/../../examples/data/{set}.csv.gz", env!("CARGO_MANIFEST_DIR"));
    let mut rows = csv::Reader::from_reader(GzDecoder::new(File::open(path).expect("the example data")));
    let mut series: Vec<Series> = Vec::new();
    for row in rows.deserialize() {
        let (id, ds, y): (String, Timestamp, f64) = row.expect("unique_id,ds,y");
        if series.last().is_none_or(|last| last.id.as_str() != id) {
            series.push(Series {
                id: SeriesId::new(id).expect("an id"),
                start: ds,
                values: Vec::new(),
            });
        }
        let last = series.last_mut().expect("was just pushed");
        let index = grid.steps_between(last.start, ds).expect("on the grid");
        last.values
            .resize(usize::try_from(index).expect("sorted"), f64::NAN);
        last.values.push(y);
    }
    Frame::new(grid, series).expect("each series once")
}

const LEARNERS: &[&str] = &[
    "learner = 'seasonal-naive'",
    "learner = 'weekly-mean'",
    "learner = 'boosted-trees'\nname = 'mean'\naim = 'mean'",
    "learner = 'boosted-trees'\nname = 'median'\naim = 'median'",
    "learner = 'boosted-trees'\nname = 'both'\naim = 'both'",
];
