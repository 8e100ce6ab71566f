//! OTLP in bodies of HTTP/1.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Got, Kept, Manner, ServerTls};

/// Between two bytes of an answer that never ends.
const DRIP: Duration = Duration::from_millis(100);

pub fn listen(kept: Arc<Kept>, manner: Manner, tls: Option<&ServerTls>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let tls = tls.map(server_tls);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            *kept.connections.lock().unwrap() += 1;
            let (kept, tls) = (Arc::clone(&kept), tls.clone());
            // A connection that breaks is the client's business.
            std::thread::spawn(move || match tls {
                Some(tls) => {
                    let tls = rustls::ServerConnection::new(tls).unwrap();
                    serve(rustls::StreamOwned::new(tls, stream), &kept, manner)
                }
                None => serve(stream, &kept, manner),
            });
        }
    });
    addr
}

fn server_tls(tls: &ServerTls) -> Arc<rustls::ServerConfig> {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(tls.identity.key_pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = match tls.clients {
        Some(clients) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(certificate(&clients.certificate_pem)).unwrap();
            let asks = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(asks.build().unwrap())
        }
        None => config.with_no_client_auth(),
    };
    Arc::new(config.with_single_cert(vec![certificate(&tls.identity.certificate_pem)], key).unwrap())
}

/// What a connection is, for those who only read and write.
trait Stream: Read + Write {
    /// Ends it so that the other side sees a reset: bytes that were sent are still unread.
    fn reset(&mut self) {}
}

impl Stream for TcpStream {
    fn reset(&mut self) {
        // Something has arrived by the time this returns; closing without having read it resets.
        let _ = self.peek(&mut [0]);
    }
}

impl Stream for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {}

fn serve(mut stream: impl Stream, kept: &Kept, manner: Manner) -> io::Result<()> {
    if manner == Manner::Resets {
        stream.reset();
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    loop {
        let (path, headers, body) = read_request(&mut stream)?;
        match manner {
            Manner::Takes => {
                keep(kept, &path, headers, &body);
                let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
                stream.get_mut().write_all(answer.as_bytes())?;
                stream.get_mut().flush()?;
            }
            Manner::Hangs => loop {
                std::thread::park();
            },
            Manner::Drips => {
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
                loop {
                    stream.get_mut().write_all(b"x")?;
                    std::thread::sleep(DRIP);
                }
            }
            Manner::Refuses(status) => {
                let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
                stream.get_mut().write_all(answer.as_bytes())?;
            }
            Manner::Resets => unreachable!("it was reset before anything was read"),
        }
    }
}

fn read_request(stream: &mut BufReader<impl Read>) -> io::Result<(String, BTreeMap<String, String>, Vec<u8>)> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let path = line.split(' ').nth(1).unwrap().to_owned();
    assert!(line.starts_with("POST "), "OTLP is posted: {line}");
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers["content-length"].parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain)?;
        body = plain;
    }
    Ok((path, headers, body))
}

fn keep(kept: &Kept, path: &str, headers: BTreeMap<String, String>, body: &[u8]) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    match path {
        "/v1/metrics" => kept.metrics.lock().unwrap().push(Got { headers, request: Message::decode(body).unwrap() }),
        "/v1/traces" => kept.traces.lock().unwrap().push(Got { headers, request: Message::decode(body).unwrap() }),
        "/v1/logs" => kept.logs.lock().unwrap().push(Got { headers, request: Message::decode(body).unwrap() }),
        other => panic!("a push to {other}"),
    }
}
