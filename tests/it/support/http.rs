//! A small HTTP/1.1 client that can also misbehave: it sends exactly the bytes it is given.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Longest wait for a byte of an answer; far above anything the program may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// One answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// One connection. What is written to it is up to the test.
pub struct Conn {
    stream: Wire,
    reader: BufReader<Wire>,
}

/// What a connection goes through.
enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Requests over a kept connection, which is opened anew after it broke.
pub struct Client {
    addr: SocketAddr,
    conn: Option<Conn>,
}

// === impl Response ===

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", self.status, self.text()))
    }

    /// The slug of a problem answer; checks that it is one.
    #[track_caller]
    pub fn slug(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{} {}", self.status, self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "the body repeats the status");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "title and detail: {problem}");
        problem["type"]
            .as_str()
            .and_then(|slug| slug.strip_prefix("/problems/"))
            .expect("type is /problems/<slug>")
            .to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

// === impl Conn ===

impl Conn {
    pub fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(Wire::Tcp(stream.try_clone()?)), stream: Wire::Tcp(stream) })
    }

    pub fn open_socket(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        Ok(Self { reader: BufReader::new(Wire::Unix(stream.try_clone()?)), stream: Wire::Unix(stream) })
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) {
        let _ = match &self.stream {
            Wire::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Wire::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    pub fn set_read_timeout(&self, limit: Duration) {
        let set = match &self.stream {
            Wire::Tcp(stream) => stream.set_read_timeout(Some(limit)),
            Wire::Unix(stream) => stream.set_read_timeout(Some(limit)),
        };
        set.unwrap();
    }

    /// Reads one answer to a request that was not `HEAD`.
    pub fn read(&mut self) -> io::Result<Response> {
        self.read_answer(false)
    }

    /// Reads one answer; one to `HEAD` has no body whatever its headers say.
    pub fn read_answer(&mut self, to_head: bool) -> io::Result<Response> {
        let head = self.read_head()?;
        if to_head { Ok(head) } else { self.read_body(head) }
    }

    /// Reads the rest of an answer of which the head was read, and which is not one to `HEAD`.
    pub fn read_body(&mut self, mut answer: Response) -> io::Result<Response> {
        if answer.status < 200 || answer.status == 204 || answer.status == 304 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            answer.body = self.read_chunks()?;
        } else if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            answer.body = vec![0; length];
            self.reader.read_exact(&mut answer.body)?;
        } else {
            self.reader.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Reads an answer up to its body.
    pub fn read_head(&mut self) -> io::Result<Response> {
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(Response { status, headers, body: Vec::new() });
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.read_line()?, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            let begin = body.len();
            body.resize(begin + length, 0);
            self.reader.read_exact(&mut body[begin..])?;
            self.read_line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Everything that still comes until the other side closes; an error when it does not within `limit`.
    pub fn read_until_closed(&mut self, limit: Duration) -> io::Result<Vec<u8>> {
        self.set_read_timeout(limit);
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Err(error),
            // Reset counts as closed: the other side was done with us while bytes were still under way.
            _ => Ok(rest),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// === impl Client ===

impl Client {
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, conn: None }
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        match self.request("GET", path, &[], b"") {
            Ok(answer) => answer,
            // The kept connection may have been closed for idleness; a read may simply be asked again.
            Err(_) => self.request("GET", path, &[], b"").unwrap_or_else(|error| panic!("GET {path}: {error}")),
        }
    }

    #[track_caller]
    pub fn post(&mut self, path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Response {
        self.request("POST", path, &[("Content-Type", content_type)], body.as_ref())
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Records events and returns the answer, whatever it is.
    #[track_caller]
    pub fn costs(&mut self, body: impl AsRef<[u8]>) -> Response {
        self.post("/costs", "application/json", body)
    }

    /// One request with a `Host`, a length where there is a body, and the given headers.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => Conn::open(self.addr)?,
        };
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.addr).into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !body.is_empty() || method == "POST" || method == "PUT" {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        // An early refusal may close the connection before all of the body is taken: the answer still counts.
        let sent = conn.send(&bytes);
        let answer = conn.read_answer(method == "HEAD")?;
        let closes = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if sent.is_ok() && !closes {
            self.conn = Some(conn);
        }
        Ok(answer)
    }
}
