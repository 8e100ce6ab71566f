#!/usr/bin/env python3
"""Holds the collector's configuration against itself and against those who talk to it. No collector is needed, only PyYAML.

    otel-collector/check.py

Does what `otelcol validate` does about references (each component that a pipeline names is declared) and some of what it does about
keys (those of the components used here, read in their sources). It is no substitute for the collector itself.
"""

import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
KINDS = ("extensions", "receivers", "processors", "exporters")
# What each component may be given: of its own keys those that are of use here.
KEYS = {
    "health_check": {"endpoint", "path", "tls"},
    "otlp": {"protocols"},
    "memory_limiter": {"check_interval", "limit_mib", "spike_limit_mib", "limit_percentage", "spike_limit_percentage"},
    "batch": {"timeout", "send_batch_size", "send_batch_max_size", "metadata_keys", "metadata_cardinality_limit"},
    "debug": {"verbosity", "sampling_initial", "sampling_thereafter", "use_internal_logger"},
    "prometheus": {"endpoint", "tls", "namespace", "const_labels", "send_timestamps", "metric_expiration", "enable_open_metrics",
                   "add_metric_suffixes", "resource_to_telemetry_conversion"},
    "prometheusremotewrite": {"endpoint", "tls", "headers", "timeout", "compression", "auth", "retry_on_failure", "namespace",
                              "remote_write_queue", "external_labels", "resource_to_telemetry_conversion", "target_info",
                              "export_created_metric", "add_metric_suffixes", "send_metadata", "max_batch_size_bytes"},
}
wrong = []


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def merged(first, second):
    """As the collector merges files: maps key by key, everything else is replaced."""
    if isinstance(first, dict) and isinstance(second, dict):
        return {key: merged(first[key], second[key]) if key in first and key in second else second.get(key, first.get(key))
                for key in [*first, *(key for key in second if key not in first)]}
    return second


def check(name, config):
    """One configuration as a collector would get it. Returns which components its pipelines use."""
    service = config["service"]
    used = {("extensions", one) for one in service.get("extensions", [])}
    for kind in KINDS:
        for component, settings in config.get(kind, {}).items():
            kind_of = component.split("/")[0]
            for key in set(settings or {}) - KEYS.get(kind_of, set()):
                wrong.append(f"{name}: {kind} {component}: unknown key {key}")
    for signal in ("metrics", "traces", "logs"):
        pipeline = service["pipelines"].get(signal)
        if pipeline is None:
            wrong.append(f"{name}: no pipeline for {signal}")
            continue
        processors = pipeline.get("processors", [])
        if processors[:1] != ["memory_limiter"]:
            wrong.append(f"{name}: {signal}: memory_limiter is not the first processor")
        if processors[-1:] != ["batch"]:
            wrong.append(f"{name}: {signal}: batch is not the last processor")
        if len(pipeline["exporters"]) != 1:
            wrong.append(f"{name}: {signal}: leaves by more than one way")
        used |= {(kind, one) for kind in KINDS[1:] for one in pipeline.get(kind, [])}
    for kind, component in used:
        if component not in config.get(kind, {}):
            wrong.append(f"{name}: {kind} {component} is used and not declared")
    limiter = config["processors"]["memory_limiter"]
    if not limiter["spike_limit_mib"] < limiter["limit_mib"]:
        wrong.append(f"{name}: the memory limiter's spike is not below its limit")
    return used


def port(address):
    return int(address.rsplit(":", 1)[1])


base, remote_write = read("otel-collector/config.yaml"), read("otel-collector/remote-write.yaml")
both = merged(base, remote_write)
used = check("config.yaml", base)
used_by_both = check("config.yaml with remote-write.yaml", both)
for kind in KINDS:
    for component in both.get(kind, {}):
        if (kind, component) not in used | used_by_both:
            wrong.append(f"{kind} {component} is declared and never used")

# Who talks to it, and where.
protocols = base["receivers"]["otlp"]["protocols"]
taken = {port(protocol["endpoint"]) for protocol in protocols.values()}
if set(protocols) != {"grpc", "http"}:
    wrong.append("the receiver does not take both gRPC and HTTP")
compose = read("deploy/compose.yaml")["services"]
pushed = [compose["agent"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]]
for patch in read("deploy/kubernetes/overlays/monitoring/kustomization.yaml")["patches"]:
    values = [one["value"] for one in yaml.safe_load(patch["patch"])]
    pushed += [value["value"] for value in values if value["name"] == "OTEL_EXPORTER_OTLP_ENDPOINT"]
if len(pushed) != 2:
    wrong.append("the overlay monitoring pushes nowhere")
for address in pushed:
    if port(address) not in taken:
        wrong.append(f"{address} is pushed to, and the receiver takes {sorted(taken)}")
let_out = {one["port"] for rule in read("deploy/kubernetes/base/standalone/network-policy.yaml")["spec"]["egress"] for one in rule["ports"]}
if not taken <= let_out:
    wrong.append(f"the network policy lets out {sorted(let_out)}, and the receiver takes {sorted(taken)}")
scraped = {port(target) for job in read("otel-collector/prometheus.yml")["scrape_configs"]
           for static in job["static_configs"] for target in static["targets"]}
if scraped != {port(base["exporters"]["prometheus"]["endpoint"])}:
    wrong.append(f"Prometheus scrapes {sorted(scraped)}, not the exporter")
if not all(job.get("honor_labels") for job in read("otel-collector/prometheus.yml")["scrape_configs"]):
    wrong.append("Prometheus does not honour the labels that the collector sets")
# The demo scrapes the agent, so it must not scrape the collector it also pushes to.
for job in read("deploy/compose.prometheus.yaml")["scrape_configs"]:
    if any("otel-collector" in target for static in job["static_configs"] for target in static["targets"]):
        wrong.append("compose scrapes agent and collector: every cost would count twice")

print(*wrong, sep="\n", end="\n" if wrong else "")
sys.exit(bool(wrong))
