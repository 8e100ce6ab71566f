//! The exporters of the three signals with what gathers for them, from their settings.

use std::sync::Arc;

use opentelemetry_sdk::logs::{BatchConfigBuilder as LogBatchConfig, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanLimits};
use tokio::runtime::Handle;

use super::carrier::{Carried, Carrier};
use super::connect::{self, ConnectError};
use super::deliver::Delivery;
use super::push::{Push, SharedReader};
use super::report::{Report, Signal};
use super::settings::{Batching, Connection, OtlpSettings, Root, Sampler};

/// What all signals are built with.
pub(super) struct Parts {
    pub runtime: Handle,
    pub report: Arc<Report>,
}

// === impl Parts ===

impl Parts {
    fn carrier(&self, signal: Signal, connection: &Connection) -> Result<Carrier, ConnectError> {
        let line = connect::line(connection, signal)?;
        let (runtime, report) = (self.runtime.clone(), Arc::clone(&self.report));
        Ok(Carrier { signal, line, runtime, timeout: connection.timeout, report })
    }

    pub fn metrics(&self, connection: &Connection, settings: &OtlpSettings) -> Result<Push, ConnectError> {
        let mut carrier = self.carrier(Signal::Metrics, connection)?;
        carrier.timeout = connection.timeout.min(settings.export_timeout);
        Ok(Push {
            reader: SharedReader::default(),
            carrier,
            interval: settings.interval,
            delivery: Delivery::new(settings.temporality),
        })
    }

    pub fn tracers(
        &self,
        connection: &Connection,
        settings: &OtlpSettings,
        resource: &opentelemetry_sdk::Resource,
    ) -> Result<SdkTracerProvider, ConnectError> {
        let exporter = Carried::new(self.carrier(Signal::Traces, connection)?);
        let Batching { queue_max, batch_max, delay } = settings.spans;
        let batching = BatchConfigBuilder::default()
            .with_max_queue_size(queue_max)
            .with_max_export_batch_size(batch_max)
            .with_scheduled_delay(delay)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batching).build();
        Ok(SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(opentelemetry_sdk::trace::Sampler::from(settings.sampler))
            // The library would look for other limits in the environment, where nobody checks them.
            .with_span_limits(SpanLimits::default())
            .with_span_processor(processor)
            .build())
    }

    pub fn loggers(
        &self,
        connection: &Connection,
        settings: &OtlpSettings,
        resource: &opentelemetry_sdk::Resource,
    ) -> Result<SdkLoggerProvider, ConnectError> {
        let exporter = Carried::new(self.carrier(Signal::Logs, connection)?);
        let Batching { queue_max, batch_max, delay } = settings.log_records;
        let batching = LogBatchConfig::default()
            .with_max_queue_size(queue_max)
            .with_max_export_batch_size(batch_max)
            .with_scheduled_delay(delay)
            .build();
        let processor = BatchLogProcessor::builder(exporter).with_batch_config(batching).build();
        Ok(SdkLoggerProvider::builder().with_resource(resource.clone()).with_log_processor(processor).build())
    }
}

// === impl Sampler ===

impl From<Sampler> for opentelemetry_sdk::trace::Sampler {
    fn from(sampler: Sampler) -> Self {
        match sampler {
            Sampler::AlwaysOn => Self::AlwaysOn,
            Sampler::AlwaysOff => Self::AlwaysOff,
            Sampler::Ratio(share) => Self::TraceIdRatioBased(share),
            Sampler::ParentBased(root) => Self::ParentBased(Box::new(match root {
                Root::AlwaysOn => Self::AlwaysOn,
                Root::AlwaysOff => Self::AlwaysOff,
                Root::Ratio(share) => Self::TraceIdRatioBased(share),
            })),
        }
    }
}
