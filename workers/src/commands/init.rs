//! `gatecast init`

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use forecasting::names::{DatasetName, SeriesId};
use jiff::Timestamp;
use serde_json::json;

use super::import::advised;
use crate::{
    cli,
    config::cloud_variables,
    draft::{self, Draft},
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    import::{ImportError, ImportOptions, Look, guess_columns, look, sample},
    input,
    terminal::{WIDTH, print, print_json, spinner, wrap},
};

/// Looks at a file and writes the specifications that it suggests.
pub(super) async fn init(arguments: &cli::Init, now: Timestamp, json: bool) -> CommandResult {
    let name = arguments.name();
    let files = files(&arguments.folder, &name);
    if let Some(taken) = files.iter().find(|file| file.exists()) {
        let message = format!("{} is there already; --name or --folder put it elsewhere", taken.display());
        return Err(Failure::say(ExitCode::Invalid, message));
    }
    let (look, draft) = drafted(arguments, arguments.reading.options(), now).await?;
    write_new(&files[0], &draft.dataset_toml)?;
    write_new(&files[1], &draft.model_toml)?;
    if json {
        return Ok(print_json(&json!({
            "dataset": files[0], "model": files[1], "rows": look.rows, "series": look.series.len(),
            "frequency": look.frequency, "notes": draft.notes, "import": draft.import,
        }))?);
    }
    tell(&look, &draft);
    print(format_args!(
        "\nNext, once {} and {} are as they should be:",
        files[0].display(),
        files[1].display()
    ));
    print(format_args!("  gatecast datasets apply {}", files[0].display()));
    print(format_args!("  gatecast models apply {}", files[1].display()));
    print(format_args!("  {}", draft.import));
    print(format_args!("  gatecast train {name} --wait"));
    Ok(())
}

/// What was found, and what the person should know.
pub(super) fn tell(look: &Look, draft: &Draft) {
    let (rows, series, frequency) = (look.rows, look.series.len(), look.frequency);
    print(format_args!(
        "{rows} rows of {series} series, steps of {frequency}, {} to {}",
        look.first, look.last
    ));
    for note in &draft.notes {
        for (at, part) in wrap(note, WIDTH - 4).iter().enumerate() {
            print(format_args!("  {} {part}", if at == 0 { "-" } else { " " }));
        }
    }
}

/// Looks at the file twice: at its first rows for the columns, at all of them for the rest.
pub(super) async fn drafted(
    arguments: &cli::Init,
    mut options: ImportOptions,
    now: Timestamp,
) -> Result<(Look, Draft), Failure> {
    let file = arguments.file.clone();
    if file == "-" {
        return Err(Failure::say(ExitCode::Usage, "a file is looked at twice, which stdin cannot be"));
    }
    let progress = spinner(format!("looking at {file}"));
    let cloud = cloud_variables();
    let (first, all) = (input::open(&file, &cloud).await?, input::open(&file, &cloud).await?);
    // Where no column names series, the file is one.
    let whole = SeriesId::new(arguments.name().as_str()).expect("a dataset's name can be a series'");
    let looking = move || -> Result<(Look, ImportOptions), ImportError> {
        let sample = sample(first, options.format)?;
        options.columns = guess_columns(&sample, &options.columns)?;
        let is_assumed = options.columns.id.is_none() && options.columns.series.is_none();
        if is_assumed {
            options.columns.series = Some(whole);
        }
        let look = look(all, &options, now)?;
        if is_assumed {
            sample.check_one_series(&look)?;
        }
        Ok((look, options))
    };
    let looked = tokio::task::spawn_blocking(looking).await?.map_err(super::import::refused);
    let (look, options) = looked.map_err(|failure| advised(failure, &file))?;
    progress.finish_and_clear();
    let draft = draft::draft(&look, &arguments.name(), &file, &options);
    Ok((look, draft))
}

/// The specification files of a dataset and of its model.
pub(super) fn files(folder: &Path, name: &DatasetName) -> [PathBuf; 2] {
    [folder.join(format!("{name}.dataset.toml")), folder.join(format!("{name}.model.toml"))]
}

/// Writes a file where there is none.
pub(super) fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let written = fs::File::create_new(file).and_then(|mut new| new.write_all(text.as_bytes()));
    written.with_context(|| file.display().to_string()).or_exit(ExitCode::Failure)
}
