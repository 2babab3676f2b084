//! Whether a version can serve at all, however well or badly it forecasts.

use jiff::Timestamp;

use super::{AtHand, FallbackReason, Question, Route, Serving, answer_while};
use crate::{
    learning::{StopFlag, Stopped},
    names::{ModelName, SeriesId},
};

/// What keeps a version from serving, whoever wants it to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Its artifact is another model's.
    #[error("its artifact is one of model {found}")]
    OtherModel {
        /// Whose it is.
        found: ModelName,
    },
    /// The model has got another dataset, or the dataset another grid, since it was trained.
    #[error("it was trained on another dataset, frequency or time zone")]
    TrainedElsewhere,
    /// It gives a number that is none.
    #[error("step {step} of its forecast of series {series} from {origin} is not a finite number")]
    NotFinite {
        /// The first such series.
        series: SeriesId,
        /// From when.
        origin: Timestamp,
        /// The first such step; 1 is the one at the origin.
        step: usize,
    },
}

/// Looks at the incumbent of `serving` as it would serve from now on: it forecasts every series of the recent
/// history from its newest origin, as far ahead as it was trained to. A covariate that is not known so far ahead is
/// no flaw of the version.
///
/// # Errors
/// [`Stopped`] if the stop flag was set meanwhile.
pub fn flaw(serving: &Serving, recent: AtHand<'_>, stop: &StopFlag) -> Result<Option<Flaw>, Stopped> {
    let Some(live) = &serving.incumbent else { return Ok(None) };
    let bundle = &live.bundle;
    if bundle.model != serving.model.name {
        return Ok(Some(Flaw::OtherModel { found: bundle.model.clone() }));
    }
    if bundle.dataset != serving.dataset.name || bundle.grid != recent.history.grid {
        return Ok(Some(Flaw::TrainedElsewhere));
    }
    let horizon_steps = bundle.horizon_steps.min(serving.model.horizon_steps);
    let everything = Question { series: Vec::new(), horizon_steps, origin: None, levels: Vec::new() };
    let answer = answer_while(serving, &everything, recent, || !stop.is_stopped()).ok_or(Stopped)?;
    // A forecaster would hide such a number behind the fallback, for ever.
    Ok(answer.forecasts.iter().find_map(|forecast| match forecast.route {
        Route::Fallback(FallbackReason::NotFinite { step }) => {
            Some(Flaw::NotFinite { series: forecast.id.clone(), origin: forecast.origin, step })
        }
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        artifact::{ArtifactName, Bundle},
        examples::{dataset, history, id, level_times, model, version},
        routing::Live,
        series::{Frame, Frequency, Grid},
    };

    fn looked(bundle: Bundle, recent: &Frame, stop: &StopFlag) -> Result<Option<Flaw>, Stopped> {
        let live = Live {
            version: 3,
            generation: 0,
            since: Timestamp::UNIX_EPOCH,
            artifact: ArtifactName::of(b"an artifact"),
            bundle: Arc::new(bundle),
        };
        let serving = Serving { model: model(), dataset: dataset(), incumbent: Some(live) };
        flaw(&serving, AtHand { history: recent, covariates: None }, stop)
    }

    fn found(bundle: Bundle) -> Option<Flaw> {
        looked(bundle, &history(60), &StopFlag::default()).expect("nobody stops it")
    }

    #[test]
    fn a_version_that_forecasts_badly_is_sound() {
        assert_eq!(found(version(level_times(25.0), 30)), None);
    }

    #[test]
    fn a_version_that_leaves_short_series_to_its_fallback_is_sound() {
        let mut recent = history(60);
        recent.series[1].values = vec![42.0];
        let looked = looked(version(level_times(1.0), 30), &recent, &StopFlag::default());
        assert_eq!(looked, Ok(None));
    }

    #[test]
    fn a_version_that_gives_numbers_that_are_none_is_not() {
        let flaw = found(version(level_times(f64::MAX), 30)).expect("is found");
        assert!(
            matches!(&flaw, Flaw::NotFinite { series, step: 1, .. } if *series == id("arcade")),
            "{flaw}"
        );
    }

    #[test]
    fn a_version_of_something_else_is_not() {
        let sound = version(level_times(1.0), 30);
        let other = "somebody-else".parse::<ModelName>().expect("a name");
        let foreign = Bundle { model: other.clone(), ..sound.clone() };
        assert_eq!(found(foreign), Some(Flaw::OtherModel { found: other }));
        let grid = Grid::new(Frequency::Minutes(30), "Europe/Berlin").expect("Berlin is known");
        assert_eq!(found(Bundle { grid, ..sound }), Some(Flaw::TrainedElsewhere));
    }

    #[test]
    fn a_look_that_nobody_waits_for_ends() {
        let stop = StopFlag::default();
        stop.stop();
        assert_eq!(looked(version(level_times(1.0), 30), &history(60), &stop), Err(Stopped));
    }
}
