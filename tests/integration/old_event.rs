//! An old `model-promoted` that comes again after a newer one changes nothing.

use forecasting::spec::ModelSpec;
use protocol::{
    ContentType, Destination, Message as _, RoutingKey, WireMessage, decode,
    messages::{ForecastReply, ModelPromoted},
};
use workers::roles::{
    Role,
    forecaster::{EVENTS, Heard, Keeper},
};

use crate::stack::{Stack, in_time, promoted, request};

/// Two promotions, one after the other: few trees beat the fallback, more trees beat the few.
async fn two_promotions(stack: &Stack, model: &ModelSpec) -> (ModelPromoted, ModelPromoted) {
    let first = promoted(stack.train(model, "few-trees").await);
    (first, promoted(stack.train(model, "small-trees").await))
}

#[tokio::test]
async fn the_forecaster_stays_with_the_newer_version() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper, Role::Forecaster]).await;
    let (old, new) = two_promotions(&stack, &model).await;
    assert_eq!((old.generation, new.generation), (1, 2));

    let generation = async || match stack.forecast(&request(&model)).await {
        ForecastReply::Answered { forecasts, .. } => forecasts[0].generation,
        refused @ ForecastReply::Refused { .. } => panic!("{refused:?}"),
    };
    in_time(async { while generation().await != 2 {} }).await;
    // Whether the forecaster has heard of the old one or not yet: no answer is the old version's.
    for _ in 0..20 {
        publish(&stack, &old).await;
        assert_eq!(generation().await, 2);
    }
    stack.finish().await;
}

#[tokio::test]
async fn old_events_from_the_broker_switch_nothing_back() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    let (old, new) = two_promotions(&stack, &model).await;
    let environment = &stack.environment;
    let mut keeper = Keeper::new(environment, None);
    keeper.look().await;
    let forecaster = keeper.up_to_date();
    let mut events = environment.broker.listen(&EVENTS).await.expect("listens");
    for event in [&old, &new, &old] {
        publish(&stack, event).await;
    }
    // A look into the registry would mend a wrong switch, so none is made between the events.
    for _ in 0..3 {
        let event: ModelPromoted = decode(&in_time(events.next()).await.expect("an event")).expect("decodes");
        let heard = forecaster.serving.hear(&event, &environment.models).await;
        let serving = forecaster.serving.current(&new.model.parse().expect("a name")).expect("known");
        assert_eq!((heard, serving.generation()), (Heard::Old, 2), "after {event:?}");
    }
    stack.finish().await;
}

#[tokio::test]
async fn hearing_an_old_promotion_is_told_from_hearing_a_new_one() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    let (old, new) = two_promotions(&stack, &model).await;
    let environment = &stack.environment;
    let mut keeper = Keeper::new(environment, None);
    let forecaster = keeper.up_to_date();
    assert_eq!(
        forecaster.serving.hear(&old, &environment.models).await,
        Heard::NotServable,
        "knows no model yet"
    );
    keeper.look().await;
    let generation = || {
        let model = new.model.parse().expect("a name");
        forecaster.serving.current(&model).expect("known").incumbent.as_ref().map(|live| live.generation)
    };
    assert_eq!(generation(), Some(2), "the registry is the truth");
    assert_eq!(forecaster.serving.hear(&old, &environment.models).await, Heard::Old);
    assert_eq!(forecaster.serving.hear(&new, &environment.models).await, Heard::Old);
    let newer = ModelPromoted { generation: 3, version: 1, artifact: old.artifact.clone(), ..new.clone() };
    assert_eq!(forecaster.serving.hear(&newer, &environment.models).await, Heard::Switched);
    assert_eq!(generation(), Some(3));
    assert_eq!(forecaster.serving.hear(&new, &environment.models).await, Heard::Old);
    assert_eq!(generation(), Some(3));
    stack.finish().await;
}

async fn publish(stack: &Stack, event: &ModelPromoted) {
    let message = WireMessage::new(event, ContentType::MessagePack, "again").expect("a small body");
    let to = Destination::Event(RoutingKey::new(ModelPromoted::KIND, &event.model));
    stack.environment.broker.publish(&to, message).await.expect("published");
}
