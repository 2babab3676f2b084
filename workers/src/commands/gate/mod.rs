//! `gatecast gate`: how often the gate is wrong. Needs no broker and no store.

mod certify;
mod replay_nights;

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use anyhow::Context as _;
use forecasting::{
    certification::Stage,
    names::ModelName,
    spec::{DatasetSpec, FallbackSpec, GatePolicy, LearnerSpec, ModelSpec, TrainSettings},
};
use indicatif::ProgressBar;
use jiff::Timestamp;

use super::backtest::reading;
use crate::{
    cli::{GateCommand, Reading},
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    file_format::FileFormat,
    terminal::{remark, spinner},
};

/// The rule that means all of them.
pub const ALL_RULES: &str = "all";

/// `now` bounds how far ahead a time stamp may lie.
pub(super) async fn gate(command: &GateCommand, now: Timestamp, json: bool) -> CommandResult {
    match command {
        GateCommand::Certify(arguments) => certify::certify(arguments, now, json).await,
        GateCommand::ReplayNights(arguments) => replay_nights::replay_nights(arguments, now, json).await,
    }
}

async fn read(file: &str, how: &Reading, now: Timestamp) -> Result<reading::Contents, Failure> {
    let progress = spinner(format!("reading {file}"));
    let contents = reading::read(file, how.options(), now).await?;
    progress.finish_and_clear();
    contents.report.repairs().iter().for_each(remark);
    Ok(contents)
}

/// A model of the file's series that is trained as `train` says.
fn model(
    dataset: &DatasetSpec,
    horizon: Option<u32>,
    learner: LearnerSpec,
    train: TrainSettings,
) -> Result<ModelSpec, Failure> {
    let a_stride = u32::try_from(dataset.grid().steps_per_stride()).expect("a day has at most 1,440 steps");
    let model = ModelSpec {
        name: ModelName::new("gate").expect("is a name"),
        dataset: dataset.name.clone(),
        horizon_steps: horizon.unwrap_or(a_stride),
        learners: vec![learner],
        fallback: FallbackSpec::default(),
        gate: GatePolicy::default(),
        contracts: Vec::new(),
        schedule: None,
        train,
    };
    model.validate_with(dataset).or_exit(ExitCode::Invalid)?;
    Ok(model)
}

fn threads() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Moves a bar that counts the pieces of one stage after the other.
fn show(bar: &ProgressBar, stage: Stage, done: usize, of: usize) {
    let what = match stage {
        Stage::Fitting => "fitting",
        Stage::Pairing => "pairing",
        Stage::Judging => "judging",
        Stage::Following => "following",
    };
    bar.set_message(what);
    bar.set_length(of as u64);
    bar.set_position(done as u64);
}

/// The files of a folder that are data by their names, in order; `.gz` and `.zst` do not count.
fn data_files(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("--data {}", folder.display()))
        .or_exit(ExitCode::NotFound)?;
    let paths: Result<Vec<PathBuf>, io::Error> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files: Vec<String> = paths?
        .into_iter()
        .filter(|path| is_data(path))
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    files.sort();
    if files.is_empty() {
        let message = format!("--data {}: holds no .csv, .jsonl or .parquet", folder.display());
        return Err(Failure::say(ExitCode::NotFound, message));
    }
    Ok(files)
}

fn is_data(path: &Path) -> bool {
    let is_compressed = path.extension().is_some_and(|ending| ending == "gz" || ending == "zst");
    let plain = if is_compressed { path.with_extension("") } else { path.to_owned() };
    path.is_file() && FileFormat::of_name(&plain).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_folder_are_those_that_hold_data() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.csv.gz", "a.parquet", "README.md", "model.toml", "c.jsonl.zst"] {
            fs::write(folder.path().join(name), "").expect("writes");
        }
        let names: Vec<String> = data_files(folder.path()).expect("has some");
        let names: Vec<&str> = names.iter().filter_map(|file| file.rsplit('/').next()).collect();
        assert_eq!(names, ["a.parquet", "b.csv.gz", "c.jsonl.zst"]);
        let empty = tempfile::tempdir().expect("a folder");
        assert_eq!(data_files(empty.path()).expect_err("has none").code, ExitCode::NotFound);
    }
}
