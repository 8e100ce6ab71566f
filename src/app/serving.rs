//! The ports that are served, and how they end together.

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::api::{GrpcServer, Surface};
use crate::net::{Server, TlsSwitch};

/// The ports: everything, and what else is set.
pub(super) struct Ports {
    pub main: Server,
    /// Everything, at a Unix socket.
    pub socket: Option<Server>,
    /// OTLP alone, over HTTP.
    pub otlp: Option<Server>,
    /// OTLP alone, over gRPC.
    pub grpc: Option<GrpcServer>,
}

/// The ports while they are served.
pub(super) struct Serving {
    stop: watch::Sender<Option<Instant>>,
    http: Vec<JoinHandle<()>>,
    grpc: Option<JoinHandle<()>>,
}

impl Ports {
    /// The same, each over TCP with TLS whenever this has some.
    pub fn with_tls(self, tls: &TlsSwitch) -> Self {
        Self {
            main: self.main.with_tls(tls.clone()),
            socket: self.socket,
            otlp: self.otlp.map(|server| server.with_tls(tls.clone())),
            grpc: self.grpc.map(|server| server.with_tls(tls.clone())),
        }
    }

    /// Begins to answer at all of them.
    pub fn serve(self, surface: &Surface) -> Serving {
        let (stop, stopped) = watch::channel(None::<Instant>);
        let serve = |server: Server, surface: Surface| {
            let mut stopped = stopped.clone();
            let deadline = async move {
                let asked = stopped.wait_for(Option::is_some).await;
                asked.ok().and_then(|deadline| *deadline).unwrap_or_else(Instant::now)
            };
            tokio::spawn(server.serve(move |peer| surface.service_for(peer), deadline))
        };
        let main = serve(self.main, surface.clone());
        let socket = self.socket.map(|server| serve(server, surface.clone()));
        let otlp = self.otlp.map(|server| serve(server, surface.otlp_only()));
        let grpc = self.grpc.map(|server| {
            let mut stopped = stopped.clone();
            let asked = async move { drop(stopped.wait_for(Option::is_some).await) };
            tokio::spawn(surface.clone().serve_grpc(server, asked))
        });
        Serving { stop, http: [main].into_iter().chain(socket).chain(otlp).collect(), grpc }
    }
}

impl Serving {
    /// Stops accepting, and lets the requests under way finish until the deadline.
    pub async fn stop(self, deadline: Instant) {
        // Nobody to tell means that the servers have ended already.
        let _ = self.stop.send(Some(deadline));
        for server in self.http {
            let _ = server.await;
        }
        if let Some(mut grpc) = self.grpc
            && timeout_at(deadline, &mut grpc).await.is_err()
        {
            grpc.abort();
            let _ = grpc.await;
        }
    }
}
