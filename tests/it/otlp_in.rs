//! OTLP taken from other programs, at the port of everything and at one of its own.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use serde_json::json;
use tonic::codec::CompressionEncoding;

use crate::support::{Client, Setup, within};

#[test]
fn a_port_of_its_own_takes_otlp_and_nothing_else() {
    // Free for now; nobody else on this machine is given it again so soon.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut agent = Setup::new().env("OTLP_HTTP_LISTEN", address.to_string()).start();
    let mut client = Client::new(address);
    assert_eq!(client.post("/v1/metrics", "application/json", "{}").expect(200).text(), "{}");
    let span = json!({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7",
        "attributes":[{"key":"gen_ai.provider.name","value":{"stringValue":"openai"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},
            {"key":"gen_ai.usage.input_tokens","value":{"intValue":"1000"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":"50"}}]}]}]}]});
    for _ in 0..2 {
        assert_eq!(client.post("/v1/traces", "application/json", span.to_string()).expect(200).text(), "{}");
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.003}"#);
    agent.client().post("/v1/traces", "application/json", span.to_string()).expect(200);
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.003}"#);
    for path in ["/costs", "/health", "/metrics", "/api/public/otel/v1/traces"] {
        client.get(path).expect(404);
    }
    client.get("/v1/traces").expect(405);
    assert!(agent.terminate().success(), "both ports are drained");
}

/// One message over gRPC, with a token where one is given.
fn export(address: SocketAddr, token: Option<&str>) -> Result<ExportTraceServiceResponse, tonic::Status> {
    export_named(address, token, "chat")
}

fn export_named(address: SocketAddr, token: Option<&str>, name: &str) -> Result<ExportTraceServiceResponse, tonic::Status> {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        attributes: vec![
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4o"),
            text("gen_ai.usage.input_tokens", "1000"),
            text("gen_ai.usage.output_tokens", "50"),
        ],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let mut request = tonic::Request::new(ExportTraceServiceRequest { resource_spans });
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = TraceServiceClient::connect(format!("http://{address}")).await.unwrap();
        let answer = client.send_compressed(CompressionEncoding::Gzip).export(request).await;
        answer.map(tonic::Response::into_inner)
    })
}

#[test]
fn calls_come_over_grpc_from_those_who_may_write() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut agent = Setup::new().env("OTLP_GRPC_LISTEN", address.to_string()).env("API_TOKEN", "s3cret").start();
    for wrong in [None, Some("other")] {
        assert_eq!(export(address, wrong).unwrap_err().code(), tonic::Code::Unauthenticated);
    }
    assert_eq!(agent.get("/costs/daily").text(), "{}");
    for _ in 0..2 {
        assert_eq!(export(address, Some("s3cret")).unwrap().partial_success, None);
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.003}"#);
    assert!(agent.terminate().success(), "the port is drained");
}

#[test]
fn a_token_over_grpc_needs_the_scope_to_record() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Setup::new().env("OTLP_GRPC_LISTEN", address.to_string());
    let tokens = setup.folder().join("tokens");
    std::fs::write(&tokens, "reserve+admin:ops:aaa1\nrecord:collector:bbb2\n").unwrap();
    let agent = setup.env("API_TOKEN_FILE", tokens.as_os_str()).start();
    let refused = export(address, Some("aaa1")).unwrap_err();
    assert_eq!((refused.code(), refused.message()), (tonic::Code::PermissionDenied, "This token lacks the scope `record`."));
    assert_eq!(agent.get("/costs/daily").text(), "{}");
    export(address, Some("bbb2")).unwrap();
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.003}"#);
}

#[test]
fn a_message_over_grpc_is_bounded_as_it_is_inflated() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let agent = Setup::new().env("OTLP_GRPC_LISTEN", address.to_string()).env("MAX_INGEST_BODY_BYTES", "1048576").start();
    let bomb = "a".repeat(64 << 20);
    let refused = export_named(address, None, &bomb).unwrap_err();
    assert!([tonic::Code::OutOfRange, tonic::Code::ResourceExhausted].contains(&refused.code()), "{refused:?}");
    assert_eq!(agent.get("/costs/daily").text(), "{}");
    assert!(agent.status_kib("VmHWM") < 96 * 1024, "{} KiB", agent.status_kib("VmHWM"));
    export_named(address, None, &bomb[..1_000_000]).unwrap();
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.003}"#);
}

/// One and a half times as many streams as messages are taken at once, of which nothing comes.
#[test]
fn streams_over_grpc_that_say_nothing_hold_up_nobody_else() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Setup::new().setting("body_timeout_seconds = 60");
    let agent = setup.env("OTLP_GRPC_LISTEN", address.to_string()).start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for _ in 0..3 {
        let channel = runtime
            .block_on(tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap().connect())
            .unwrap();
        for _ in 0..8 {
            let mut client = tonic::client::Grpc::new(channel.clone());
            runtime.spawn(async move {
                client.ready().await.unwrap();
                let codec = tonic_prost::ProstCodec::<ExportTraceServiceRequest, ExportTraceServiceResponse>::default();
                let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export".parse().unwrap();
                client.client_streaming(tonic::Request::new(futures_util::stream::pending()), path, codec).await.map(drop)
            });
        }
    }
    for _ in 0..20 {
        within(Duration::from_secs(10), "somebody else's message is taken", || match export(address, None) {
            Ok(_) => Some(()),
            Err(refused) => {
                assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
                None
            }
        });
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.003}"#);
}

#[test]
fn connections_over_grpc_that_say_nothing_make_room() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let agent = Setup::new().env("OTLP_GRPC_LISTEN", address.to_string()).env("MAX_CONNECTIONS", "2").start();
    let mut silent = [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()];
    // It waits in the kernel's queue until one of them has ended.
    export(address, None).unwrap();
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.003}"#);
    for stream in &mut silent {
        // What was said first, if anything, and then the end.
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(said.len() < 100, "{said:?}");
    }
}
