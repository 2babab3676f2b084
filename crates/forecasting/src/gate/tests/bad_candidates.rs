//! Bad candidates by the thousand, of which none is promoted.
//!
//! Each is bad on the rows that it is judged on, by one flaw among much that is good: nothing is said here about what the
//! rows do not show. `scripts/bad-candidates` makes 10,000 of them, the tests a sample. Every tenth is a whole artifact
//! that goes through [`judge`], the others are forecasts that go through [`compare`].

use std::collections::BTreeMap;

use super::*;
use crate::{evaluation::PairedLosses, names::SeriesId, random::Random};

const HOURS: usize = 24;

#[test]
fn a_sample_of_bad_candidates_is_never_promoted() {
    let count = std::env::var("BAD_CANDIDATES").map_or(200, |count| count.parse().expect("is a count"));
    let mut told: BTreeMap<&str, u32> = BTreeMap::new();
    for number in 0..count {
        let flaw = if number % 10 == 9 { refused_whole(number) } else { refused(number) };
        *told.entry(flaw).or_default() += 1;
    }
    println!("{count} bad candidates, 0 promoted: {told:?}");
}

#[test]
fn without_their_flaw_they_would_be_promoted() {
    for number in 0..20 {
        let window = Window::draw(&mut Random::new(number));
        let candidate: Vec<f64> = window.incumbent.iter().map(|error| 0.8 * error).collect();
        assert_eq!(window.objections(&candidate), [], "candidate {number}");
        assert!(!window.shows_a_flaw(&candidate));
    }
}

/// Judges a candidate by its forecasts, and says which flaw it has.
fn refused(number: u64) -> &'static str {
    let mut random = Random::new(number);
    let window = Window::draw(&mut random);
    let flaw = &FLAWS[random.below(u32::try_from(FLAWS.len()).expect("are a few")) as usize];
    let candidate = (flaw.spoil)(&window, &mut random);
    assert!(window.shows_a_flaw(&candidate), "candidate {number}, {}, is not bad", flaw.name);
    let objections = window.objections(&candidate);
    assert!(objections.iter().any(flaw.is_told), "candidate {number}, {}: {objections:?}", flaw.name);
    flaw.name
}

/// A way to be bad, and what the gate must say to it.
struct Flaw {
    name: &'static str,
    /// The errors of a candidate that has it.
    spoil: fn(&Window, &mut Random) -> Vec<f64>,
    is_told: fn(&Objection) -> bool,
}

const FLAWS: [Flaw; 12] = [
    Flaw { name: "worse by 3 % and more", spoil: worse, is_told: is_worse_on_average },
    Flaw { name: "the incumbent itself", spoil: equal, is_told: is_worse_on_average },
    Flaw {
        name: "worse in the tail by 20 % and more",
        spoil: worse_in_the_tail,
        is_told: |objection| matches!(objection, Objection::WorstCaseNotBetter { .. }),
    },
    Flaw { name: "a few horrible points", spoil: horrible_points, is_told: has_too_large_an_error },
    Flaw { name: "a horrible forecast", spoil: horrible_forecast, is_told: has_too_large_an_error },
    Flaw { name: "stuck", spoil: stuck, is_told: is_worse_on_average },
    Flaw { name: "hours late", spoil: late, is_told: is_worse_on_average },
    Flaw { name: "too high or too low", spoil: biased, is_told: is_worse_on_average },
    Flaw { name: "erratic", spoil: erratic, is_told: is_worse_on_average },
    Flaw { name: "in another unit", spoil: in_another_unit, is_told: is_worse_on_average },
    Flaw {
        name: "bad on one series",
        spoil: bad_on_one_series,
        is_told: |objection| matches!(objection, Objection::WorseOnSlice { .. }),
    },
    Flaw {
        name: "a missing number",
        spoil: without_a_number,
        is_told: |objection| matches!(objection, Objection::NotComparable { .. }),
    },
];

fn is_worse_on_average(objection: &Objection) -> bool {
    matches!(objection, Objection::AverageNotBetter { .. })
}

fn has_too_large_an_error(objection: &Objection) -> bool {
    matches!(objection, Objection::LargestTooLarge { .. })
}

