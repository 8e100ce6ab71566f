//! What is said about this process with everything it pushes.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;

use super::settings::OtlpSettings;

/// Where Linux says what this host (in a container: the container or pod) is called.
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// The SDK's attributes, the service's name, version and instance, and what the settings say; the later wins.
pub(super) fn describe(settings: &OtlpSettings) -> Resource {
    let own = [
        KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance(settings.port)),
        KeyValue::new("deployment.environment.name", settings.environment.clone()),
    ];
    let given = settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(own.into_iter().chain(given))
        .build()
}

/// Host and port, as Prometheus names what it scrapes: the same after a restart, so series that count on go on. Where one of
/// them is not known, a random id.
fn instance(port: u16) -> String {
    match host_name() {
        Some(host) if port != 0 => format!("{host}:{port}"),
        _ => uuid::Uuid::now_v7().to_string(),
    }
}

/// What this host is called, if it is known.
pub fn host_name() -> Option<String> {
    let host = std::fs::read_to_string(HOST_NAME_FILE).ok()?;
    Some(host.trim()).filter(|host| !host.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(settings: &OtlpSettings, key: &'static str) -> String {
        describe(settings).get(&key.into()).unwrap().to_string()
    }

    #[test]
    fn what_is_given_wins_over_the_defaults() {
        let mut settings = OtlpSettings { environment: "staging".into(), ..OtlpSettings::default() };
        assert_eq!(said(&settings, "service.name"), "lead-factory-metrics");
        assert_eq!(said(&settings, "deployment.environment.name"), "staging");
        assert_eq!(said(&settings, "telemetry.sdk.language"), "rust");
        settings.resource = vec![("service.name".into(), "a".into()), ("service.name".into(), "b".into())];
        assert_eq!(said(&settings, "service.name"), "b");
    }

    #[test]
    fn an_instance_keeps_its_name_and_two_on_a_host_have_two() {
        assert_eq!(instance(8_000), instance(8_000));
        assert_ne!(instance(8_000), instance(8_001));
        assert_ne!(instance(0), instance(0));
    }
}
