//! HTTP as the load generator speaks it: keep-alive requests made beforehand, answers read by status and `Content-Length`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Outcome;
use crate::load::Answers;

/// Longest wait for one answer outside of a round.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How much of an answer that is no success is told.
const TOLD_MAX: usize = 300;

/// `POST /costs`.
pub fn post(content_type: &str, body: &str) -> Vec<u8> {
    post_to("/costs", content_type, body)
}

/// `POST` to a path.
pub fn post_to(path: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// `GET` of a path.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// One request on a connection of its own: the body of its answer, which must be a success.
pub fn ask(address: SocketAddr, request: &[u8]) -> Outcome<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(request)?;
    let mut received = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut answer = HttpAnswers::default();
        if let Some(length) = answer.whole(&received)? {
            let head = answer.head_length(&received).ok_or("an answer without a head")?;
            return Ok(received.get(head..length).unwrap_or_default().to_vec());
        }
        match stream.read(&mut buffer)? {
            0 => return Err("the connection ended before the answer".into()),
            count => received.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Finds where answers end. Anything but 200, 201 and 204, and another body than the expected one, is a failure.
#[derive(Clone, Debug, Default)]
pub struct HttpAnswers {
    /// Lengths of the head and of the whole answer that is being received.
    lengths: Option<(usize, usize)>,
    expected: Option<&'static str>,
}

// === impl HttpAnswers ===

impl HttpAnswers {
    /// All bodies must be this one.
    pub fn expecting(body: &'static str) -> Self {
        Self { lengths: None, expected: Some(body) }
    }

    fn head_length(&self, received: &[u8]) -> Option<usize> {
        received.windows(4).position(|window| window == b"\r\n\r\n").map(|place| place + 4)
    }

    fn read_head(&self, received: &[u8]) -> Outcome<Option<(usize, usize)>> {
        let Some(head_length) = self.head_length(received) else { return Ok(None) };
        let head = &received[..head_length];
        if head.get(9..12) == Some(b"204") {
            // Has no body, and no length.
            return Ok(Some((head_length, head_length)));
        }
        if !matches!(head.get(9..12), Some(b"200" | b"201")) {
            let told = String::from_utf8_lossy(&received[..received.len().min(TOLD_MAX)]).into_owned();
            return Err(format!("not a success: {told}").into());
        }
        let body_length = head
            .split(|&byte| byte == b'\n')
            .find_map(|line| {
                let (name, value) = line.split_at_checked("content-length:".len())?;
                name.eq_ignore_ascii_case(b"content-length:").then_some(value)
            })
            .ok_or("an answer without Content-Length")?;
        let body_length: usize = std::str::from_utf8(body_length)?.trim().parse()?;
        Ok(Some((head_length, head_length + body_length)))
    }
}

impl Answers for HttpAnswers {
    fn whole(&mut self, received: &[u8]) -> Outcome<Option<usize>> {
        if self.lengths.is_none() {
            self.lengths = self.read_head(received)?;
        }
        let Some((head, length)) = self.lengths.filter(|(_, length)| received.len() >= *length) else { return Ok(None) };
        self.lengths = None;
        let body = &received[head..length];
        match self.expected {
            Some(expected) if body != expected.as_bytes() => {
                Err(format!("answered {}, expected {expected}", String::from_utf8_lossy(body)).into())
            }
            _ => Ok(Some(length)),
        }
    }
}
