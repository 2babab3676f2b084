//! What a model is: a forecasting task, not yet anything that was fitted.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    Contract, DatasetSpec, GatePolicy, LearnerSpec, SpecError, check_range, check_time_zone,
    contract::MOST_CONTRACTS, dataset::MOST_HORIZON_STEPS, hash::canonical_hash,
};
use crate::{
    learners::check_weeks,
    names::{DatasetName, LearnerName, ModelName},
};

/// A forecasting task: a dataset, a horizon, who competes, and how strict the gate is.
///
/// ```toml
/// name = "bike-demand"
/// dataset = "washington-bikes"
/// horizon = 24                       # steps
///
/// [[learners]]
/// learner = "boosted-trees"
///
/// [schedule]                         # optional; and [fallback], [gate], [[contracts]], [train]
/// cron = "0 3 * * *"
/// time_zone = "America/New_York"
/// catch_up_within = "PT6H"           # optional
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Names the model.
    pub name: ModelName,
    /// The dataset whose series it forecasts.
    pub dataset: DatasetName,
    /// How many steps it forecasts: 1 to 10,000, at most 5 years. In TOML `horizon`.
    #[serde(rename = "horizon")]
    pub horizon_steps: u32,
    /// Who competes; at least one, each name once.
    pub learners: Vec<LearnerSpec>,
    /// Who answers when the incumbent should not or cannot.
    #[serde(default)]
    pub fallback: FallbackSpec,
    /// How much evidence the gate wants.
    #[serde(default)]
    pub gate: GatePolicy,
    /// What must hold for a candidate, however small its errors are: at most 32, by default nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contracts: Vec<Contract>,
    /// When it is trained without being asked; never by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// How it is trained.
    #[serde(default)]
    pub train: TrainSettings,
}

/// The fallback: a weekly mean, which needs no training and can forecast from a single observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FallbackSpec {
    /// How many weeks are averaged: 1 to 52, default 4.
    pub weeks: u32,
}

/// When a model is trained without being asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// A cron line of five fields, read by the scheduler.
    pub cron: String,
    /// IANA name of the zone whose clock the cron line means.
    pub time_zone: String,
    /// Of ticks that were missed while no scheduler ran, the newest is made up for if it is not older than
    /// this: 1 minute to 366 days, in hours and smaller units (`PT6H`). `None`: however old it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up_within: Option<SignedDuration>,
}

/// How a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// How many days before the cut-off learners look back: 1 to 36,600; by default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_days: Option<u32>,
    /// Starts every random choice. Default 7.
    pub seed: u64,
}

const MOST_LEARNERS: usize = 64;

impl ModelSpec {
    /// Refuses values that cannot be, as far as the model alone can tell.
    pub fn validate(&self) -> Result<(), SpecError> {
        check_range("horizon", self.horizon_steps, 1..=MOST_HORIZON_STEPS)?;
        self.check_learners()?;
        check_weeks(self.fallback.weeks).map_err(|error| error.within("fallback"))?;
        self.gate.validate().map_err(|error| error.within("gate"))?;
        self.check_contracts(Contract::validate)?;
        if let Some(schedule) = &self.schedule {
            schedule.validate().map_err(|error| error.within("schedule"))?;
        }
        self.train.validate().map_err(|error| error.within("train"))
    }

    /// Refuses, on top of [`ModelSpec::validate`], what does not fit the dataset that the model names.
    pub fn validate_with(&self, dataset: &DatasetSpec) -> Result<(), SpecError> {
        self.validate()?;
        if self.dataset != dataset.name {
            let problem = format!("is not the dataset {} that it is checked with", dataset.name);
            return Err(SpecError::new("dataset", &self.dataset, problem));
        }
        let most_steps = dataset.most_horizon_steps();
        if self.horizon_steps > most_steps {
            let problem =
                format!("must be at most {most_steps} steps of {}, which is 5 years", dataset.frequency);
            return Err(SpecError::new("horizon", &self.horizon_steps, problem));
        }
        self.gate.validate_with(dataset).map_err(|error| error.within("gate"))?;
        self.check_contracts(|contract| contract.validate_with(dataset))?;
        self.check_holdout_origins(dataset)
    }

    /// The learner with this name.
    pub fn learner(&self, name: &LearnerName) -> Option<&LearnerSpec> {
        self.learners.iter().find(|learner| learner.name == *name)
    }

