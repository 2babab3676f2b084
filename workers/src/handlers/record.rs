//! `ObservationBatch → ObservationsRecorded`, and `ForecastsIssued → ()`.

use std::sync::Arc;

use forecasting::names::DatasetName;
use history::{History, ObservationMessage};
use protocol::messages::{ForecastsIssued, ObservationBatch, ObservationsRecorded};
use registry::Registry;
use runner::{HandleError, Handler, JobContext};

use super::{convert, record_error, registry_error, rejected};
use crate::roles::recorder::GroupedRecords;

/// Writes observations into the history.
pub struct RecordObservationsHandler {
    /// What the datasets are.
    pub registry: Arc<dyn Registry>,
    /// What writes them.
    pub records: GroupedRecords,
}

impl Handler for RecordObservationsHandler {
    type Message = ObservationBatch;
    type Reply = ObservationsRecorded;

    async fn handle(
        &self,
        batch: ObservationBatch,
        job: &JobContext,
    ) -> Result<ObservationsRecorded, HandleError> {
        // Load.
        let name = DatasetName::new(batch.dataset.as_str()).map_err(rejected)?;
        let dataset = self.registry.dataset(&name).await.map_err(registry_error)?;
        let dataset =
            dataset.ok_or_else(|| rejected(format!("dataset {:?} was not applied", batch.dataset)))?;

        // Decide: all of the batch or nothing.
        let observations = convert::observations(&batch, &dataset.spec, job.now).map_err(rejected)?;

        // Save, together with whatever else waits to be.
        let message = ObservationMessage { message_id: job.message_id.clone(), observations };
        let recorded = self.records.record(dataset.spec, message).await.map_err(record_error)?;
        Ok(ObservationsRecorded {
            dataset: batch.dataset,
            new: recorded.new,
            corrected: recorded.corrected,
            unchanged: recorded.unchanged,
        })
    }
}

/// Writes forecasts that were given out into the history.
pub struct RecordForecastsHandler {
    /// Where the forecasts go.
    pub history: Arc<dyn History>,
}

impl Handler for RecordForecastsHandler {
    type Message = ForecastsIssued;
    type Reply = ();

    async fn handle(&self, batch: ForecastsIssued, job: &JobContext) -> Result<(), HandleError> {
        let forecasts = convert::issued_forecasts(batch).map_err(rejected)?;
        self.history.record_forecasts(&forecasts, job.now).await.map_err(record_error)?;
        Ok(())
    }
}