/// Days of hourly series: some days are harder than others, the errors of a forecast hang together, and two fits make
/// much the same ones. Points come by series, day and hour. The last series is an easy one.
struct Window {
    series: usize,
    days: usize,
    actual: Vec<f64>,
    /// Forecast − actual.
    incumbent: Vec<f64>,
    /// Of another fit, as good.
    other: Vec<f64>,
}

/// What is hardly ever wrong is wrong by this part of the others' errors.
const EASY: f64 = 0.1;

/// And this is what a forecast of nothing is off by.
const TINY: f64 = 1e-5;

impl Window {
    fn draw(random: &mut Random) -> Self {
        let (series, days) = (3 + random.below(2) as usize, 28 + random.below(29) as usize);
        let in_common = 0.6 + 0.39 * random.share();
        let alone = (1.0 - in_common * in_common).sqrt();
        let hardness: Vec<f64> = (0..days).map(|_| (0.4 * random.normal()).exp()).collect();
        let mut window = Self { series, days, actual: Vec::new(), incumbent: Vec::new(), other: Vec::new() };
        for number in 0..series {
            let size = if number + 1 == series { EASY } else { 1.0 };
            for hardness in &hardness {
                let (mut incumbent, mut other) = (0.0, 0.0);
                for hour in 0..HOURS {
                    let shared = in_common * random.normal();
                    incumbent = 0.7 * incumbent + shared + alone * random.normal();
                    other = 0.7 * other + shared + alone * random.normal();
                    let turn = std::f64::consts::TAU * hour as f64 / HOURS as f64;
                    window.actual.push(20.0 + 5.0 * turn.sin());
                    window.incumbent.push(size * hardness * incumbent);
                    window.other.push(size * hardness * other);
                }
            }
        }
        window
    }

    /// What the gate has against a candidate with these errors, and with a tiny one on a further series, which is closed:
    /// there the incumbent has none.
    fn objections(&self, candidate: &[f64]) -> Vec<Objection> {
        let losses = |errors: &[f64], when_closed: f64| -> Vec<f64> {
            let closed = std::iter::repeat_n(when_closed, self.days * HOURS);
            errors.iter().map(|error| error.abs()).chain(closed).collect()
        };
        let (candidate, incumbent) = (losses(candidate, TINY), losses(&self.incumbent, 0.0));
        let day = |point: usize| u32::try_from(point / HOURS % self.days).expect("are a few");
        let origin_of = (0..candidate.len()).map(day).collect();
        let paired = PairedLosses::new(candidate, incumbent, origin_of);
        let paired = match paired {
            Ok(paired) => paired,
            Err(unpaired) => return vec![veto::not_comparable(&unpaired)],
        };
        let (policy, slices) = (crate::spec::GatePolicy::default(), self.slices());
        // Half of the windows declare their series, in the others they are searched.
        let none: &[Slice] = &[];
        let (declared, searched) =
            if self.days.is_multiple_of(2) { (&slices[..], none) } else { (none, &slices[..]) };
        let terms = Terms {
            policy: &policy,
            overlap: 1,
            block_origins: 7,
            declared,
            searched,
            seed: 1,
            look: Look::FIRST,
            opponent: Side::Incumbent,
        };
        compare(&paired, &terms).objections
    }

    fn slices(&self) -> Vec<Slice> {
        let slice = |number: usize| {
            let id = SeriesId::new(format!("series-{number}")).expect("is an id");
            let points = self.points(number).map(|point| u32::try_from(point).expect("are a few thousand"));
            Slice { name: SliceName::Series(id), points: points.collect() }
        };
        (0..=self.series).map(slice).collect()
    }

    fn points(&self, series: usize) -> std::ops::Range<usize> {
        let points = self.days * HOURS;
        series * points..(series + 1) * points
    }

    /// Whether the rows show that a candidate is bad, or no better; by other code than the gate's.
    fn shows_a_flaw(&self, candidate: &[f64]) -> bool {
        let incumbent = &self.incumbent[..];
        let on_easy = self.points(self.series - 1);
        candidate.iter().any(|error| !error.is_finite())
            || candidate == incumbent
            || mean(candidate) >= 1.03 * mean(incumbent)
            || tail(candidate) >= 1.2 * tail(incumbent)
            || largest(candidate) > 2.0 * largest(incumbent)
            || mean(&candidate[on_easy.clone()]) >= 2.0 * mean(&incumbent[on_easy])
    }

