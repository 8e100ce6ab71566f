//! OTLP in bodies of HTTP/1.

use std::io::{self, BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;

use super::{Got, Kept, Manner};
use crate::support::server::{self, Post, ServerTls, Stream};

/// Between two bytes of an answer that never ends.
const DRIP: Duration = Duration::from_millis(100);

pub fn listen(kept: Arc<Kept>, tls: Option<&ServerTls>) -> SocketAddr {
    server::listen(tls, move |stream| {
        *kept.connections.lock().unwrap() += 1;
        serve(stream, &kept)
    })
}

fn serve(mut stream: Box<dyn Stream>, kept: &Kept) -> io::Result<()> {
    let manner = || *kept.manner.lock().unwrap();
    if manner() == Manner::Resets {
        stream.reset();
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    loop {
        let post = server::read_post(&mut stream)?;
        match manner() {
            Manner::TakesInSilence => {
                keep(kept, post)?;
                return Ok(());
            }
            Manner::Takes => {
                keep(kept, post)?;
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
            Manner::Answers(kind, body) => {
                let length = body.len();
                let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
                write!(stream.get_mut(), "HTTP/1.1 200 OK\r\n{kind}Content-Length: {length}\r\n\r\n")?;
                stream.get_mut().write_all(body)?;
            }
            // It became rude after this one had come.
            Manner::Resets => return Ok(()),
        }
    }
}

fn keep(kept: &Kept, post: Post) -> io::Result<()> {
    let Post { path, headers, mut body } = post;
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain)?;
        body = plain;
    }
    let body = body.as_slice();
    assert_eq!(headers["content-type"], "application/x-protobuf");
    match path.as_str() {
        "/v1/metrics" => kept.metrics.lock().unwrap().push(Got { headers, request: Message::decode(body).unwrap() }),
        "/v1/traces" => kept.traces.lock().unwrap().push(Got { headers, request: Message::decode(body).unwrap() }),
        "/v1/logs" => kept.logs.lock().unwrap().push(Got { headers, request: Message::decode(body).unwrap() }),
        other => panic!("a push to {other}"),
    }
    Ok(())
}
