//! The ports for OTLP show the same certificate, and take the same tokens.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use super::{CHEAP, Curl, TLS, Web};
use crate::support::free_addr;

#[test]
fn otlp_is_taken_in_tls_from_whoever_has_a_token() {
    let (http, grpc) = (free_addr(), free_addr());
    let web = Web::new(&format!("{TLS}basic_auth_users: {{alice: {CHEAP}}}\n"))
        .env("OTLP_HTTP_LISTEN", &http.to_string())
        .env("OTLP_GRPC_LISTEN", &grpc.to_string())
        .env("API_TOKEN", "s3cret");
    let mut agent = web.start();
    let curl = Curl { addr: http, ..web.curl(&agent) }.with(&["--json", "{}"]);
    curl.get("/v1/traces").expect(401);
    curl.clone().with(&["--user", super::LOGIN]).get("/v1/traces").expect(401);
    curl.with(&["--header", "Authorization: Bearer s3cret"]).get("/v1/traces").expect(200);
    Curl::plain(http).with(&["--json", "{}"]).get("/v1/traces").expect(400);

    let authority = Certificate::from_pem(std::fs::read(web.authority.pem()).unwrap());
    let send = |url: String, token: Option<&str>| {
        let mut request = tonic::Request::new(ExportTraceServiceRequest::default());
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", token.parse().unwrap());
        }
        let tls = ClientTlsConfig::new().ca_certificate(authority.clone()).domain_name("localhost");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let channel = Channel::from_shared(url).unwrap();
            let channel =
                if channel.uri().scheme_str() == Some("https") { channel.tls_config(tls).unwrap() } else { channel };
            let channel = channel.connect().await.map_err(|error| tonic::Status::unknown(error.to_string()))?;
            TraceServiceClient::new(channel).export(request).await.map(tonic::Response::into_inner)
        })
    };
    let url = |scheme: &str| format!("{scheme}://{grpc}");
    assert_eq!(send(url("https"), Some("Bearer s3cret")).unwrap().partial_success, None);
    for wrong in [None, Some("Bearer wrong"), Some("Basic YWxpY2U6d29uZGVybGFuZA==")] {
        assert_eq!(send(url("https"), wrong).unwrap_err().code(), tonic::Code::Unauthenticated, "{wrong:?}");
    }
    assert_ne!(send(url("http"), Some("Bearer s3cret")).unwrap_err().code(), tonic::Code::Unauthenticated);
    assert!(agent.terminate().success(), "{}", agent.log());
}
