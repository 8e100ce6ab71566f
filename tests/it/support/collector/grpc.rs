//! OTLP over gRPC.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{MetricsService, MetricsServiceServer};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use super::{Got, Kept, Manner};
use crate::support::ServerTls;

/// Takes all three services.
#[derive(Clone)]
struct Service(Arc<Kept>);

pub fn listen(kept: Arc<Kept>, tls: Option<&ServerTls>) -> SocketAddr {
    let tls = tls.map(|tls| {
        let identity = tonic::transport::Identity::from_pem(&tls.identity.certificate_pem, &tls.identity.key_pem);
        let config = ServerTlsConfig::new().identity(identity);
        match tls.clients {
            Some(clients) => config.client_ca_root(tonic::transport::Certificate::from_pem(&clients.certificate_pem)),
            None => config,
        }
    });
    let (bound, addr) = sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
            bound.send(incoming.local_addr().unwrap()).unwrap();
            let service = Service(kept);
            let mut server = Server::builder();
            if let Some(tls) = tls {
                let _ = rustls::crypto::ring::default_provider().install_default();
                server = server.tls_config(tls).unwrap();
            }
            server
                .add_service(MetricsServiceServer::new(service.clone()).accept_compressed(Gzip))
                .add_service(TraceServiceServer::new(service.clone()).accept_compressed(Gzip))
                .add_service(LogsServiceServer::new(service).accept_compressed(Gzip))
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
    });
    addr.recv().unwrap()
}

fn got<T>(request: Request<T>) -> Got<T> {
    let headers = request.metadata().clone().into_headers();
    let headers: BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Got { headers, request: request.into_inner() }
}

impl Service {
    /// Keeps a request and answers it, in its present manner.
    async fn answer<Q, A: Message + Default>(
        &self,
        kept: &Mutex<Vec<Got<Q>>>,
        request: Request<Q>,
    ) -> Result<Response<A>, Status> {
        let manner = *self.0.manner.lock().unwrap();
        match manner {
            Manner::Takes | Manner::TakesInSilence => kept.lock().unwrap().push(got(request)),
            _ => {}
        }
        match manner {
            Manner::Takes => Ok(Response::new(A::default())),
            Manner::Answers(_, body) => Ok(Response::new(A::decode(body).unwrap())),
            Manner::Hangs | Manner::Drips => std::future::pending().await,
            Manner::Refuses(_) => Err(Status::invalid_argument("refused")),
            Manner::Resets | Manner::TakesInSilence => Err(Status::unavailable("gone")),
        }
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.answer(&self.0.metrics, request).await
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.answer(&self.0.traces, request).await
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.answer(&self.0.logs, request).await
    }
}
