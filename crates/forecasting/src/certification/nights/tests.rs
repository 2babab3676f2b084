use std::num::NonZeroUsize;

use jiff::SignedDuration;

use super::{super::RULES, entry::Entry, *};
use crate::{
    examples::{dataset, grid, history, model, start},
    learning::StopFlag,
    series::{Frame, Series},
};

const DAYS: i64 = 150;

fn played(frame: &Frame, settings: &NightsSettings<'_>, threads: usize) -> Result<Replay, NightsError> {
    let threads = NonZeroUsize::new(threads).expect("is positive");
    let work = Work { threads, stop: &StopFlag::default(), tell: &|_, _, _| () };
    replay(frame, settings, &work)
}

fn elastic_net() -> ModelSpec {
    let mut model = model();
    model.learners = vec![crate::spec::LearnerSpec::with_defaults("elastic-net")];
    model
}

fn date(day: i64) -> Date {
    grid().local(grid().start_of_day(start(), day)).date()
}

fn of<'r>(replay: &'r Replay, rule: &str) -> &'r RuleReplay {
    replay.rules.iter().find(|one| one.rule == rule).expect("was played")
}

#[test]
fn every_rule_plays_the_same_nights() {
    let (dataset, model, frame) = (dataset(), elastic_net(), history(DAYS));
    let settings = NightsSettings {
        dataset: &dataset,
        model: &model,
        nights: 12,
        rules: &RULES,
        shift: None,
        harmful_every: 4,
    };
    let replay = played(&frame, &settings, 2).expect("is long enough");
    assert_eq!((replay.first, replay.last), (date(DAYS - 40), date(DAYS - 29)));
    assert_eq!((replay.nights, replay.harmful_candidates, replay.rules.len()), (12, 3, RULES.len()));
    let newest = of(&replay, "newest-wins");
    assert_eq!((newest.promotions, newest.harmful_promotions, newest.harmful_nights), (12, 3, 3));
    let gatecast = of(&replay, "gatecast");
    assert_eq!(gatecast.harmful_promotions, 0, "{gatecast:?}");
    // The noise is the same for ever: there is nothing to gain from a newer model.
    assert!(gatecast.live_wape < newest.live_wape && gatecast.live_cvar99 < newest.live_cvar99);
    assert!(replay.rules.iter().all(|rule| rule.turned_out_worse <= rule.promotions));
    assert_eq!(played(&frame, &settings, 1).expect("is long enough"), replay, "with one thread");
}

#[test]
fn blocks_of_nights_are_those_of_the_gate() {
    let dataset: DatasetSpec =
        toml::from_str("name = 'd'\nfrequency = 'P2D'\ntime_zone = 'Europe/Berlin'").expect("is a dataset");
    let series = Series { id: crate::examples::id("shop"), start: start(), values: vec![1.0; 300] };
    let frame = Frame::new(dataset.grid(), vec![series]).expect("is one series");
    let model = ModelSpec { horizon_steps: 3, ..elastic_net() };
    let settings = NightsSettings {
        dataset: &dataset,
        model: &model,
        nights: 12,
        rules: &RULES,
        shift: None,
        harmful_every: 0,
    };
    let timeline = Timeline::lay(&frame, &settings).expect("is long enough");
    assert_eq!((timeline.overlap, timeline.block_origins), (3, 4), "four origins in seven days");
}

#[test]
fn after_a_declared_shift_the_days_since_then_teach_and_judge() {
    let (dataset, model, frame) = (dataset(), elastic_net(), history(200));
    // The last night is 29 days before the end.
    let shift = Some(LevelShift { date: date(200 - 28 - 30), factor: 0.3 });
    let settings = NightsSettings {
        dataset: &dataset,
        model: &model,
        nights: 40,
        rules: &RULES[..2],
        shift,
        harmful_every: 0,
    };
    let timeline = Timeline::lay(&frame, &settings).expect("is long enough");
    let at = timeline.first_night + 10;
    assert_eq!(timeline.shift, Some(at));
    let entry = |night, rule| Entry::of(&timeline, &settings, &RULES[rule], night);
    let usual = |night: usize| (night - timeline.holdout, night - timeline.holdout..night, false);
    for (night, expected) in [
        (at + 2, usual(at + 2)),
        (at + 3, (at + 1, at + 1..at + 3, true)),
        (at + 10, (at + 5, at + 5..at + 10, true)),
        (at + 29, (at + 14, at + 14..at + 29, true)),
    ] {
        let Entry { key, judged, since_shift } = entry(night, 0);
        assert_eq!((key.cut_off, judged, since_shift), expected, "night {night}");
    }
    assert!(!entry(at + 10, 1).since_shift, "only Gatecast's gate is told");
    let replay = played(&frame, &settings, 2).expect("is long enough");
    assert_eq!(replay.shift, shift);
    let ours = of(&replay, "gatecast");
    assert!(ours.promotions >= 1, "{ours:?}");
}

#[test]
fn what_cannot_be_played_says_why() {
    let (dataset, model) = (dataset(), elastic_net());
    let settings = NightsSettings {
        dataset: &dataset,
        model: &model,
        nights: 60,
        rules: &RULES[..1],
        shift: None,
        harmful_every: 0,
    };
    let problem = |frame: &Frame, settings: &NightsSettings<'_>| {
        played(frame, settings, 1).expect_err("cannot be played").to_string()
    };
    let short = problem(&history(100), &settings);
    assert!(short.starts_with("117 origins are needed: 60 nights, 28 before"), "{short}");
    let mut late = dataset.clone();
    late.availability_delay = SignedDuration::from_hours(48);
    let late = problem(&history(DAYS), &NightsSettings { dataset: &late, nights: 12, ..settings.clone() });
    assert_eq!(late, "availability_delay PT48H: nights are played only where values are known at once");
    let none = problem(&history(0), &settings);
    assert_eq!(none, "there is no value");
    let far = NightsSettings {
        shift: Some(LevelShift { date: date(3), factor: 0.3 }),
        nights: 12,
        ..settings.clone()
    };
    assert!(problem(&history(DAYS), &far).starts_with("shift 2025-01-09: is not one of the nights from"));
    let negative = LevelShift { date: date(DAYS - 35), factor: -1.0 };
    let negative = NightsSettings { shift: Some(negative), nights: 12, ..settings };
    assert_eq!(problem(&history(DAYS), &negative), "shift factor -1: must be a positive number");
}