    /// A candidate that is better on average, in most cases in its tail too.
    fn better(&self, random: &mut Random) -> Vec<f64> {
        scaled_to((0.6 + 0.3 * random.share()) * mean(&self.incumbent), self.other.clone())
    }

    /// What a better candidate becomes if each of its forecasts is changed: given its values and the actuals, it has
    /// other values.
    fn changed(&self, random: &mut Random, change: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let errors = self.better(random);
        let days = errors.chunks(HOURS).zip(self.actual.chunks(HOURS));
        let changed = days.flat_map(|(errors, actual)| {
            let forecast: Vec<f64> =
                errors.iter().zip(actual).map(|(error, actual)| error + actual).collect();
            let forecast = change(&forecast);
            forecast.iter().zip(actual).map(|(forecast, actual)| forecast - actual).collect::<Vec<_>>()
        });
        changed.collect()
    }
}

fn mean(errors: &[f64]) -> f64 {
    errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len() as f64
}

fn largest(errors: &[f64]) -> f64 {
    errors.iter().map(|error| error.abs()).fold(0.0, f64::max)
}

/// The points of the worst hundredth, at least 30.
fn worst(errors: &[f64]) -> Vec<usize> {
    let mut points: Vec<usize> = (0..errors.len()).collect();
    points.sort_by(|one, other| errors[*other].abs().total_cmp(&errors[*one].abs()));
    points.truncate(errors.len().div_ceil(100).max(30));
    points
}

fn tail(errors: &[f64]) -> f64 {
    mean(&worst(errors).into_iter().map(|point| errors[point]).collect::<Vec<_>>())
}

fn scaled_to(wanted: f64, errors: Vec<f64>) -> Vec<f64> {
    let by = wanted / mean(&errors);
    errors.into_iter().map(|error| by * error).collect()
}

fn worse(window: &Window, random: &mut Random) -> Vec<f64> {
    scaled_to((1.031 + random.share()) * mean(&window.incumbent), window.other.clone())
}

fn equal(window: &Window, _: &mut Random) -> Vec<f64> {
    window.incumbent.clone()
}

fn worse_in_the_tail(window: &Window, random: &mut Random) -> Vec<f64> {
    let mut errors = window.better(random);
    let wanted = (1.21 + random.share()) * tail(&window.incumbent);
    let by = (wanted / tail(&errors)).max(1.0);
    for point in worst(&errors) {
        errors[point] *= by;
    }
    errors
}

fn sign(random: &mut Random) -> f64 {
    if random.below(2) == 0 { 1.0 } else { -1.0 }
}

/// More than twice the incumbent's largest error.
fn horror(window: &Window, random: &mut Random) -> f64 {
    sign(random) * (2.01 + 8.0 * random.share()) * largest(&window.incumbent)
}

fn horrible_points(window: &Window, random: &mut Random) -> Vec<f64> {
    let mut errors = window.better(random);
    for _ in 0..=random.below(3) {
        let point = random.below(u32::try_from(errors.len()).expect("are a few thousand"));
        errors[point as usize] = horror(window, random);
    }
    errors
}

fn horrible_forecast(window: &Window, random: &mut Random) -> Vec<f64> {
    let mut errors = window.better(random);
    let forecasts = u32::try_from(window.series * window.days).expect("are a few hundred");
    let (first, horror) = (random.below(forecasts) as usize * HOURS, horror(window, random));
    errors[first..first + HOURS].fill(horror);
    errors
}

fn stuck(window: &Window, random: &mut Random) -> Vec<f64> {
    window.changed(random, |forecast| vec![forecast[0]; HOURS])
}

fn late(window: &Window, random: &mut Random) -> Vec<f64> {
    let late = 2 + random.below(5) as usize;
    window.changed(random, |forecast| [&forecast[..late], &forecast[..HOURS - late]].concat())
}

