//! What people decide past the gate: done once, heard by everybody, shown with who and why, and never past a version
//! that cannot serve.

use forecasting::{artifact::Bundle, gate::Verdict, names::ModelName, spec::ModelSpec};
use jiff::{SignedDuration, Timestamp};
use protocol::{
    Queue, WireMessage, decode,
    messages::{
        Act, ActRecorded, ActRefusal, ActRefused, ForecastReply, GateRequest, NewIncumbent, RefusingVerdict,
        SeriesForecast,
    },
};
use registry::{Incumbent, Job, JobId, Proposal};
use workers::roles::{
    Role,
    forecaster::{Heard, Keeper},
};

use crate::stack::{Stack, in_time, promoted, refused, request};

const JUDGING: [Role; 2] = [Role::Trainer, Role::Gatekeeper];
const SERVING: [Role; 3] = [Role::Trainer, Role::Gatekeeper, Role::Forecaster];

fn wish(act: Act, expires: Option<Timestamp>) -> GateRequest {
    let (by, reason) = ("ann".to_owned(), "the ferry is off".to_owned());
    GateRequest { model: "bike-demand".to_owned(), act, by, reason, expires }
}

async fn ask(stack: &Stack, act: Act) -> WireMessage {
    stack.ask(Queue::GateRequests, &wish(act, None)).await
}

/// An act that is carried out.
async fn done(stack: &Stack, act: Act) -> ActRecorded {
    recorded(&ask(stack, act).await)
}

/// An act that is refused.
async fn refusal(stack: &Stack, act: Act) -> ActRefused {
    decode(&ask(stack, act).await).expect("act-refused")
}

fn recorded(reply: &WireMessage) -> ActRecorded {
    decode(reply).unwrap_or_else(|other| panic!("{other}: {:?}", decode::<ActRefused>(reply)))
}

fn made(act: ActRecorded) -> NewIncumbent {
    act.incumbent.expect("a new incumbent")
}

async fn incumbents(stack: &Stack, model: &ModelSpec) -> Vec<Incumbent> {
    stack.environment.registry.incumbent_history(&model.name).await.expect("reads")
}

async fn forecast(stack: &Stack, model: &ModelSpec) -> SeriesForecast {
    match stack.forecast(&request(model)).await {
        ForecastReply::Answered { mut forecasts, .. } => forecasts.remove(0),
        refused @ ForecastReply::Refused { .. } => panic!("{refused:?}"),
    }
}

