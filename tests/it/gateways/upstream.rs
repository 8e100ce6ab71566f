//! The API behind a gateway: it answers everything with 200, and remembers what reached it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it answers.
pub const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion"}"#;

/// One request.
#[derive(Clone, Debug)]
pub struct Reached {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

pub struct Upstream {
    pub addr: SocketAddr,
    reached: Arc<Mutex<Vec<Reached>>>,
}

impl Upstream {
    pub fn start() -> Self {
        Self::serving(|stream| stream.write_all(answer().as_bytes()))
    }

    /// Takes requests, and closes without an answer.
    pub fn that_hangs_up() -> Self {
        Self::serving(|_| Err(io::ErrorKind::ConnectionAborted.into()))
    }

    fn serving(answer: fn(&mut TcpStream) -> io::Result<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let reached = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&reached);
        // They end with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Ok(request) = read(&mut stream) {
                        kept.lock().unwrap().push(request);
                        if answer(stream.get_mut()).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { addr, reached }
    }

    /// What reached it since the last look.
    pub fn take(&self) -> Vec<Reached> {
        std::mem::take(&mut self.reached.lock().unwrap())
    }
}

fn answer() -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len())
}

fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Reached> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        read_chunks(stream, &mut body)?;
    } else if let Some(length) = headers.get("content-length") {
        stream.take(length.parse().unwrap()).read_to_end(&mut body)?;
    }
    Ok(Reached { method, target, headers, body })
}

fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim_end(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
        stream.take(length).read_to_end(body)?;
        stream.read_line(&mut line)?;
        if length == 0 {
            return Ok(());
        }
    }
}