fn biased(window: &Window, random: &mut Random) -> Vec<f64> {
    let by = sign(random) * 3.0 * (1.0 + random.share());
    window.changed(random, |forecast| forecast.iter().map(|value| value + by).collect())
}

fn erratic(window: &Window, random: &mut Random) -> Vec<f64> {
    let errors = window.better(random);
    let by = 3.0 + random.share();
    errors.into_iter().map(|error| error + by * random.normal()).collect()
}

fn in_another_unit(window: &Window, random: &mut Random) -> Vec<f64> {
    let unit = [0.001, 0.01, 60.0, 1000.0][random.below(4) as usize];
    window.changed(random, |forecast| forecast.iter().map(|value| value * unit).collect())
}

/// Elsewhere better hour by hour, so that nothing else can be held against it.
fn bad_on_one_series(window: &Window, random: &mut Random) -> Vec<f64> {
    let easy = window.points(window.series - 1);
    let wanted = (2.5 + random.share()) * mean(&window.incumbent[easy.clone()]);
    let on_easy = scaled_to(wanted, window.other[easy.clone()].to_vec());
    let elsewhere = window.incumbent[..easy.start].iter().map(|error| 0.7 * error);
    elsewhere.chain(on_easy).collect()
}

fn without_a_number(window: &Window, random: &mut Random) -> Vec<f64> {
    let mut errors = window.better(random);
    let point = random.below(u32::try_from(errors.len()).expect("are a few thousand"));
    errors[point as usize] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][random.below(3) as usize];
    errors
}

/// Judges a candidate by its artifact, and says which flaw it has.
fn refused_whole(number: u64) -> &'static str {
    let mut random = Random::new(number);
    let frame = history(58 + i64::from(random.below(20)));
    let (flaw, candidate, measured) = flawed_artifact(&mut random);
    // Against an incumbent that is worse, where the flaw is a fact, else against one that is decent.
    let is_fact = !["flat", "last week's", "for a shorter horizon"].contains(&flaw);
    let incumbent = version(if is_fact { seasonal_naive() } else { long_mean() }, TRAINED);
    let honest = version(long_mean(), TRAINED);
    let mut model = model();
    model.gate.max_load_seconds = 1.0;
    let (model, job, given) = (&model, recorded(&honest), &Given { measured, ..Given::default() });
    let contest = Contest { model, job, given, ..contest(&candidate, Some(&incumbent), &frame) };
    let verdict = judgement_of(&contest).verdict;
    assert_eq!(verdict.name(), "keep-incumbent", "candidate {number}, {flaw}: {verdict:?}");
    flaw
}

fn flawed_artifact(random: &mut Random) -> (&'static str, Bundle, Option<Measured>) {
    let sound = version(long_mean(), TRAINED);
    let grid = sound.grid.clone();
    let other = |name: &str| format!("{name}-other");
    let (flaw, artifact) = match random.below(9) {
        0 => ("flat", version(level_times(2.0 * random.share()), TRAINED)),
        1 => ("last week's", version(seasonal_naive(), TRAINED)),
        2 => {
            let horizon_steps = 1 + random.below(23);
            ("for a shorter horizon", Bundle { horizon_steps, fallback: WeeklyMean::new(1, &grid), ..sound })
        }
        3 => ("no numbers", version(level_times(f64::MAX), TRAINED)),
        4 => {
            let model = other(sound.model.as_str()).parse().expect("is a name");
            ("of another model", Bundle { model, ..sound })
        }
        5 => {
            let dataset = other(sound.dataset.as_str()).parse().expect("is a name");
            ("of another dataset", Bundle { dataset, ..sound })
        }
        6 => {
            let cut_off = grid.advance(sound.cut_off, 1 + i64::from(random.below(500)));
            ("seen more than was recorded", Bundle { cut_off, ..sound })
        }
        7 => ("intervals too narrow", with_intervals(sound, 0.1 + 0.3 * random.share())),
        _ => {
            let load = jiff::SignedDuration::from_millis(1_001 + i64::from(random.below(60_000)));
            let answer = jiff::SignedDuration::from_millis(5);
            let measured = Measured { size_bytes: 70_000, load, answer, series: 3 };
            return ("too slow", sound, Some(measured));
        }
    };
    (flaw, artifact, None)
}