/// The forecast once this generation answers.
async fn forecast_of(stack: &Stack, model: &ModelSpec, generation: u64) -> SeriesForecast {
    in_time(async {
        loop {
            let forecast = forecast(stack, model).await;
            if forecast.generation == generation {
                return forecast;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_freeze_keeps_a_better_candidate_out_and_an_unfreeze_lets_the_next_one_in() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    promoted(stack.train(&model, "few-trees").await);
    let frozen = done(&stack, Act::Freeze).await;
    assert_eq!((frozen.by.as_str(), frozen.incumbent), ("ann", None));

    let kept_out = refused(stack.train(&model, "small-trees").await);
    assert_eq!((kept_out.verdict, kept_out.incumbent_version), (RefusingVerdict::KeepIncumbent, Some(1)));
    let (candidate, incumbent) = (kept_out.candidate.expect("scored"), kept_out.incumbent.expect("scored"));
    assert!(candidate.average < incumbent.average && candidate.worst_case < incumbent.worst_case);
    let [why] = kept_out.reasons.as_slice() else { panic!("{:?}", kept_out.reasons) };
    assert!(why.ends_with("the model is frozen by ann: the ferry is off"), "{why}");
    let decision = stack.environment.registry.decisions(&model.name, 1).await.expect("reads").remove(0);
    assert_eq!(decision.judgement.verdict, Verdict::Promote, "what was found is what was found");
    assert_eq!(decision.barred_by.map(|act| act.by), Some("ann".to_owned()));

    done(&stack, Act::Unfreeze).await;
    assert_eq!(promoted(stack.train(&model, "small-trees").await).generation, 2);
    let not_frozen = refusal(&stack, Act::Unfreeze).await;
    assert_eq!(not_frozen.reason, ActRefusal::NotPossible);
    stack.finish().await;
}

#[tokio::test]
async fn a_freeze_ends_by_itself() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    let until = stack.now() + SignedDuration::from_hours(1);
    recorded(&stack.ask(Queue::GateRequests, &wish(Act::Freeze, Some(until))).await);
    refused(stack.train(&model, "few-trees").await);
    stack.clock.advance(SignedDuration::from_hours(1));
    promoted(stack.train(&model, "few-trees").await);
    stack.finish().await;
}

#[tokio::test]
async fn a_refused_version_answers_once_a_person_forces_it_and_everything_says_so() {
    let (stack, model) = Stack::with_bikes(&SERVING).await;
    promoted(stack.train(&model, "small-trees").await);
    refused(stack.train(&model, "few-trees").await);
    let mut events = stack.environment.broker.listen(&["act-recorded.*"]).await.expect("listens");

    let reply = done(&stack, Act::Force { version: 2 }).await;
    let event: ActRecorded = decode(&in_time(events.next()).await.expect("an event")).expect("act-recorded");
    assert_eq!(event, reply, "everybody hears what the asker hears");
    let new = made(reply);
    assert_eq!((new.version, new.generation, new.previous_version), (2, 2, Some(1)));
    assert_eq!(forecast_of(&stack, &model, 2).await.version, Some(2));
    let last = incumbents(&stack, &model).await.pop().expect("is there");
    assert_eq!(last.act().map(ToString::to_string).as_deref(), Some("forced by ann: the ferry is off"));

    // The gate goes on as before: whoever beats it replaces it.
    let beaten = promoted(stack.train(&model, "small-trees").await);
    assert_eq!((beaten.generation, beaten.previous_version), (3, Some(2)));
    let says = "version 2, which it was judged against, was forced by ann: the ferry is off";
    assert!(beaten.reasons.iter().any(|reason| reason == says), "{:?}", beaten.reasons);
    stack.finish().await;
}

#[tokio::test]
async fn nobody_forces_a_version_whose_artifact_is_gone_or_another_models() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    promoted(stack.train(&model, "small-trees").await);
    refused(stack.train(&model, "few-trees").await);
    let registry = &stack.environment.registry;
    let gone =
        registry.version(&model.name, 2).await.expect("reads").expect("was proposed").proposal.artifact;
    // The gatekeeper has it in memory: it must not be fooled by that.
    stack.environment.models.get(&gone).await.expect("is there");
    stack.environment.artifacts.delete(&gone).await.expect("deletes");
    let missing = refusal(&stack, Act::Force { version: 2 }).await;
    assert_eq!(missing.reason, ActRefusal::Unusable);
    assert!(missing.message.contains(&format!("artifact {gone} is missing")), "{}", missing.message);

    propose_anothers(&stack, &model).await;
    let foreign = refusal(&stack, Act::Force { version: 3 }).await;
    assert_eq!(foreign.reason, ActRefusal::Unusable);
    assert!(foreign.message.ends_with("its artifact is one of model somebody-else"), "{}", foreign.message);
    let unknown = refusal(&stack, Act::Force { version: 9 }).await;
    assert_eq!(unknown.reason, ActRefusal::UnknownVersion);

    assert_eq!(incumbents(&stack, &model).await.len(), 1, "nothing changed");
    let recorded = registry.acts(&model.name).await.expect("reads");
    assert_eq!(recorded.iter().filter(|act| act.refusal.is_some()).count(), 3, "and all of it is recorded");
    stack.finish().await;
}

/// Makes the artifact of version 1, relabelled as another model's, a version of the model.
async fn propose_anothers(stack: &Stack, model: &ModelSpec) {
    let environment = &stack.environment;
    let first = environment.registry.version(&model.name, 1).await.expect("reads").expect("was proposed");
    let bytes = environment.artifacts.get(&first.proposal.artifact).await.expect("is in the store");
    let other = ModelName::new("somebody-else").expect("a name");
    let bundle = Bundle { model: other, ..Bundle::decode(&bytes).expect("an artifact") };
    let bytes = bundle.encode();
    let size_bytes = bytes.len() as u64;
    let artifact = environment.artifacts.put(bytes.into()).await.expect("stores");
    let job = environment.registry.job(&first.proposal.job).await.expect("reads").expect("was recorded");
    let job = Job { id: JobId::new("a forgery").expect("an id"), ..job };
    environment.registry.record_job(&job, stack.now()).await.expect("records");
    let proposal = Proposal { job: job.id, artifact, size_bytes, ..first.proposal };
    let made = environment.registry.propose(&proposal, stack.now()).await.expect("proposes");
    assert_eq!(made.version, 3);
}

#[tokio::test]
async fn a_roll_back_changes_what_answers_and_the_same_message_twice_does_it_once() {
    let (stack, model) = Stack::with_bikes(&SERVING).await;
    promoted(stack.train(&model, "few-trees").await);
    let of_first = forecast_of(&stack, &model, 1).await;
    promoted(stack.train(&model, "small-trees").await);
    let of_second = forecast_of(&stack, &model, 2).await;
    assert_ne!(of_first.points.values, of_second.points.values);

    let back = wish(Act::RollBack { version: None }, None);
    let reply = recorded(&stack.ask_as("back", Queue::GateRequests, &back).await);
    assert_eq!(reply.act, Act::RollBack { version: Some(1) }, "the gatekeeper says which");
    let again = forecast_of(&stack, &model, 3).await;
    assert_eq!((again.version, &again.points), (Some(1), &of_first.points));

    // Another act in between: without it, an embedded queue takes the same message for the one in hand.
    done(&stack, Act::Freeze).await;
    let repeated = recorded(&stack.ask_as("back", Queue::GateRequests, &back).await);
    assert_eq!(repeated, reply);
    assert_eq!(incumbents(&stack, &model).await.len(), 3, "once");
    let nothing = refusal(&stack, Act::RollBack { version: None }).await;
    assert_eq!(nothing.reason, ActRefusal::NotPossible, "nothing was before version 1");
    let forwards = made(done(&stack, Act::RollBack { version: Some(2) }).await);
    assert_eq!((forwards.version, forwards.generation), (2, 4));
    stack.finish().await;
}

#[tokio::test]
async fn a_version_that_was_put_into_use_for_a_while_is_kept_that_long() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    promoted(stack.train(&model, "small-trees").await);
    refused(stack.train(&model, "few-trees").await);
    let until = stack.now() + SignedDuration::from_hours(1);
    let force = wish(Act::Force { version: 2 }, Some(until));
    recorded(&stack.ask(Queue::GateRequests, &force).await);
    let kept_out = refused(stack.train(&model, "small-trees").await);
    let kept = format!("version 2 was forced by ann and kept until {until}: the ferry is off");
    assert!(kept_out.reasons[0].ends_with(&kept), "{:?}", kept_out.reasons);
    stack.clock.advance(SignedDuration::from_hours(1));
    promoted(stack.train(&model, "small-trees").await);
    stack.finish().await;
}

#[tokio::test]
async fn a_vetoed_version_goes_live_by_nobody_until_the_veto_ends() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    promoted(stack.train(&model, "few-trees").await);
    promoted(stack.train(&model, "small-trees").await);
    let in_use = refusal(&stack, Act::Veto { version: 2 }).await;
    assert_eq!(in_use.reason, ActRefusal::NotPossible);

    done(&stack, Act::Veto { version: 1 }).await;
    for act in
        [Act::Force { version: 1 }, Act::RollBack { version: Some(1) }, Act::RollBack { version: None }]
    {
        assert_eq!(refusal(&stack, act).await.reason, ActRefusal::NotPossible, "{act:?}");
    }
    // A later veto takes the place of the earlier one.
    let until = stack.now() + SignedDuration::from_mins(1);
    recorded(&stack.ask(Queue::GateRequests, &wish(Act::Veto { version: 1 }, Some(until))).await);
    stack.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(made(done(&stack, Act::RollBack { version: None }).await).version, 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_and_changes_nothing() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    let now = stack.now();
    let good = wish(Act::Freeze, None);
    let cases = [
        (
            GateRequest { model: "nobody".to_owned(), ..good.clone() },
            ActRefusal::UnknownModel,
            "model \"nobody\"",
        ),
        (
            GateRequest { reason: String::new(), ..good.clone() },
            ActRefusal::BadRequest,
            "reason: \"\" is empty",
        ),
        (GateRequest { expires: Some(now), ..good.clone() }, ActRefusal::BadRequest, "expires: 2026-01-01"),
    ];
    for (bad, reason, says) in cases {
        let reply = stack.ask(Queue::GateRequests, &bad).await;
        let refused: ActRefused = decode(&reply).expect("act-refused");
        assert_eq!(refused.reason, reason);
        assert!(refused.message.contains(says), "{}", refused.message);
    }
    assert_eq!(stack.environment.registry.acts(&model.name).await.expect("reads"), []);
    stack.finish().await;
}

#[tokio::test]
async fn an_old_event_of_either_kind_takes_no_forecaster_back() {
    let (stack, model) = Stack::with_bikes(&JUDGING).await;
    let first = promoted(stack.train(&model, "few-trees").await);
    let second = promoted(stack.train(&model, "small-trees").await);
    let environment = &stack.environment;
    let mut keeper = Keeper::new(environment, None);
    keeper.look().await;
    let forecaster = keeper.up_to_date();
    let generation = || forecaster.serving.current(&model.name).map(|serving| serving.generation());
    assert_eq!(generation(), Some(2));

    let back = done(&stack, Act::RollBack { version: None }).await;
    assert_eq!(forecaster.serving.hear_act(&back, &environment.models).await, Heard::Switched);
    assert_eq!(generation(), Some(3));
    for old in [&first, &second] {
        assert_eq!(forecaster.serving.hear(old, &environment.models).await, Heard::Old);
    }
    assert_eq!(forecaster.serving.hear_act(&back, &environment.models).await, Heard::Old);
    let frozen = done(&stack, Act::Freeze).await;
    assert_eq!(forecaster.serving.hear_act(&frozen, &environment.models).await, Heard::Old);
    assert_eq!(generation(), Some(3));
    stack.finish().await;
}
