//! The reduced certificate of an excerpt of the shipped data.

use std::{fs::File, num::NonZeroUsize};

use flate2::read::GzDecoder;
use jiff::Timestamp;

use super::*;
use crate::{
    learning::StopFlag,
    names::SeriesId,
    series::{Frame, Series},
    spec::{DatasetSpec, ModelSpec},
};

/// Eight sensors of Auckland, the newest 400 days.
fn excerpt() -> Frame {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let spec = std::fs::read_to_string(format!("{examples}/datasets/auckland-pedestrians.toml"));
    let dataset: DatasetSpec = toml::from_str(&spec.expect("is there")).expect("is a dataset");
    let grid = dataset.grid();
    let file = File::open(format!("{examples}/data/auckland-pedestrians.csv.gz")).expect("is there");
    let mut series: Vec<Series> = Vec::new();
    for row in csv::Reader::from_reader(GzDecoder::new(file)).deserialize() {
        let (id, ds, y): (String, Timestamp, f64) = row.expect("is a row");
        if series.last().is_none_or(|last| last.id.as_str() != id) {
            if series.len() == 8 {
                break;
            }
            series.push(Series { id: SeriesId::new(id).expect("is an id"), start: ds, values: Vec::new() });
        }
        let last = series.last_mut().expect("was just pushed");
        let steps = grid.steps_between(last.start, ds).expect("is on the grid");
        last.values.resize(usize::try_from(steps).expect("rows are in order"), f64::NAN);
        last.values.push(y);
    }
    let frame = Frame::new(grid, series).expect("the ids differ");
    let end = frame.last_target().expect("has values");
    frame.window(frame.grid.start_of_day(end, -400), frame.grid.advance(end, 1))
}

fn model() -> ModelSpec {
    let toml = "name = 'm'\ndataset = 'd'\nhorizon = 24\nlearners = [{ learner = 'weekly-mean' }]";
    toml::from_str(toml).expect("is a model")
}

fn certified(frame: &Frame, settings: &CertifySettings<'_>, threads: usize) -> Certificate {
    let threads = NonZeroUsize::new(threads).expect("is positive");
    let work = Work { threads, stop: &StopFlag::default(), tell: &|_, _, _| () };
    certify(frame, settings, &work).expect("is enough")
}

fn outcome<'c>(certificate: &'c Certificate, cell: &str, rule: &str) -> &'c Outcome {
    let row = certificate.rows.iter().find(|row| row.cell == cell).expect("is a cell");
    row.outcomes.iter().find(|outcome| outcome.rule == rule).expect("is a rule")
}

fn promoted(certificate: &Certificate, cell: &str, rule: &str) -> f64 {
    let Share { share, low, high } = outcome(certificate, cell, rule).promoted;
    assert!((low..=high).contains(&share));
    share
}

#[test]
fn the_reduced_certificate_of_the_shipped_data_holds() {
    let model = model();
    let certificate = certified(&excerpt(), &CertifySettings::quick(&model), 2);
    let gatecast = |cell| promoted(&certificate, cell, "gatecast");
    let others = |cell, rule| promoted(&certificate, cell, rule);
    assert!(certificate.fits.len() >= 8 && certificate.pairs.pairs >= 28, "{:?}", certificate.pairs);
    // Aims are 0.05, 0.9 and 0.05 of thousands of draws; these hold with room for a few hundred.
    assert!(gatecast("equal") <= 0.12, "{}", gatecast("equal"));
    assert!(gatecast("better-10") >= 0.65, "{}", gatecast("better-10"));
    let alike = outcome(&certificate, "better-10", "gatecast").promoted_alike.expect("some pairs are alike");
    assert!(alike >= 0.85, "{alike} where the errors' correlation is at least 0.9");
    assert!(gatecast("worse-3") <= 0.05, "{}", gatecast("worse-3"));
    assert!(gatecast("points-25") <= 0.1, "{}", gatecast("points-25"));
    for never in ["missing", "duplicate", "stuck", "shifted"] {
        assert_eq!(gatecast(never), 0.0, "{never}");
    }
    // The comparison of losses cannot see a leak, and says so.
    assert!(gatecast("leak") > 0.9, "{}", gatecast("leak"));
    // The rules of others, on the same windows.
    assert_eq!((others("missing", "newest-wins"), others("missing", "r2-slack")), (1.0, 1.0));
    assert_eq!((others("missing", "mean-only"), others("duplicate", "mean-and-max")), (0.0, 0.0));
    assert!(others("points-25", "mean-only") > 0.5, "an average does not see one point in a thousand");
    assert!(others("equal", "mean-only") > 0.3 && others("worse-3", "r2-slack") > 0.9);
}

#[test]
fn a_certificate_does_not_depend_on_the_number_of_threads() {
    let (model, frame) = (model(), excerpt());
    let settings =
        CertifySettings { draws: 20, draws_per_length: 10, walks: 2, ..CertifySettings::quick(&model) };
    let alone = certified(&frame, &settings, 1);
    assert_eq!(certified(&frame, &settings, 3), alone);
    let mut other = model.clone();
    other.train.seed += 1;
    assert_ne!(certified(&frame, &CertifySettings { model: &other, ..settings }, 3).rows, alone.rows);
}

#[test]
fn a_history_that_is_too_short_says_how_short() {
    let (model, stop) = (model(), StopFlag::default());
    let work = Work { threads: NonZeroUsize::MIN, stop: &stop, tell: &|_, _, _| () };
    let short = crate::examples::history(60);
    let problem = certify(&short, &CertifySettings::quick(&model), &work).expect_err("is short").to_string();
    assert_eq!(problem, "the newer half of the history has 30 origins, at least 56 are needed");
    stop.stop();
    let stopped = certify(&crate::examples::history(200), &CertifySettings::quick(&model), &work);
    assert_eq!(stopped, Err(CertifyError::Stopped(crate::learning::Stopped)));
}
