//! The specifications that a file suggests, with the reasons beside each line for the person who knows better.

use forecasting::{
    evaluation::{FrameCoverage, size_holdout},
    names::{CovariateName, DatasetName, ModelName},
    series::Frequency,
    spec::{DatasetSpec, ModelSpec},
};

use crate::{
    import::{ImportOptions, Look, WrittenBy},
    terminal::{quoted, wrap},
};

/// What `gatecast init` writes and says.
#[derive(Debug)]
pub struct Draft {
    /// The dataset, commented.
    pub dataset_toml: String,
    /// The model, commented.
    pub model_toml: String,
    /// What the person should know or decide, as sentences.
    pub notes: Vec<String>,
    /// How the file must be read to fit the dataset.
    pub options: ImportOptions,
    /// The command that reads it so.
    pub import: String,
}

/// A zone, and why it is proposed.
struct Zone {
    name: String,
    why: String,
}

/// Drafts a dataset and a model, both called `name`, for `file`, which was looked at with `options`.
pub fn draft(look: &Look, name: &DatasetName, file: &str, options: &ImportOptions) -> Draft {
    let zone = zone(look, options.time_zone.as_deref());
    let mut options = options.clone();
    if look.clock == WrittenBy::Unknown && options.time_zone.is_none() {
        options.time_zone = Some("none".to_owned());
    }
    let dataset_toml = dataset_toml(look, name, file, &zone);
    let dataset: DatasetSpec = toml::from_str(&dataset_toml).expect("what is drafted can be read");
    let (horizon, enough) = horizon(look, &dataset);
    let mut notes = repairs(look);
    if look.clock == WrittenBy::Unknown && options.time_zone.as_deref() == Some("none") {
        notes.push(
            "The time stamps carry no offset and are taken for a plain grid, without changes of clocks. If they \
             are the wall clock of a place, say so: --tz Europe/Berlin."
                .to_owned(),
        );
    }
    notes.extend(enough.err());
    Draft {
        model_toml: model_toml(look, name, horizon, &zone),
        import: import_command(name, file, &options),
        dataset_toml,
        notes,
        options,
    }
}

fn zone(look: &Look, declared: Option<&str>) -> Zone {
    let of = |name: &str, why: &str| Zone { name: name.to_owned(), why: why.to_owned() };
    match (&look.clock, declared) {
        (_, Some(declared)) if declared != "none" => of(declared, "As --tz said."),
        (WrittenBy::Unknown, _) => of(
            "UTC",
            "The time stamps carry no offset: UTC makes them a plain grid. If they are the wall clock of a place, \
             write its zone here before anything is imported, and import with --tz ZONE.",
        ),
        (WrittenBy::Utc, _) => of(
            "UTC",
            "The time stamps are in UTC. If demand follows the days of a place, write its zone here, such as \
             Europe/Berlin.",
        ),
        (WrittenBy::Zones(zones), _) => match zones.as_slice() {
            [] => of(
                "UTC",
                "No zone has all offsets of the time stamps. Write the one whose days demand follows.",
            ),
            [only] => of(only, "The only zone with the offsets of the time stamps."),
            [first, others @ ..] => {
                let some = others.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
                let why = format!(
                    "The time stamps have its offsets, and those of {} other zones: {some}, … Write the right \
                     one: the rules of the future may differ.",
                    others.len()
                );
                Zone { name: first.clone(), why }
            }
        },
    }
}

fn dataset_toml(look: &Look, name: &DatasetName, file: &str, zone: &Zone) -> String {
    let Zone { name: zone, why } = zone;
    let whose = comment(&format!("Whose days and clocks the series follow. {why}"));
    let (rows, series, first, last) = (look.rows, look.series.len(), look.first, look.last);
    let file = file.replace(char::is_control, "?"); // must not end the comment
    let share = 100.0 * look.frequency_share;
    let (frequency, smallest) = (look.frequency, look.least);
    let covariates = covariates(&look.ignored_columns);
    format!(
        "# Drafted by `gatecast init` from {file}:
# {rows} rows of {series} series, {first} to {last}. Change what is wrong, then:
# gatecast datasets apply {name}.dataset.toml

name = \"{name}\"

# The distance of two rows in {share:.1} % of the cases.
frequency = \"{frequency}\"

{whose}
time_zone = \"{zone}\"

# How long after the end of a step its value is known at the latest, such as \"PT36H\".
availability_delay = \"PT0S\"

# Values below zero are allowed (the smallest in the file is {smallest}); as errors they would be refused:
# negative = \"refuse\"

# Whose public holidays demand follows: a country, or a part of it such as \"US-NY\" or \"DE-BY\".
# holidays = \"\"

# For people.
# description = \"\"
# source = \"\"
# licence = \"\"
{covariates}"
    )
}