    /// SHA-256 in hex; equal for equal specifications, however they are written.
    pub fn hash(&self) -> String {
        canonical_hash(self)
    }

    fn check_holdout_origins(&self, dataset: &DatasetSpec) -> Result<(), SpecError> {
        let least = GatePolicy::origins_for_overlap(dataset.grid().strides_of(self.horizon_steps));
        match self.gate.holdout_origins {
            Some(origins) if origins < least => {
                let problem = format!("must be at least {least}, four times the strides of a horizon");
                Err(SpecError::new("gate.holdout_origins", &origins, problem))
            }
            _ => Ok(()),
        }
    }

    fn check_contracts(&self, check: impl Fn(&Contract) -> Result<(), SpecError>) -> Result<(), SpecError> {
        let contracts = self.contracts.len();
        if contracts > MOST_CONTRACTS {
            let problem = format!("at most {MOST_CONTRACTS} are possible");
            return Err(SpecError::new("contracts", &format!("{contracts} contracts"), problem));
        }
        let mut numbered = self.contracts.iter().enumerate();
        numbered.try_for_each(|(index, contract)| {
            check(contract).map_err(|error| error.within(&format!("contracts[{index}]")))
        })
    }

    fn check_learners(&self) -> Result<(), SpecError> {
        if !(1..=MOST_LEARNERS).contains(&self.learners.len()) {
            let problem = format!("must be from 1 to {MOST_LEARNERS} learners");
            return Err(SpecError::new("learners", &format!("{} learners", self.learners.len()), problem));
        }
        for (index, learner) in self.learners.iter().enumerate() {
            let table = format!("learners[{index}]");
            if self.learners[..index].iter().any(|earlier| earlier.name == learner.name) {
                let problem = "is the name of an earlier learner; give each its own name";
                return Err(SpecError::new("name", &learner.name, problem).within(&table));
            }
            learner.validate().map_err(|error| error.within(&table))?;
        }
        Ok(())
    }
}

impl Schedule {
    /// The cron line is read by the scheduler.
    fn validate(&self) -> Result<(), SpecError> {
        check_time_zone("time_zone", &self.time_zone)?;
        let allowed = SignedDuration::from_mins(1)..=SignedDuration::from_hours(24 * 366);
        match self.catch_up_within {
            Some(within) if !allowed.contains(&within) => {
                Err(SpecError::new("catch_up_within", &within, "must be from 1 minute to 366 days"))
            }
            _ => Ok(()),
        }
    }
}

impl TrainSettings {
    fn validate(&self) -> Result<(), SpecError> {
        if let Some(days) = self.memory_days {
            check_range("memory_days", days, 1..=36_600)?;
        }
        Ok(())
    }
}

