//! Requests made up from what hurts.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::EVENT;
use super::words::{HEADERS, MEDIA_TYPES, MEMBERS, METHODS, RAW, TEXTS, VALUES};
use crate::support::Rng;

/// A route as openapi.json describes it.
pub struct Route {
    pub path: String,
    pub methods: Vec<String>,
    pub parameters: Vec<String>,
    pub media_types: Vec<String>,
}

/// A request, and how to send it.
pub struct Request {
    pub bytes: Vec<u8>,
    pub is_head: bool,
    /// Whether it is something else than a whole request, so that the connection ends with it.
    pub is_broken: bool,
}

/// Makes requests up.
pub struct Maker<'a> {
    pub rng: &'a mut Rng,
    pub routes: &'a [Route],
}

// === impl Maker ===

impl Maker<'_> {
    pub fn make(&mut self) -> Request {
        if self.one_in(16) {
            return self.raw();
        }
        let route = &self.routes[self.rng.below(self.routes.len() as u64) as usize];
        let method = match self.rng.below(4) {
            0 => self.pick(&METHODS).to_owned(),
            _ => route.methods[self.rng.below(route.methods.len() as u64) as usize].clone(),
        };
        let mut bytes = format!("{method} {}{} HTTP/1.1\r\n", self.path(&route.path), self.query(route)).into_bytes();
        bytes.extend(self.head(route).bytes());
        let body = self.body();
        let (body, coding) =
            if self.one_in(8) { (self.compressed(&body), "Content-Encoding: gzip\r\n") } else { (body, "") };
        bytes.extend_from_slice(coding.as_bytes());
        let mut is_broken = false;
        match self.rng.below(12) {
            0 => {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for piece in body.chunks(97) {
                    bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
                    bytes.extend_from_slice(piece);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
            // Both, or less than was announced, or more.
            1 => {
                is_broken = true;
                let announced = self.rng.below(2 * body.len() as u64 + 2);
                let both = if self.one_in(3) { "Transfer-Encoding: chunked\r\n" } else { "" };
                bytes.extend(format!("{both}Content-Length: {announced}\r\n\r\n").bytes());
                bytes.extend_from_slice(&body);
            }
            _ => {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend_from_slice(&body);
            }
        }
        Request { is_head: method == "HEAD", is_broken, bytes }
    }

    fn raw(&mut self) -> Request {
        let mut bytes = self.pick(&RAW).to_vec();
        match self.rng.below(4) {
            0 => bytes = self.noise(200),
            1 => bytes = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(self.rng.below(70_000) as usize)).into_bytes(),
            2 => {
                let lines = "X-Many: 1\r\n".repeat(self.rng.below(2_000) as usize);
                bytes = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n").into_bytes();
            }
            _ => {}
        }
        Request { bytes, is_head: false, is_broken: true }
    }

    fn path(&mut self, template: &str) -> String {
        let mut path = String::new();
        for (position, part) in template.split(['{', '}']).enumerate() {
            if position % 2 == 0 { path.push_str(part) } else { path.push_str(self.pick(&TEXTS)) }
        }
        match self.rng.below(24) {
            0 => path.push('/'),
            1 => path = path.to_uppercase(),
            2 => path = format!("//{path}"),
            3 => path = format!("{path}/../{path}"),
            4 => path.push_str(&"a".repeat(5_000)),
            5 => path = format!("http://localhost{path}"),
            _ => {}
        }
        path.replace(' ', "%20")
    }

    fn query(&mut self, route: &Route) -> String {
        let mut query = String::new();
        while query.len() < 400 && self.one_in(2) {
            let name = match route.parameters.len() as u64 {
                0 => "limit",
                _ if self.one_in(6) => self.pick(&TEXTS),
                count => &route.parameters[self.rng.below(count) as usize],
            };
            let separator = if query.is_empty() { '?' } else { '&' };
            query.push_str(&format!("{separator}{name}={}", self.pick(&TEXTS)));
        }
        query
    }

    fn head(&mut self, route: &Route) -> String {
        let mut lines = String::new();
        match self.rng.below(16) {
            0 => {}
            1 => lines.push_str("Host: localhost\r\nHost: localhost\r\n"),
            2 => lines.push_str("Host: evil.example\r\n"),
            3 => lines.push_str("Host: [::1\r\n"),
            _ => lines.push_str("Host: localhost\r\n"),
        }
        match self.rng.below(12) {
            0 => {}
            1 => lines.push_str("Authorization: Bearer recording\r\n"),
            2 => lines.push_str("Authorization: Bearer changing\r\n"),
            3 => lines.push_str("Authorization: Basic =\r\nAuthorization: Bearer everything\r\n"),
            _ => lines.push_str("Authorization: Bearer everything\r\n"),
        }
        let media_type = match route.media_types.len() as u64 {
            0 => self.pick(&MEDIA_TYPES),
            _ if self.one_in(4) => self.pick(&MEDIA_TYPES),
            count => &route.media_types[self.rng.below(count) as usize],
        };
        lines.push_str(&format!("Content-Type: {}\r\n", media_type.replace('*', "x")));
        if self.one_in(24) {
            lines.push_str("Origin: null\r\n");
        }
        while self.one_in(3) {
            lines.push_str(&format!("{}\r\n", self.pick(&HEADERS)));
        }
        lines
    }

    fn body(&mut self) -> Vec<u8> {
        match self.rng.below(10) {
            0 => Vec::new(),
            1 => self.noise(400),
            2 => {
                let deep = self.rng.below(300) as usize;
                ["[".repeat(deep), "{\"a\":".repeat(deep)].concat().into_bytes()
            }
            3 => {
                let lines: Vec<String> = (0..self.rng.below(6)).map(|_| self.object(2)).collect();
                lines.join("\n").into_bytes()
            }
            4 => {
                // One bit of what would be right but for that it names no service.
                let mut bytes = EVENT.replace("\"service\":\"openai\",", "").into_bytes();
                let at = self.rng.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << self.rng.below(8);
                bytes
            }
            5 => {
                let items: Vec<String> = (0..self.rng.below(40)).map(|_| self.object(1)).collect();
                format!("[{}]", items.join(",")).into_bytes()
            }
            6 => {
                let mut bytes = self.object(3).into_bytes();
                bytes.truncate(self.rng.below(bytes.len() as u64 + 1) as usize);
                bytes
            }
            _ => self.object(3).into_bytes(),
        }
    }

    fn object(&mut self, depth: u64) -> String {
        let (mut members, mut names) = (Vec::new(), Vec::new());
        for _ in 0..self.rng.below(8) {
            let name = self.pick(&MEMBERS);
            // Seldom the same twice, which is malformed whatever it says.
            if names.contains(&name) && !self.one_in(8) {
                continue;
            }
            names.push(name);
            let value = if depth > 0 && self.one_in(4) {
                if self.one_in(2) { self.object(depth - 1) } else { format!("[{}]", self.object(depth - 1)) }
            } else {
                self.pick(&VALUES).to_owned()
            };
            members.push(format!("\"{name}\":{value}"));
        }
        format!("{{{}}}", members.join(","))
    }

    fn compressed(&mut self, body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        if self.one_in(5) {
            encoder.write_all(&vec![b' '; 5 << 20]).unwrap();
        }
        encoder.write_all(body).unwrap();
        let mut bytes = encoder.finish().unwrap();
        if self.one_in(3) {
            bytes.truncate(self.rng.below(bytes.len() as u64 + 1) as usize);
        }
        bytes
    }

    fn noise(&mut self, bytes_max: u64) -> Vec<u8> {
        (0..self.rng.below(bytes_max)).map(|_| self.rng.next() as u8).collect()
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.rng.below(list.len() as u64) as usize]
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.rng.below(count) == 0
    }
}
