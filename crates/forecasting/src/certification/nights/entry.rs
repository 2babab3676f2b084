//! Who is a rule's candidate of a night, and what it is judged on.

use std::ops::Range;

use super::{
    super::rules::{JudgesOn, Rule},
    NightsSettings,
    harm::Harm,
    timeline::Timeline,
};

/// Names a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// It saw what is before this origin.
    pub(super) cut_off: usize,
    pub(super) harm: Option<Harm>,
}

/// A candidate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// The origins that it is judged on; none where it is not judged.
    pub(super) judged: Range<usize>,
    /// Whether these are all that the new regime has.
    pub(super) since_shift: bool,
}

impl Key {
    /// Who is in use before the first night, whatever the rule.
    pub(super) fn first(timeline: &Timeline) -> Self {
        Self { cut_off: timeline.held_back(timeline.first_night), harm: None }
    }
}

impl Entry {
    pub(super) fn of(timeline: &Timeline, settings: &NightsSettings<'_>, rule: &Rule, night: usize) -> Self {
        let known = timeline.judged_until(night);
        let in_new_regime = if rule.after_drift { timeline.cut_off_in_new_regime(night) } else { None };
        let (cut_off, judged) = match (rule.judges_on, in_new_regime) {
            (_, Some(cut_off)) => (cut_off, cut_off..known),
            (JudgesOn::Holdout, None) => (known - timeline.holdout, known - timeline.holdout..known),
            (JudgesOn::Training, None) => (night, known - timeline.holdout..known),
            (JudgesOn::Nothing, None) => (night, known..known),
        };
        let harm = Harm::of_night(night - timeline.first_night, settings.harmful_every);
        Self { key: Key { cut_off, harm }, judged, since_shift: in_new_regime.is_some() }
    }
}
