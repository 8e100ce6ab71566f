//! Who may read, where reading asks for a login: a user with a password (HTTP Basic), or a token.
//!
//! *Invariants.* A password lets nobody write. Verifying one takes a thread of low priority, one at a time, so that guesses take no
//! more of the machine than that; a name that nobody has takes as long as a wrong password. What was found is remembered, right pairs
//! apart from wrong ones: guesses cannot drive them out.
//!
//! *Limits.* [`WAITING_MAX`] wait, [`PAIRS_OF_PEER_MAX`] pairs of one address (a network of IPv6), each for [`WAIT_MAX`]; [`REFUSED_MAX`] wrong pairs.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::Settings;
use super::auth::{Access, lacks};
use super::call::Call;
use super::problem::Problem;
use super::token::Scope;
use super::users::{Digest, PasswordHash, User, Users};
use crate::net::Peer;

/// Logins that wait for their turn at once.
const WAITING_MAX: usize = 32;
/// Different pairs of one address among those: whoever guesses keeps nobody else out, and all who send the same pair get on together.
const PAIRS_OF_PEER_MAX: usize = 8;
/// How long a login may wait for its turn.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Wrong pairs that are remembered: whoever repeats one (a scraper after a change of password) costs nothing.
const REFUSED_MAX: usize = 1_024;
/// What a login is worth beside requests: some 10 % of a core when nothing is idle.
const NICENESS: i32 = 10;
/// What answers without a login where that is set.
const PROBES: [&str; 2] = ["/-/healthy", "/-/ready"];

/// The rule for reads. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Login(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    users: ArcSwap<Users>,
    probes_are_open: bool,
    /// `None` on a system without randomness, where nothing is remembered.
    key: Option<hmac::Key>,
    /// Each at the place that its first bytes say.
    refused: Mutex<Vec<Digest>>,
    turn: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

/// Who waits: how many with each pair, and from where the first of them came.
type Waiting = HashMap<Digest, (Peer, usize)>;

/// A name and a password as they were sent.
pub(super) struct Pair {
    bytes: Zeroizing<Vec<u8>>,
    colon: usize,
}

/// A place among those who wait.
struct Place<'a> {
    waiting: &'a Mutex<Waiting>,
    digest: Digest,
}

// === impl Login ===

impl Login {
    pub fn new(settings: &Settings) -> Self {
        Self(Arc::new(Inner {
            users: ArcSwap::from_pointee(Users::new(&settings.users, &Users::default())),
            probes_are_open: settings.health_without_login,
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok(),
            refused: Mutex::new(vec![[0; 32]; REFUSED_MAX]),
            turn: Arc::new(Semaphore::new(1)),
            waiting: Mutex::default(),
        }))
    }

    /// Takes other users from the next request on; none: everybody may read.
    pub fn set_users(&self, users: &[(String, PasswordHash)]) {
        let next = Users::new(users, &self.0.users.load());
        self.0.users.store(Arc::new(next));
        // A name that nobody had is refused by somebody's hash, which may be its own by now.
        self.0.refused().fill([0; 32]);
    }

    /// Whether reading asks for a login.
    pub fn is_asked(&self) -> bool {
        !self.0.users.load().is_empty()
    }

    /// Whether this call may read. Writes are for [`Access`] to judge.
    ///
    /// # Errors
    /// `unauthorized`, or `overloaded` where too many guesses are being looked at.
    pub async fn check(&self, call: &Call, access: &Access) -> Result<(), Problem> {
        let is_probe = PROBES.contains(&call.endpoint.path);
        let is_open = call.peer == Peer::Socket || (is_probe && self.0.probes_are_open);
        if call.endpoint.scope != Scope::Read || is_open || !self.is_asked() {
            return Ok(());
        }
        if let Some(token) = access.token_of(call) {
            // Whoever has a token of any kind may know whether the agent is well.
            return if token.allows(Scope::Read) || is_probe { Ok(()) } else { Err(Problem::Forbidden(lacks(Scope::Read))) };
        }
        let pair = Pair::of(&call.headers).ok_or(Problem::NotLoggedIn)?;
        if self.0.is_right(pair, network(call.peer)).await? { Ok(()) } else { Err(Problem::NotLoggedIn) }
    }
}

// === impl Inner ===

impl Inner {
    async fn is_right(self: &Arc<Self>, pair: Pair, peer: Peer) -> Result<bool, Problem> {
        let users = self.users.load_full();
        let digest = self.digest(&pair, &users);
        if let Some(known) = self.known(&pair, &users, digest.as_ref()) {
            return Ok(known);
        }
        let place = Place::take(&self.waiting, digest.unwrap_or_default(), peer).ok_or(Problem::Overloaded)?;
        let turn = timeout(WAIT_MAX, Arc::clone(&self.turn).acquire_owned()).await;
        drop(place);
        let Ok(Ok(turn)) = turn else { return Err(Problem::Overloaded) };
        // The same may have been asked meanwhile, as by a page that asks for its parts.
        if let Some(known) = self.known(&pair, &users, digest.as_ref()) {
            return Ok(known);
        }
        self.verify(pair, users, digest, turn).await
    }

    /// What is known of a pair already.
    fn known(&self, pair: &Pair, users: &Users, digest: Option<&Digest>) -> Option<bool> {
        let digest = digest?;
        if users.find(pair.name()).is_some_and(|user| user.is_proven(digest)) {
            return Some(true);
        }
        (self.refused().get(slot(digest)) == Some(digest)).then_some(false)
    }

