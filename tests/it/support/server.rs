//! A server that something is posted to, with or without TLS: what a collector and a receiver of webhooks have in common.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Who a server is, and whom alone it serves, if it asks.
pub struct ServerTls<'a> {
    pub identity: &'a Identity,
    pub clients: Option<&'a Identity>,
}

/// A certificate for `localhost`, signed by itself.
pub struct Identity {
    folder: tempfile::TempDir,
    pub certificate_pem: String,
    pub key_pem: String,
}

/// What a connection is, for those who only read and write.
pub trait Stream: Read + Write {
    /// Ends it so that the other side sees a reset: bytes that were sent are still unread.
    fn reset(&mut self) {}
}

/// A request as it was posted.
pub struct Post {
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// Serves each connection on a thread of its own, which ends with the test process.
pub fn listen(
    tls: Option<&ServerTls>,
    serve: impl Fn(Box<dyn Stream>) -> io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let tls = tls.map(ServerTls::config);
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (serve, tls) = (Arc::clone(&serve), tls.clone());
            // A connection that breaks is the client's business.
            std::thread::spawn(move || match tls {
                Some(tls) => {
                    let tls = rustls::ServerConnection::new(tls).unwrap();
                    serve(Box::new(rustls::StreamOwned::new(tls, stream)))
                }
                None => serve(Box::new(stream)),
            });
        }
    });
    addr
}

/// Reads one request.
pub fn read_post(stream: &mut BufReader<impl Read>) -> io::Result<Post> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let path = line.strip_prefix("POST ").and_then(|rest| rest.split(' ').next());
    let path = path.unwrap_or_else(|| panic!("not a POST: {line}")).to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body)?;
    Ok(Post { path, headers, body })
}

impl Stream for TcpStream {
    fn reset(&mut self) {
        // Something has arrived by the time this returns; closing without having read it resets.
        let _ = self.peek(&mut [0]);
    }
}

impl Stream for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {}

// === impl ServerTls ===

impl ServerTls<'_> {
    fn config(&self) -> Arc<rustls::ServerConfig> {
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.identity.key_pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = match self.clients {
            Some(clients) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(certificate(&clients.certificate_pem)).unwrap();
                let asks = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(asks.build().unwrap())
            }
            None => config.with_no_client_auth(),
        };
        Arc::new(config.with_single_cert(vec![certificate(&self.identity.certificate_pem)], key).unwrap())
    }
}

// === impl Identity ===

impl Identity {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (certificate_pem, key_pem) = (made.cert.pem(), made.signing_key.serialize_pem());
        std::fs::write(folder.path().join("certificate.pem"), &certificate_pem).unwrap();
        std::fs::write(folder.path().join("key.pem"), &key_pem).unwrap();
        Self { folder, certificate_pem, key_pem }
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
