//! What the gate makes of the learners of an example model, one after the other, as `gatecast demo` tells
//! it: which learners, trained in which order, show a promotion and a refusal, and by what margin?
//!
//!     cargo run --release -p forecasting --example story -- auckland-pedestrians [HOLDOUT_ORIGINS]
//!
//! Reads `examples/datasets`, `examples/models` and `examples/data`. `average` and `worst case` are the
//! gate's two numbers.

use std::{fs::File, time::Instant};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use forecasting::{
    artifact::Bundle,
    evaluation::{FrameCoverage, size_holdout},
    gate::{Contest, Given, RecordedJob, Verdict, judge},
    learning::{StopFlag, TrainingRequest, train},
    models::{Covered, Predict},
    names::SeriesId,
    series::{Covariates, Frame, Grid, Series},
    spec::{DatasetSpec, LearnerSpec, ModelSpec},
};
use jiff::Timestamp;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "auckland-pedestrians".to_owned());
    let mut scene = Scene::read(&name)?;
    if let Some(origins) = args.next() {
        scene.model.gate.holdout_origins = Some(origins.parse().context("the number of holdout origins")?);
    }
    let coverage = FrameCoverage::of(&scene.frame).context("the set has values")?;
    let plan = size_holdout(&scene.model, &scene.dataset, &coverage)?;
    println!("{name}: {} holdout origins from {} on\n", plan.origins, plan.first_origin);
    println!("| learner | average | worst case | MAE | WAPE % | fit s | bytes | µs per forecast | verdict |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for baseline in ["learner = 'seasonal-naive'", "learner = 'weekly-mean'"] {
        scene.tell(&toml::from_str(baseline)?, plan.cut_off, None)?;
    }
    let mut incumbent = None;
    for learner in &scene.model.learners {
        let (candidate, verdict) = scene.tell(learner, plan.cut_off, incumbent.as_ref())?;
        if verdict == Verdict::Promote {
            incumbent = Some(candidate);
        }
    }
    Ok(())
}

struct Scene {
    dataset: DatasetSpec,
    model: ModelSpec,
    frame: Frame,
}

impl Scene {
    fn read(name: &str) -> Result<Self> {
        let examples = format!("{}/../../examples", env!("CARGO_MANIFEST_DIR"));
        let text = |path: String| std::fs::read_to_string(&path).context(path);
        let dataset: DatasetSpec = toml::from_str(&text(format!("{examples}/datasets/{name}.toml"))?)?;
        let model: ModelSpec = toml::from_str(&text(format!("{examples}/models/{name}.toml"))?)?;
        model.validate_with(&dataset)?;
        let frame = read_frame(&format!("{examples}/data/{name}.csv.gz"), dataset.grid())?;
        Ok(Self { dataset, model, frame })
    }

    /// Trains one learner, judges it against the incumbent (or its fallback), and prints a line.
    fn tell(
        &self,
        learner: &LearnerSpec,
        cut_off: Timestamp,
        incumbent: Option<&Bundle>,
    ) -> Result<(Bundle, Verdict)> {
        let stop = StopFlag::default();
        let spec_hash = self.model.hash();
        let request = TrainingRequest {
            dataset: &self.dataset,
            model: &self.model,
            spec_hash: &spec_hash,
            frame: &self.frame,
            covariates: Covariates::none(),
            as_of: cut_off,
            cut_off,
            learners: std::slice::from_ref(learner),
            stop: &stop,
        };
        let begin = Instant::now();
        let candidate = train(&request)?.bundle;
        let fit_s = begin.elapsed().as_secs_f64();
        let contest = Contest {
            model: &self.model,
            dataset: &self.dataset,
            candidate: &candidate,
            job: RecordedJob { spec_hash: &spec_hash, as_of: cut_off, cut_off, shift: None },
            incumbent,
            frame: &self.frame,
            covariates: Covariates::none(),
            given: Given::nothing(),
            stop: &stop,
        };
        let judgement = judge(&contest)?.judgement;
        let errors = judgement.candidate.context("the candidate has errors")?;
        println!(
            "| {} | {:.4} | {:.3} | {:.2} | {:.2} | {fit_s:.1} | {} | {:.0} | {} |",
            learner.name,
            errors.average,
            errors.worst_case,
            errors.mae,
            100.0 * errors.wape.unwrap_or(f64::NAN),
            candidate.encode().len(),
            self.microseconds_per_forecast(&candidate)?,
            judgement.verdict.name(),
        );
        for reason in judgement.verdict.reasons() {
            println!("    {reason}");
        }
        Ok((candidate, judgement.verdict))
    }

    fn microseconds_per_forecast(&self, bundle: &Bundle) -> Result<f64> {
        let steps = bundle.horizon_steps as usize;
        let begin = Instant::now();
        for _ in 0..10 {
            for series in &self.frame.series {
                let origin = series.end(&self.frame.grid);
                bundle.primary.predict(Covered::alone(series), &self.frame.grid, origin, steps)?;
            }
        }
        Ok(begin.elapsed().as_secs_f64() * 1e5 / self.frame.series.len() as f64)
    }
}

fn read_frame(path: &str, grid: Grid) -> Result<Frame> {
    let file = File::open(path).with_context(|| path.to_owned())?;
    let mut series: Vec<Series> = Vec::new();
    for row in csv::Reader::from_reader(GzDecoder::new(file)).deserialize() {
        let (id, ds, y): (String, Timestamp, f64) = row?;
        if series.last().is_none_or(|last| last.id.as_str() != id) {
            series.push(Series { id: SeriesId::new(id)?, start: ds, values: Vec::new() });
        }
        let last = series.last_mut().context("was just pushed")?;
        let index = usize::try_from(grid.steps_between(last.start, ds)?)?;
        ensure!(index >= last.values.len(), "{ds}: the rows are not in order");
        last.values.resize(index, f64::NAN);
        last.values.push(y);
    }
    Ok(Frame::new(grid, series)?)
}
