//! `ForecastRequest → ForecastReply`.

use std::sync::Arc;

use forecasting::{
    names::{DatasetName, ModelName},
    routing::{Answer, Question, Serving, answer},
    series::Frame,
};
use protocol::messages::{ForecastReply, ForecastRequest, RefusalReason};
use runner::{CpuPool, HandleError, Handler, JobContext};

use super::convert;
use crate::{
    metrics,
    roles::forecaster::{IssuedLog, UpToDate},
};

/// More points than this take more than half a millisecond, and go to a thread of their own.
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
        let recorded = self.recorded(&serving.dataset.name).await;
        let (question, history) = match convert::question(&request, &serving, recorded) {
            Ok(asked) => asked,
            Err(refused) => return Ok(refused.into()),
        };

        // Decide.
        let answer = self.answer(serving.clone(), question, history).await?;

        // Save.
        self.issued.note(convert::issued(&answer, &serving, &job.message_id, self.issued.now()));
        let reply = convert::reply(&answer, &serving, self.up_to_date.stale_since());
        metrics::answered(&reply);
        Ok(reply)
    }
}

impl ForecastHandler {
    /// The recent history of a dataset. One that was never looked at belongs to a model that was heard of a
    /// moment ago; one without observations was looked at and is empty.
    async fn recorded(&self, dataset: &DatasetName) -> Option<Arc<Frame>> {
        if let Some(recorded) = self.up_to_date.recent.of(dataset) {
            return Some(recorded);
        }
        self.up_to_date.look_briefly().await;
        self.up_to_date.recent.of(dataset)
    }

    /// What answers for a model. One that nobody knows may have been applied a moment ago.
    async fn serving(&self, model: &str) -> Option<Arc<Serving>> {
        let model = ModelName::new(model).ok()?;
        if let Some(serving) = self.up_to_date.serving.current(&model) {
            return Some(serving);
        }
        self.up_to_date.look_briefly().await;
        self.up_to_date.serving.current(&model)
    }

    async fn answer(
        &self,
        serving: Arc<Serving>,
        asked: Question,
        history: Arc<Frame>,
    ) -> Result<Answer, HandleError> {
        if convert::points_asked(&asked) <= INLINE_POINTS {
            return Ok(answer(&serving, &asked, &history));
        }
        self.cpu.run(move || answer(&serving, &asked, &history)).await.map_err(HandleError::transient)
    }
}