/// The columns that are not read, as covariates that a person may declare.
fn covariates(columns: &[String]) -> String {
    let names = columns.iter().filter(|column| CovariateName::new(column.as_str()).is_ok());
    let names: Vec<String> = names.map(|column| toml::Value::from(column.as_str()).to_string()).collect();
    if names.is_empty() {
        return String::new();
    }
    let why = comment(
        "Columns beside the value help learners once they are declared, each of one kind: known in advance, such as a \
         price (needed over the horizon of every forecast, in rows that leave the value empty); past, known as late as \
         the value; or static, never changing within a series.",
    );
    format!("\n{why}\n# [covariates]\n# known = [{}]\n# past = []\n# static = []\n", names.join(", "))
}

fn model_toml(look: &Look, name: &DatasetName, horizon: u32, zone: &Zone) -> String {
    let frequency = look.frequency;
    let season = match frequency {
        Frequency::Minutes(minutes) => 7 * 1440 / u32::from(minutes),
        Frequency::Days(7) => 1,
        Frequency::Days(_) => 7,
    };
    let zeros = 100.0 * look.zero_share;
    let zone = &zone.name;
    let specialists = specialists(look);
    format!(
        "# Drafted by `gatecast init`. Change what is wrong, then:
# gatecast models apply {name}.model.toml

name = \"{name}\"
dataset = \"{name}\"

# How many steps of {frequency} are forecast. The season is a week, {season} of them: it follows from the frequency.
horizon = {horizon}

# Who competes to become the candidate; {zeros:.0} % of the values are zero. Settings are optional.
[[learners]]
learner = \"boosted-trees\"
aim = \"both\"                       # half at the mean, half at the median

[[learners]]
learner = \"weekly-mean\"
{specialists}
# Who answers until a candidate was promoted, and where the incumbent cannot.
[fallback]
weeks = 4

# Train every night:
# [schedule]
# cron = \"0 3 * * *\"
# time_zone = \"{zone}\"
"
    )
}

/// From this share of zeros on, demand is taken for intermittent.
const INTERMITTENT: f64 = 0.4;

/// Learners for series of a kind, with the kind.
fn specialists(look: &Look) -> String {
    let within_days = matches!(look.frequency, Frequency::Minutes(_));
    let (why, learners): (&str, &[&str]) = if look.zero_share >= INTERMITTENT {
        ("Demand is intermittent: sizes and intervals apart.", &["croston", "tsb"])
    } else if within_days && look.least > 0.0 {
        ("Never zero, like load: each series taken apart into day, week and the rest.", &["mstl"])
    } else {
        return String::new();
    };
    let tables: Vec<String> =
        learners.iter().map(|learner| format!("[[learners]]\nlearner = \"{learner}\"\n")).collect();
    format!("\n# {why}\n{}", tables.join("\n"))
}

/// A day or a week ahead, or less where the history is too short to judge that; and why none can be judged.
fn horizon(look: &Look, dataset: &DatasetSpec) -> (u32, Result<(), String>) {
    let proposals: &[u32] = match dataset.frequency {
        Frequency::Minutes(minutes) => &[1440 / u32::from(minutes)],
        Frequency::Days(1) => &[7, 3, 1],
        Frequency::Days(_) => &[4, 1],
    };
    let coverage = FrameCoverage { rows: look.rows, first_target: look.first, last_target: look.last };
    let mut enough = Ok(());
    for &horizon in proposals {
        let model = bare_model(dataset, horizon);
        match size_holdout(&model, dataset, &coverage) {
            Ok(_) => return (horizon, Ok(())),
            Err(too_little) => {
                enough = Err(format!("There is too little history for a verdict yet: {too_little}."));
            }
        }
    }
    (proposals[0], enough)
}

