//! What is kept beside a verdict, for how long, and what goes with its period.

use std::collections::BTreeSet;

use artifacts::{ArtifactStoreError, Listed};
use bytes::Bytes;
use forecasting::artifact::ArtifactName;
use jiff::SignedDuration;
use registry::Decision;
use workers::{
    roles::{Role, gatekeeper::retention},
    scored_rows,
};

use crate::stack::{Stack, at, promoted, refused};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The decisions on the model, latest first.
async fn decisions(stack: &Stack) -> Vec<Decision> {
    let model = "bike-demand".parse().expect("a name");
    stack.environment.registry.decisions(&model, 10).await.expect("reads")
}

/// A stack that has judged one candidate.
async fn judged() -> Stack {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    promoted(stack.train(&model, "few-trees").await);
    stack
}

#[tokio::test]
async fn a_verdict_leaves_the_rows_that_it_was_found_on() {
    let stack = judged().await;
    let decision = decisions(&stack).await.remove(0);
    let kept = decision.scored_rows.expect("rows were scored");
    let bytes = stack.environment.artifacts.get(&kept.name).await.expect("is in the store");
    assert_eq!(kept.size_bytes, bytes.len() as u64);
    let mut losses = Vec::new();
    for row in scored_rows::decode(bytes).expect("is Parquet") {
        let row = row.expect("a row");
        assert!(row.origin <= row.target);
        let [candidate, incumbent] = row.losses().map(|loss| loss.expect("was scored"));
        losses.push((candidate, incumbent));
    }
    assert_eq!(losses.len() as u64, decision.judgement.evidence.rows);
    let mean = |side: fn(&(f64, f64)) -> f64| losses.iter().map(side).sum::<f64>() / losses.len() as f64;
    let errors =
        (decision.judgement.candidate.expect("scored"), decision.judgement.incumbent.expect("scored"));
    assert!((mean(|losses| losses.0) - errors.0.average).abs() < 1e-12);
    assert!((mean(|losses| losses.1) - errors.1.average).abs() < 1e-12);

    // The same candidate, judged on another machine.
    let again = judged().await;
    assert_eq!(decisions(&again).await[0].scored_rows, Some(kept), "the same bytes");
    stack.finish().await;
    again.finish().await;
}

#[tokio::test]
async fn what_nothing_needs_any_more_goes_with_its_period_and_what_serves_stays() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    promoted(stack.train(&model, "few-trees").await);
    promoted(stack.train(&model, "small-trees").await);
    refused(stack.train(&model, "seasonal-naive").await);
    let versions = stack.environment.registry.versions(&model.name).await.expect("reads");
    let [retired, in_use, out] = [0, 1, 2].map(|index: usize| versions[index].proposal.artifact);
    let rows: [ArtifactName; 3] = decisions(&stack)
        .await
        .iter()
        .map(|decision| decision.scored_rows.expect("scored").name)
        .collect::<Vec<_>>()
        .try_into()
        .expect("three");
    let began = stack.now();

    stack.clock.set(began + DAY * 90);
    retention::delete(&stack.environment).await;
    assert_eq!(stored(&stack, &[retired, in_use, out]).await, [true, true, true], "the period is not over");
    stack.clock.set(began + DAY * 91);
    retention::delete(&stack.environment).await;
    assert_eq!(stored(&stack, &[retired, in_use, out]).await, [false, true, false]);
    assert_eq!(stored(&stack, &rows).await, [true, true, true], "they have a period of their own");
    stack.clock.set(began + DAY * 181);
    retention::delete(&stack.environment).await;
    assert_eq!(stored(&stack, &rows).await, [false, false, false]);
    assert_eq!(stored(&stack, &[in_use]).await, [true]);
    assert_eq!(decisions(&stack).await.len(), 3, "verdicts are kept for ever");

    // The same bytes, stored again once those that were condemned must be gone: they stay. (Before that the
    // gatekeeper postpones its decision, and with a clock that stands still for ever.)
    stack.clock.advance(SignedDuration::try_from(registry::CONDEMNED_FOR).expect("is short"));
    refused(stack.train(&model, "seasonal-naive").await);
    retention::delete(&stack.environment).await;
    let versions = stack.environment.registry.versions(&model.name).await.expect("reads");
    assert_eq!(stored(&stack, &[versions[3].proposal.artifact]).await, [true]);
    stack.finish().await;
}

#[tokio::test]
async fn what_a_crash_left_goes_after_a_day_and_nothing_else() {
    let stack = judged().await;
    let before = all(&stack).await;
    let left = stack.environment.artifacts.put(Bytes::from_static(b"left behind")).await.expect("stores");
    let stored_at =
        all(&stack).await.into_iter().find(|found| found.name == left).expect("is there").stored_at;
    stack.clock.set(stored_at + DAY);
    retention::delete(&stack.environment).await;
    assert_eq!(stored(&stack, &[left]).await, [true], "its writer may still be about to name it");
    stack.clock.set(stored_at + DAY + SignedDuration::from_secs(1));
    retention::delete(&stack.environment).await;
    assert_eq!(stored(&stack, &[left]).await, [false]);
    let names = |all: Vec<Listed>| all.into_iter().map(|found| found.name).collect::<BTreeSet<_>>();
    assert!(names(all(&stack).await).is_subset(&names(before)));
    let incumbents = stack.environment.registry.incumbents().await.expect("reads");
    assert_eq!(stored(&stack, &[incumbents[0].artifact]).await, [true]);
    stack.finish().await;
}

#[tokio::test]
async fn a_store_of_strangers_is_left_alone() {
    let stack = Stack::still().await;
    stack.clock.set(at("2100-01-01T00:00:00Z"));
    let mut names = Vec::new();
    for number in 0_u32..101 {
        let bytes = Bytes::copy_from_slice(&number.to_le_bytes());
        names.push(stack.environment.artifacts.put(bytes).await.expect("stores"));
    }
    retention::delete(&stack.environment).await;
    assert_eq!(all(&stack).await.len(), 101, "the registry may be the wrong one");
    stack.environment.artifacts.delete(&names[0]).await.expect("deletes");
    retention::delete(&stack.environment).await;
    assert_eq!(all(&stack).await.len(), 0, "so few may be left behind");
    stack.finish().await;
}

async fn stored<const N: usize>(stack: &Stack, names: &[ArtifactName; N]) -> [bool; N] {
    let mut found = [false; N];
    for (name, found) in names.iter().zip(&mut found) {
        *found = match stack.environment.artifacts.get(name).await {
            Ok(_) => true,
            Err(ArtifactStoreError::Missing { .. }) => false,
            Err(fault) => panic!("{fault}"),
        };
    }
    found
}

async fn all(stack: &Stack) -> Vec<Listed> {
    let mut all = Vec::new();
    for first_byte in 0..=u8::MAX {
        all.extend(stack.environment.artifacts.list(first_byte).await.expect("lists"));
    }
    all
}
