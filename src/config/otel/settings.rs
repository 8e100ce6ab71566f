//! The list of the `OTEL_*` settings.

use super::super::draft::Setting;
use super::super::kinds::{boolean, count, label, milliseconds, path};
use super::kinds::{
    attributes, compression, endpoint, exporter, headers, propagators, protocol, sampler, share, temporality,
};

/// Records that may wait, or go out at once.
const QUEUE_MAX: usize = 65_536;

/// The settings of one connection: `$infix` is the signal's part of the name.
macro_rules! connection {
    ($part:ident, $infix:literal, $whose:literal) => {
        [
            Setting::new(
                concat!("otel_exporter_otlp_", $infix, "endpoint"),
                concat!("Collector that takes ", $whose, "; the push is on when it is set"),
                endpoint(),
                |to| &mut to.otel.$part.endpoint,
            ),
            Setting::new(
                concat!("otel_exporter_otlp_", $infix, "protocol"),
                concat!("Protocol in which ", $whose, " are pushed"),
                protocol(),
                |to| &mut to.otel.$part.protocol,
            ),
            Setting::new(
                concat!("otel_exporter_otlp_", $infix, "headers"),
                concat!("Headers sent with ", $whose),
                headers(),
                |to| &mut to.otel.$part.headers,
            ),
            Setting::new(
                concat!("otel_exporter_otlp_", $infix, "compression"),
                concat!("Compression of ", $whose),
                compression(),
                |to| &mut to.otel.$part.gzip,
            ),
            Setting::new(
                concat!("otel_exporter_otlp_", $infix, "timeout"),
                concat!("How long an export of ", $whose, " may take, retries included"),
                milliseconds().optional(),
                |to| &mut to.otel.$part.timeout,
            ),
            Setting::new(
                concat!("otel_exporter_otlp_", $infix, "certificate"),
                concat!("Certificate authorities to trust for ", $whose, ", in PEM; default: the system's"),
                path().optional(),
                |to| &mut to.otel.$part.authorities,
            ),
            Setting::new(
                concat!("otel_exporter_otlp_", $infix, "client_certificate"),
                concat!("Client certificate for ", $whose, ", in PEM; needs its key"),
                path().optional(),
                |to| &mut to.otel.$part.certificate,
            ),
            Setting::new(
                concat!("otel_exporter_otlp_", $infix, "client_key"),
                concat!("Key of the client certificate for ", $whose, ", in PEM"),
                path().optional(),
                |to| &mut to.otel.$part.key,
            ),
        ]
    };
}

/// How a batch processor gathers what it sends: `$prefix` is its part of the name.
macro_rules! batching {
    ($part:ident, $prefix:literal, $what:literal) => {
        [
            Setting::new(
                concat!("otel_", $prefix, "_schedule_delay"),
                concat!("How long ", $what, " wait to be sent with others"),
                milliseconds(),
                |to| &mut to.otel.$part.delay,
            ),
            Setting::new(
                concat!("otel_", $prefix, "_max_queue_size"),
                concat!("How many ", $what, " may wait; further ones are dropped"),
                count("COUNT", 1, QUEUE_MAX),
                |to| &mut to.otel.$part.queue_max,
            ),
            Setting::new(
                concat!("otel_", $prefix, "_max_export_batch_size"),
                concat!("How many ", $what, " are sent at once"),
                count("COUNT", 1, QUEUE_MAX),
                |to| &mut to.otel.$part.batch_max,
            )
            .allowing("1 to the size of the queue"),
        ]
    };
}

/// All of them, in the order in which they are shown.
pub(in crate::config) fn all() -> impl Iterator<Item = Setting> {
    connection!(all, "", "metrics, traces and logs")
        .into_iter()
        .chain(connection!(metrics, "metrics_", "metrics"))
        .chain(connection!(traces, "traces_", "traces"))
        .chain(connection!(logs, "logs_", "logs"))
        .chain(signals())
        .chain(batching!(spans, "bsp", "spans"))
        .chain(batching!(log_records, "blrp", "log lines"))
}

/// What is not about a connection.
fn signals() -> [Setting; 12] {
    [
        Setting::new("otel_sdk_disabled", "Pushes nothing, whatever else is set", boolean(), |to| &mut to.otel.disabled),
        Setting::new("otel_metrics_exporter", "Whether metrics are pushed", exporter(), |to| &mut to.otel.push_metrics),
        Setting::new("otel_traces_exporter", "Whether traces are pushed", exporter(), |to| &mut to.otel.push_traces),
        Setting::new(
            "otel_logs_exporter",
            "Whether log lines are pushed; default: none, or otlp where logs have an endpoint of their own",
            exporter().optional(),
            |to| &mut to.otel.push_logs,
        ),
        Setting::new("otel_service_name", "service.name in what is pushed", label().optional(), |to| {
            &mut to.otel.service_name
        })
        .allowing("1 to 128 bytes"),
        Setting::new(
            "otel_resource_attributes",
            "Attributes of this process in everything that is pushed",
            attributes(),
            |to| &mut to.otel.attributes,
        ),
        Setting::new("otel_metric_export_interval", "Time between two pushes of metrics", milliseconds(), |to| {
            &mut to.otel.interval
        }),
        Setting::new("otel_metric_export_timeout", "How long one push of metrics may take", milliseconds(), |to| {
            &mut to.otel.export_timeout
        }),
        Setting::new(
            "otel_exporter_otlp_metrics_temporality_preference",
            "Whether metrics are pushed as totals or as increments",
            temporality(),
            |to| &mut to.otel.temporality,
        ),
        Setting::new("otel_traces_sampler", "Which traces are recorded", sampler(), |to| &mut to.otel.sampler),
        Setting::new(
            "otel_traces_sampler_arg",
            "Share of the traces that the traceidratio samplers record",
            share(),
            |to| &mut to.otel.sampler_share,
        ),
        Setting::new(
            "otel_propagators",
            "How callers say which trace they belong to; only tracecontext has an effect",
            propagators(),
            |to| &mut to.otel.propagators,
        ),
    ]
}