    /// Looks at a password, in a thread that gives way. It goes on when its asker hangs up: the next time its answer is known.
    async fn verify(
        self: &Arc<Self>,
        pair: Pair,
        users: Arc<Users>,
        digest: Option<Digest>,
        turn: OwnedSemaphorePermit,
    ) -> Result<bool, Problem> {
        let (tell, told) = oneshot::channel();
        let inner = Arc::clone(self);
        let work = move || {
            // Where it is not allowed, the work is merely less polite.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            let _ = tell.send(inner.judge(&pair, &users, digest));
            drop(turn);
        };
        // Not one of the runtime's threads: what has become nice cannot become what it was.
        if let Err(error) = std::thread::Builder::new().name("login".into()).spawn(work) {
            tracing::error!(%error, "no thread to look at a password");
            return Err(Problem::Overloaded);
        }
        told.await.map_err(|_| Problem::Internal)
    }

    fn judge(&self, pair: &Pair, users: &Users, digest: Option<Digest>) -> bool {
        let user = users.find(pair.name());
        let looked_at = self.looked_at(pair.name(), users);
        let is_right = looked_at.is_some_and(|user| user.hash.is_of(pair.password())) && user.is_some();
        match (digest, user) {
            (Some(digest), Some(user)) if is_right => user.prove(digest),
            (Some(digest), _) if !is_right => {
                if let Some(place) = self.refused().get_mut(slot(&digest)) {
                    *place = digest;
                }
            }
            _ => {}
        }
        is_right
    }

    /// What a pair is remembered by: with another hash it is another pair.
    fn digest(&self, pair: &Pair, users: &Users) -> Option<Digest> {
        let mut digest = hmac::Context::with_key(self.key.as_ref()?);
        let hash = self.looked_at(pair.name(), users).map_or("", |user| user.hash.expose());
        digest.update(hash.as_bytes());
        digest.update(b":");
        digest.update(&pair.bytes);
        digest.sign().as_ref().try_into().ok()
    }

    /// The user of this name. A name that nobody has costs what somebody's wrong password costs, each time the same.
    fn looked_at<'u>(&self, name: &[u8], users: &'u Users) -> Option<&'u User> {
        let decoy = users.decoy(self.number(name));
        users.find(name).or(decoy)
    }

    fn number(&self, name: &[u8]) -> usize {
        let digest = self.key.as_ref().map(|key| hmac::sign(key, name));
        let first = digest.and_then(|digest| digest.as_ref().first_chunk().copied());
        first.map_or(0, usize::from_ne_bytes)
    }

    fn refused(&self) -> MutexGuard<'_, Vec<Digest>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is counted as one: in IPv6, whoever has an address has a network of them.
fn network(peer: Peer) -> Peer {
    match peer {
        Peer::Ip(IpAddr::V6(address)) => Peer::Ip(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
        peer => peer,
    }
}

fn slot(digest: &Digest) -> usize {
    usize::from(u16::from_ne_bytes([digest[0], digest[1]])) % REFUSED_MAX
}

// === impl Pair ===

impl Pair {
    /// What the one `Authorization` says behind `Basic`.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let (scheme, rest) = value.as_bytes().split_at_checked("Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(rest.trim_ascii()).ok()?);
        let colon = bytes.iter().position(|byte| *byte == b':')?;
        Some(Self { bytes, colon })
    }

    pub fn name(&self) -> &[u8] {
        self.bytes.get(..self.colon).unwrap_or_default()
    }

    pub fn password(&self) -> &[u8] {
        self.bytes.get(self.colon + 1..).unwrap_or_default()
    }
}

// === impl Place ===

impl<'a> Place<'a> {
    fn take(waiting: &'a Mutex<Waiting>, digest: Digest, peer: Peer) -> Option<Self> {
        let mut places = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if places.values().map(|(_, count)| count).sum::<usize>() >= WAITING_MAX {
            return None;
        }
        let pairs = places.values().filter(|(from, _)| *from == peer).count();
        match places.get_mut(&digest) {
            Some((_, count)) => *count += 1,
            None if pairs >= PAIRS_OF_PEER_MAX => return None,
            None => drop(places.insert(digest, (peer, 1))),
        }
        Some(Self { waiting, digest })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = places.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                places.remove(&self.digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        network(text.parse::<std::net::SocketAddr>().unwrap().into())
    }

    #[test]
    fn whoever_guesses_leaves_places_to_others() {
        let waiting = Mutex::default();
        let take = |number: u8, from: &str| Place::take(&waiting, [number; 32], peer(from));
        let guesses: Vec<_> = (0..20).filter_map(|number| take(number, "10.0.0.1:1")).collect();
        assert_eq!(guesses.len(), PAIRS_OF_PEER_MAX);
        // The same pair again waits with the first, and somebody else has a place.
        assert!(take(0, "10.0.0.1:2").is_some() && take(30, "10.0.0.2:1").is_some());
        let together: Vec<_> = (0..WAITING_MAX).filter_map(|_| take(40, "10.0.0.3:1")).collect();
        assert_eq!(together.len(), WAITING_MAX - PAIRS_OF_PEER_MAX);
        assert!(take(50, "10.0.0.4:1").is_none(), "there is an end to it");
        drop((guesses, together));
        assert!(waiting.lock().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer() {
        assert_eq!(peer("[2001:db8::1]:1"), peer("[2001:db8::ffff:1]:2"));
        assert_ne!(peer("[2001:db8::1]:1"), peer("[2001:db8:0:1::1]:1"));
        assert_ne!(peer("10.0.0.1:1"), peer("10.0.0.2:1"));
    }
}
