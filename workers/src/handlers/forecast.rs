//! `ForecastRequest → ForecastReply`.

use std::sync::Arc;

use forecasting::{
    names::{DatasetName, ModelName},
    routing::{Answer, AtHand, Question, Serving, answer_while},
    series::{Covariates, Frame},
};
use protocol::messages::{ForecastReply, ForecastRequest, RefusalReason};
use runner::{CpuPool, HandleError, Handler, JobContext};

use super::convert;
use crate::{
    metrics,
    roles::forecaster::{IssuedLog, UpToDate},
};

/// More points than this take more than half a millisecond, and go to a thread of their own, as do those of a model
/// that is fitted anew each time.
const INLINE_POINTS: usize = 24;

/// Answers a forecast request from memory.
pub struct ForecastHandler {
    /// Models and recent history.
    pub up_to_date: Arc<UpToDate>,
    /// Where forecasts are noted once they are given out.
    pub issued: IssuedLog,
    /// The threads that answer larger requests.
    pub cpu: CpuPool,
}

impl Handler for ForecastHandler {
    type Message = ForecastRequest;
    type Reply = ForecastReply;

    async fn handle(&self, request: ForecastRequest, job: &JobContext) -> Result<ForecastReply, HandleError> {
        // Load.
        let Some(serving) = self.serving(&request.model).await else {
            let message = format!("model {:?}: no such model was applied", request.model);
            return Ok(ForecastReply::Refused { reason: RefusalReason::UnknownModel, message });
        };
        let recorded = match request.history.as_slice() {
            [] => self.recorded(&serving.dataset.name).await,
            _inline => None,
        };
        let (recorded, covariates) = recorded.unzip();
        let (question, history) = match convert::question(&request, &serving, recorded) {
            Ok(asked) => asked,
            Err(refused) => return Ok(refused.into()),
        };

        // Decide.
        let known = Known { history, covariates };
        let answer = answer_in_turn(&self.cpu, serving.clone(), question, known, job).await?;

        // Save.
        self.issued.note(convert::issued(&answer, &serving, &job.message_id, self.issued.now()));
        let reply = convert::reply(&answer, &serving, self.up_to_date.looks.stale_since());
        metrics::answered(&reply);
        Ok(reply)
    }
}

/// What a request is answered from.
#[derive(Clone)]
struct Known {
    history: Arc<Frame>,
    /// None where the request brought its own history.
    covariates: Option<Arc<Covariates>>,
}

impl ForecastHandler {
    /// The recent history of a dataset, and what is known besides. One that was never looked at belongs to a model
    /// that was heard of a moment ago; one without observations was looked at and is empty.
    async fn recorded(&self, dataset: &DatasetName) -> Option<(Arc<Frame>, Arc<Covariates>)> {
        if let Some(recorded) = self.up_to_date.recent.of(dataset) {
            return Some(recorded);
        }
        self.up_to_date.looks.wait_for_next().await;
        self.up_to_date.recent.of(dataset)
    }

    /// What answers for a model. One that nobody knows may have been applied a moment ago.
    async fn serving(&self, model: &str) -> Option<Arc<Serving>> {
        let model = ModelName::new(model).ok()?;
        if let Some(serving) = self.up_to_date.serving.current(&model) {
            return Some(serving);
        }
        self.up_to_date.looks.wait_for_next().await;
        self.up_to_date.serving.current(&model)
    }
}

/// Answers, here or on a thread of the pool when its turn comes, unless nobody waits for the answer by then.
async fn answer_in_turn(
    cpu: &CpuPool,
    serving: Arc<Serving>,
    asked: Question,
    known: Known,
    job: &JobContext,
) -> Result<Answer, HandleError> {
    let is_small = convert::points_asked(&asked) <= INLINE_POINTS && !serving.fits_at_origin();
    let job = job.clone();
    let answer = move || {
        let at_hand = AtHand { history: &known.history, covariates: known.covariates.as_deref() };
        answer_while(&serving, &asked, at_hand, || job.is_wanted())
    };
    let answered = if is_small { answer() } else { cpu.run(answer).await.map_err(HandleError::transient)? };
    answered.ok_or(HandleError::Expired)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use clock::ManualClock;
    use forecasting::{
        names::SeriesId,
        series::Series,
        spec::{DatasetSpec, ModelSpec},
    };
    use jiff::{SignedDuration, Timestamp};
    use protocol::{ContentType, WireMessage};
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// A model without an incumbent, a value of its one series, and a question about more points than are
    /// answered inline.
    fn scene() -> (Arc<Serving>, Arc<Frame>, Question) {
        let dataset: DatasetSpec =
            toml::from_str("name = 'visitors'\nfrequency = 'PT1H'\ntime_zone = 'UTC'").expect("a dataset");
        let model: ModelSpec = toml::from_str(
            "name = 'visitors'\ndataset = 'visitors'\nhorizon = 48\nlearners = [{ learner = 'weekly-mean' }]",
        )
        .expect("a model");
        let id: SeriesId = "bridge".parse().expect("an id");
        let series = Series { id: id.clone(), start: Timestamp::UNIX_EPOCH, values: vec![42.0] };
        let history = Frame::new(dataset.grid(), vec![series]).expect("one series");
        let question = Question { series: vec![id], horizon_steps: 48, origin: None, levels: Vec::new() };
        (Arc::new(Serving { model, dataset, incumbent: None }), Arc::new(history), question)
    }

    /// A request that is worth an answer until that second.
    fn until(second: i64, clock: &Arc<ManualClock>) -> JobContext {
        let request = ForecastRequest {
            model: "visitors".into(),
            series: Vec::new(),
            horizon: None,
            origin: None,
            levels: Vec::new(),
            history: Vec::new(),
        };
        let mut message = WireMessage::new(&request, ContentType::Json, "r").expect("a small body");
        message.properties.deadline = Some(Timestamp::from_second(second).expect("a time stamp"));
        JobContext::new(&message.properties, clock.clone(), CancellationToken::new())
    }

    #[tokio::test]
    async fn a_request_whose_deadline_passes_while_it_waits_for_a_thread_is_not_computed() {
        let (serving, history, question) = scene();
        let known = Known { history, covariates: None };
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let cpu = CpuPool::new(1);
        let (release, released) = mpsc::channel::<()>();
        let mut before = Box::pin(cpu.run(move || released.recv()));
        assert!(futures::poll!(&mut before).is_pending(), "the only thread is taken");

        let (late, in_time, given_up) = (until(1, &clock), until(3, &clock), until(3, &clock));
        let answer = |job| answer_in_turn(&cpu, serving.clone(), question.clone(), known.clone(), job);
        let mut waiting =
            Box::pin(futures::future::join3(answer(&late), answer(&in_time), answer(&given_up)));
        assert!(futures::poll!(&mut waiting).is_pending(), "all three are in line");
        clock.advance(SignedDuration::from_secs(2));
        given_up.stop.cancel();
        drop(release);
        let _ = before.await.expect("no panic");

        let (late, in_time, given_up) = waiting.await;
        assert!(matches!(late, Err(HandleError::Expired)), "{late:?}");
        assert!(matches!(given_up, Err(HandleError::Expired)), "{given_up:?}");
        assert_eq!(in_time.expect("is answered").forecasts[0].values, [42.0; 48]);
    }
}
