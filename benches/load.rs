//! A closed loop over many connections on one thread: each sends its next request when it has the answer to its last.
//!
//! It shares the machine's cores with what it measures, so it does little: two system calls a request and a share of a third,
//! requests made beforehand, nothing allocated.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

use crate::template::{Random, Template};
use crate::trial::{Figure, Pace, Round};
use crate::{Outcome, machine};

/// Longest silence of a server before the round fails.
const SILENCE_MAX: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };
const READ_BYTES: usize = 256 * 1024;

/// Finds where answers end.
pub trait Answers {
    /// The length of the first answer in what was received, when it is there as a whole; an error when it is no success.
    fn whole(&mut self, received: &[u8]) -> Outcome<Option<usize>>;
}

/// What is sent, over how many connections.
#[derive(Clone)]
pub struct Load<A> {
    pub connections: usize,
    /// Each connection sends one after the other, and begins anew.
    pub requests: Vec<Template>,
    pub answers: A,
    pub events_per_request: f64,
}

/// When to stop.
#[derive(Clone, Copy)]
enum Until {
    Time(Instant),
    Requests(u64),
}

struct Connection<A> {
    stream: TcpStream,
    requests: Vec<Template>,
    next: usize,
    random: Random,
    answers: A,
    /// Of the request under way, what is still to be sent.
    unsent: Vec<u8>,
    received: Vec<u8>,
    sent_at: Instant,
    waiting: bool,
}

struct Loop<A> {
    poll: OwnedFd,
    connections: Vec<Connection<A>>,
    buffer: Vec<u8>,
    latencies: Vec<Duration>,
}

// === impl Load ===

impl<A: Answers + Clone> Load<A> {
    /// Warms up, then measures; `cpu` tells what the server has used.
    pub fn run(&self, address: SocketAddr, pace: &Pace, cpu: impl Fn() -> Outcome<Duration>) -> Outcome<Round> {
        let mut running = Loop::connect(self, address)?;
        running.until(Until::Time(Instant::now() + pace.warm_up))?;
        running.latencies.clear();
        let own_cpu = || machine::cpu(std::process::id());
        let (cpu_before, own_before, began) = (cpu()?, own_cpu()?, Instant::now());
        running.until(Until::Time(began + pace.measure))?;
        let (took, cpu_used) = (began.elapsed(), cpu()?.saturating_sub(cpu_before));
        let own_used = own_cpu()?.saturating_sub(own_before);
        let mut latencies = std::mem::take(&mut running.latencies);
        running.drain()?;
        if latencies.is_empty() {
            return Err("no answer within the round".into());
        }
        latencies.sort_unstable();
        let events = latencies.len() as f64 * self.events_per_request;
        Ok(Round::from([
            (Figure::Rate, events / took.as_secs_f64()),
            (Figure::P50, percentile_ms(&latencies, 0.50)),
            (Figure::P99, percentile_ms(&latencies, 0.99)),
            (Figure::Cpu, cpu_used.as_secs_f64() * 1e6 / events),
            (Figure::ClientCpu, own_used.as_secs_f64() * 1e6 / events),
            (Figure::Count, events),
        ]))
    }

    /// Sends so many requests, as fast as they are answered.
    pub fn send(&self, address: SocketAddr, requests: u64) -> Outcome<()> {
        let mut running = Loop::connect(self, address)?;
        running.until(Until::Requests(requests.saturating_sub(running.connections.len() as u64)))?;
        running.drain()
    }
}

/// The value below which this part of all lies.
pub fn percentile_ms(sorted: &[Duration], part: f64) -> f64 {
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).map_or(0.0, Duration::as_secs_f64) * 1e3
}

// === impl Loop ===

impl<A: Answers + Clone> Loop<A> {
    fn connect(load: &Load<A>, address: SocketAddr) -> Outcome<Self> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(load.connections);
        for number in 0..load.connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&poll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
            connections.push(Connection {
                stream,
                requests: load.requests.clone(),
                // Not all of them the same at the same time; what follows up another request does not come first.
                next: number + usize::from(load.requests[number % load.requests.len()].repeats()),
                random: Random::new(),
                answers: load.answers.clone(),
                unsent: Vec::new(),
                received: Vec::new(),
                sent_at: Instant::now(),
                waiting: false,
            });
        }
        Ok(Self { poll, connections, buffer: vec![0; READ_BYTES], latencies: Vec::with_capacity(1 << 20) })
    }

    fn until(&mut self, until: Until) -> Outcome<()> {
        for number in 0..self.connections.len() {
            if !self.connections[number].waiting {
                self.begin(number)?;
            }
        }
        loop {
            self.turn(true)?;
            let reached = match until {
                Until::Time(end) => Instant::now() >= end,
                Until::Requests(count) => self.latencies.len() as u64 >= count,
            };
            if reached {
                return Ok(());
            }
        }
    }

    /// Waits for the answers under way, so that no request is cut off.
    fn drain(&mut self) -> Outcome<()> {
        while self.connections.iter().any(|connection| connection.waiting) {
            self.turn(false)?;
        }
        Ok(())
    }

    /// Handles what has arrived; whoever got an answer sends its next request, if `go_on`.
    fn turn(&mut self, go_on: bool) -> Outcome<()> {
        let mut ready = Vec::with_capacity(self.connections.len());
        if epoll::wait(&self.poll, spare_capacity(&mut ready), Some(&SILENCE_MAX))? == 0 {
            return Err("the server is silent".into());
        }
        for event in ready {
            let (number, flags) = (event.data.u64() as usize, event.flags);
            if flags.contains(EventFlags::OUT) {
                self.send_rest(number)?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) && self.receive(number)? && go_on {
                self.begin(number)?;
            }
        }
        Ok(())
    }

    /// Sends the next request, as far as the socket takes it.
    fn begin(&mut self, number: usize) -> Outcome<()> {
        let connection = &mut self.connections[number];
        let place = connection.next % connection.requests.len();
        connection.next += 1;
        connection.waiting = true;
        let request = connection.requests[place].fill(&mut connection.random);
        connection.sent_at = Instant::now();
        let sent = write_some(&mut connection.stream, request)?;
        if sent < request.len() {
            connection.unsent.clear();
            connection.unsent.extend_from_slice(&request[sent..]);
            let flags = EventFlags::IN | EventFlags::OUT;
            epoll::modify(&self.poll, &connection.stream, EventData::new_u64(number as u64), flags)?;
        }
        Ok(())
    }

    fn send_rest(&mut self, number: usize) -> Outcome<()> {
        let connection = &mut self.connections[number];
        let sent = write_some(&mut connection.stream, &connection.unsent)?;
        connection.unsent.drain(..sent);
        if connection.unsent.is_empty() {
            epoll::modify(&self.poll, &connection.stream, EventData::new_u64(number as u64), EventFlags::IN)?;
        }
        Ok(())
    }

    /// Reads what is there, and says whether the answer is complete.
    fn receive(&mut self, number: usize) -> Outcome<bool> {
        let connection = &mut self.connections[number];
        let count = match connection.stream.read(&mut self.buffer) {
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        connection.received.extend_from_slice(&self.buffer[..count]);
        let Some(length) = connection.answers.whole(&connection.received)? else { return Ok(false) };
        if length != connection.received.len() || !connection.waiting {
            return Err("more was answered than asked".into());
        }
        connection.received.clear();
        connection.waiting = false;
        self.latencies.push(connection.sent_at.elapsed());
        Ok(true)
    }
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> Outcome<usize> {
    match stream.write(bytes) {
        Ok(count) => Ok(count),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error.into()),
    }
}