impl Default for FallbackSpec {
    fn default() -> Self {
        Self { weeks: 4 }
    }
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self { memory_days: None, seed: 7 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIKES: &str = r#"
        name = "bike-demand"
        dataset = "washington-bikes"
        horizon = 24

        [[learners]]
        learner = "boosted-trees"
    "#;

    fn read(toml: &str) -> ModelSpec {
        toml::from_str(toml).expect("is a model")
    }

    fn problem(spec: &ModelSpec) -> String {
        spec.validate().expect_err("is refused").to_string()
    }

    #[test]
    fn defaults_fill_what_is_not_said() {
        let model = read(BIKES);
        assert_eq!(model.validate(), Ok(()));
        assert_eq!((model.fallback.weeks, model.gate.min_origins, model.train.seed), (4, 28, 7));
        assert_eq!(model.schedule, None);
    }

    #[test]
    fn unknown_keys_are_named_in_every_table() {
        let lines =
            ["[fallback]\ndays = 3", "[gate]\nalhpa = 0.1", "[train]\nthreads = 2", "[slices]\na = 1"];
        for line in lines {
            let error = toml::from_str::<ModelSpec>(&format!("{BIKES}\n{line}")).expect_err(line).to_string();
            assert!(error.contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn how_late_a_missed_tick_is_made_up_for_is_declared() {
        let schedule = "[schedule]\ncron = '0 4 * * *'\ntime_zone = 'UTC'";
        let plain = read(&format!("{BIKES}\n{schedule}"));
        let late = |within: &str| read(&format!("{BIKES}\n{schedule}\ncatch_up_within = '{within}'"));
        assert_eq!(plain.schedule.as_ref().and_then(|schedule| schedule.catch_up_within), None);
        assert_eq!(late("PT6H").validate(), Ok(()));
        assert_ne!(late("PT6H").hash(), plain.hash());
        for bad in ["PT59S", "-PT6H", "PT8785H"] {
            let text = problem(&late(bad));
            assert!(text.starts_with("schedule.catch_up_within = "), "{text}");
            assert!(text.ends_with(": must be from 1 minute to 366 days"), "{text}");
        }
    }

    #[test]
    fn a_horizon_of_nothing_or_of_ages_is_refused() {
        let mut model = read(BIKES);
        model.horizon_steps = 0;
        assert_eq!(problem(&model), "horizon = 0: must be from 1 to 10000");
        model.horizon_steps = 10_001;
        assert_eq!(problem(&model), "horizon = 10001: must be from 1 to 10000");
        for bad in ["-1", "18446744073709551615", "1.5", "'24'"] {
            assert!(toml::from_str::<ModelSpec>(&BIKES.replace("24", bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn five_years_are_counted_in_steps_of_the_dataset() {
        let dataset: DatasetSpec =
            toml::from_str("name = 'washington-bikes'\nfrequency = 'P1D'\ntime_zone = 'UTC'")
                .expect("is one");
        let mut model = read(BIKES);
        model.horizon_steps = 1827;
        assert_eq!(model.validate_with(&dataset), Ok(()));
        model.horizon_steps = 1828;
        let text = "horizon = 1828: must be at most 1827 steps of P1D, which is 5 years";
        assert_eq!(model.validate_with(&dataset).expect_err("is too long").to_string(), text);
        model.dataset = DatasetName::new("other").expect("is a name");
        assert_eq!(model.validate_with(&dataset).expect_err("is another").field, "dataset");
    }

    #[test]
    fn a_long_horizon_needs_a_long_holdout() {
        let dataset: DatasetSpec =
            toml::from_str("name = 'washington-bikes'\nfrequency = 'PT1H'\ntime_zone = 'UTC'")
                .expect("is one");
        let mut model = read(BIKES);
        model.gate.holdout_origins = Some(40);
        model.horizon_steps = 10 * 24;
        assert_eq!(model.validate_with(&dataset), Ok(()));
        model.horizon_steps += 1;
        let text = "gate.holdout_origins = 40: must be at least 44, four times the strides of a horizon";
        assert_eq!(model.validate_with(&dataset).expect_err("is too short").to_string(), text);
    }

    #[test]
    fn learners_are_there_and_told_apart() {
        let mut model = read(BIKES);
        model.learners.push(model.learners[0].clone());
        let text =
            "learners[1].name = boosted-trees: is the name of an earlier learner; give each its own name";
        assert_eq!(problem(&model), text);
        model.learners.clear();
        assert_eq!(problem(&model), "learners = 0 learners: must be from 1 to 64 learners");
        let text = "learners[0].trees = 0: must be from 1 to 5000";
        assert_eq!(problem(&read(&format!("{BIKES}\ntrees = 0"))), text);
    }

    #[test]
    fn fields_of_tables_are_named_with_their_table() {
        let cases = [
            ("[fallback]\nweeks = 53", "fallback.weeks = 53: must be from 1 to 52"),
            ("[gate]\nmin_origins = 2", "gate.min_origins = 2: must be from 28 to 3660"),
            ("[train]\nmemory_days = 0", "train.memory_days = 0: must be from 1 to 36600"),
            (
                "[schedule]\ncron = '0 3 * * *'\ntime_zone = 'Mars'",
                "schedule.time_zone = Mars: must be an IANA name such as Europe/Berlin or UTC",
            ),
        ];
        for (lines, text) in cases {
            assert_eq!(problem(&read(&format!("{BIKES}\n{lines}"))), text);
        }
    }

    #[test]
    fn a_model_survives_serialisation_and_keeps_its_hash() {
        let model = read(&format!("{BIKES}\n[gate]\nholdout_origins = 56\n[train]\nmemory_days = 365"));
        let json = serde_json::to_string(&model).expect("is JSON");
        let again: ModelSpec = serde_json::from_str(&json).expect("was just written");
        assert_eq!((again.hash(), &again), (model.hash(), &model));
        let spelled_out = format!("{BIKES}\nname = 'boosted-trees'\naim = 'mean'");
        assert_eq!(read(&spelled_out).hash(), read(BIKES).hash());
        assert_ne!(read(&BIKES.replace("24", "48")).hash(), read(BIKES).hash());
    }
}
