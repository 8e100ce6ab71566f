//! The program: arguments and environment in, exit code out.

use std::process::ExitCode;

use lead_factory_metrics::app;
use lead_factory_metrics::cli::{self, Exit, Failure};
use lead_factory_metrics::config::{self, Config, Sources};
use lead_factory_metrics::error_chain::ErrorChain;
use lead_factory_metrics::telemetry::{self, Otlp};

fn main() -> ExitCode {
    // Without a provider the first TLS client would panic. That there is one already is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(std::env::args_os(), Sources::of_process(), serve).into()
}

fn serve(config: Config, sources: Sources) -> Exit {
    let otlp = match Otlp::new(&config.otlp) {
        Ok(otlp) => otlp,
        Err(error) => return Failure::Failed(ErrorChain(&error).to_string()).report(),
    };
    let logs = telemetry::set_up_logs(config.log, otlp.as_ref());
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let outcome = app::serve(config, otlp, move || config::load(&sources));
    drop(logs);
    match outcome {
        Ok(()) => Exit::Done,
        Err(error) => Failure::Failed(ErrorChain(&error).to_string()).report(),
    }
}
