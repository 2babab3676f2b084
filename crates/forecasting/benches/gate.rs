//! How long the gate compares: 28 days of 21 hourly series, ten declared slices, 2000 resamples; and how that grows with
//! rows and resamples.
//!
//!     cargo bench -p forecasting --bench gate

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use forecasting::{
    evaluation::PairedLosses,
    gate::{Findings, Look, Side, Slice, SliceName, Terms, compare},
    names::SeriesId,
    spec::GatePolicy,
};

const ORIGINS: u32 = 28;
const HOURS: u32 = 24;
const SERIES: u32 = 21;

fn verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a verdict");
    group.sample_size(20);
    for (times, resamples) in [(1, 2_000), (2, 2_000), (4, 2_000), (1, 4_000)] {
        let losses = losses(SERIES * times);
        let slices = slices(SERIES * times);
        let policy = GatePolicy { bootstrap: resamples, ..GatePolicy::default() };
        // All legs run only if none objects before.
        assert!(judge(&losses, &slices, &policy).objections.is_empty());
        let id = BenchmarkId::new(format!("rows × {times}"), format!("{resamples} resamples"));
        group.bench_function(id, |bench| {
            bench.iter(|| judge(black_box(&losses), black_box(&slices), &policy));
        });
    }
    group.finish();
}

fn judge(losses: &PairedLosses, slices: &[Slice], policy: &GatePolicy) -> Findings {
    let terms = Terms {
        policy,
        overlap: 1,
        block_origins: 7,
        declared: &slices[..10],
        searched: slices,
        seed: 1,
        opponent: Side::Incumbent,
        look: Look::FIRST,
    };
    compare(losses, &terms)
}

/// By series, origin and hour, as the gate has them. The candidate is 8 % better, with some noise of its own.
fn losses(series: u32) -> PairedLosses {
    // Above 0 and below 1.
    let rough = |number: u32, salt: u32| {
        let mixed = number.wrapping_mul(7_919).wrapping_add(salt).wrapping_mul(2_654_435_761);
        (f64::from(mixed >> 8) + 0.5) / f64::from(1 << 24)
    };
    let points = 0..series * ORIGINS * HOURS;
    let incumbent: Vec<f64> = points.clone().map(|point| 0.1 - rough(point, 1).ln()).collect();
    let candidate =
        points.clone().zip(&incumbent).map(|(point, loss)| loss * (0.9 + 0.04 * rough(point, 77)));
    let candidate = candidate.collect();
    let origin_of = points.map(|point| point / HOURS % ORIGINS).collect();
    PairedLosses::new(candidate, incumbent, origin_of).expect("losses are finite")
}

/// Each series, and each three hours of the day.
fn slices(series: u32) -> Vec<Slice> {
    let points = 0..series * ORIGINS * HOURS;
    let per_series = ORIGINS * HOURS;
    let each = (0..series).map(|number| Slice {
        name: SliceName::Series(SeriesId::new(format!("sensor-{number:03}")).expect("is an id")),
        points: (number * per_series..(number + 1) * per_series).collect(),
    });
    let hours = (0_u8..24).step_by(3).map(|first| Slice {
        name: SliceName::Hours(first, first + 2),
        points: points.clone().filter(|point| point % HOURS / 3 == u32::from(first) / 3).collect(),
    });
    each.chain(hours).collect()
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