fn bare_model(dataset: &DatasetSpec, horizon: u32) -> ModelSpec {
    let name =
        ModelName::new(dataset.name.as_str()).expect("names of datasets and models follow the same rule");
    let toml = format!(
        "name = '{name}'\ndataset = '{name}'\nhorizon = {horizon}\n[[learners]]\nlearner = 'weekly-mean'"
    );
    toml::from_str(&toml).expect("what is drafted can be read")
}

/// What an import of the file will refuse unless it is told what to do.
fn repairs(look: &Look) -> Vec<String> {
    let mut notes = Vec::new();
    if look.duplicates > 0 {
        let repeated = look.duplicates;
        notes.push(format!(
            "{repeated} rows have the time of another row of their series: --on-duplicate sum, last, first or mean."
        ));
    }
    if look.unsorted_rows > 0 {
        let late = look.unsorted_rows;
        notes.push(format!(
            "{late} rows are earlier than the one before them of their series: --on-unsorted sort."
        ));
    }
    if !look.ignored_columns.is_empty() {
        let columns = look.ignored_columns.join(", ");
        notes.push(format!("Columns that are not read unless the dataset declares them: {columns}."));
    }
    notes
}

fn import_command(name: &DatasetName, file: &str, options: &ImportOptions) -> String {
    let mut command = format!("gatecast import {name} {}", quoted(file));
    let columns = &options.columns;
    let series = columns.series.as_ref().map(ToString::to_string);
    let usual = |given: &Option<String>, usual: [&str; 2]| {
        given.clone().filter(|given| !usual.contains(&given.as_str()))
    };
    for (flag, value) in [
        ("id", usual(&columns.id, ["unique_id", "series"])),
        ("time", usual(&columns.time, ["ds", "timestamp"])),
        ("value", usual(&columns.value, ["y", "value"])),
        ("series", series),
        ("tz", options.time_zone.clone()),
    ] {
        if let Some(value) = value {
            command.extend([" --", flag, " ", &quoted(&value)]);
        }
    }
    command
}

/// Prose as lines of a comment.
fn comment(prose: &str) -> String {
    wrap(prose, 98).iter().map(|line| format!("# {line}")).collect::<Vec<_>>().join("\n")
}

/// A name for the data in a file: that of the file, as far as it can be one.
pub fn name(file: &str) -> DatasetName {
    let base = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = base.split('.').next().unwrap_or_default().to_lowercase();
    let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    let letter = if plain.starts_with(|c: char| c.is_ascii_lowercase()) { "" } else { "data-" };
    let name: String = format!("{letter}{plain}").chars().take(63).collect();
    DatasetName::new(name.trim_end_matches('-')).expect("letters, digits and dashes after a letter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_not_read_become_a_proposal() {
        let proposal = covariates(&["price".to_owned(), "in \"store\"".to_owned(), "a\u{202E}b".to_owned()]);
        let uncommented: String = proposal
            .lines()
            .skip_while(|line| *line != "# [covariates]")
            .map(|line| line[2..].to_owned() + "\n")
            .collect();
        let dataset = format!("name = 'd'\nfrequency = 'P1D'\ntime_zone = 'UTC'\n{uncommented}");
        let dataset: DatasetSpec = toml::from_str(&dataset).expect("can be read without the comments");
        let names: Vec<&str> = dataset.covariates.known().iter().map(CovariateName::as_str).collect();
        assert_eq!(names, ["in \"store\"", "price"]);
        assert_eq!(covariates(&[]), "");
    }

    #[test]
    fn the_name_of_a_file_becomes_one_of_a_dataset() {
        for (file, expected) in [
            ("Bike Hires_2024.csv.gz", "bike-hires-2024"),
            ("/tmp/2024.parquet", "data-2024"),
            ("s3://bucket/folder/sales.jsonl", "sales"),
            ("-", "data"),
            ("ÄÖ.csv", "data"),
        ] {
            assert_eq!(name(file).as_str(), expected, "{file}");
        }
    }
}
