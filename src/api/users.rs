//! Who may log in with a password.
//!
//! *Invariants.* A password is never kept: what was proven once is remembered as a keyed digest of it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use subtle::ConstantTimeEq;

/// The dearest hash that is taken: a login of cost 18 takes some 15 s.
const COST_MAX: u32 = 18;
/// The cheapest there is.
const COST_MIN: u32 = 4;

/// A keyed digest of a name, its hash and a password.
pub(super) type Digest = [u8; 32];

/// A password, hashed by bcrypt. Never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

/// The users, by name.
#[derive(Debug, Default)]
pub(super) struct Users(Vec<User>);

/// A user.
#[derive(Debug)]
pub(super) struct User {
    name: Box<str>,
    pub hash: PasswordHash,
    /// The digest of the pair that was found right. There is one right password, so one digest is enough.
    proven: Mutex<Option<Digest>>,
}

// === impl PasswordHash ===

impl PasswordHash {
    /// Takes a hash as it stands in the settings.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: bcrypt::HashParts =
            text.parse().map_err(|_| "is not a bcrypt hash, such as htpasswd -nB prints".to_owned())?;
        match parts.get_cost() {
            COST_MIN..=COST_MAX => Ok(Self(text.into())),
            cost => Err(format!("has a bcrypt hash of cost {cost}; allowed: {COST_MIN} to {COST_MAX}")),
        }
    }

    /// Whether this is the password. Takes as long as the hash was made to take: milliseconds to seconds.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        bcrypt::verify(password, &self.0).unwrap_or(false)
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

// === impl Users ===

impl Users {
    /// These users. What `before` knew of those that stay as they are is taken over.
    pub fn new(list: &[(String, PasswordHash)], before: &Self) -> Self {
        let mut users: Vec<User> = list.iter().map(|(name, hash)| User::new(name, hash, before)).collect();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        Self(users)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The user of this name.
    pub fn find(&self, name: &[u8]) -> Option<&User> {
        let found = self.0.binary_search_by(|user| user.name.as_bytes().cmp(name));
        found.ok().and_then(|index| self.0.get(index))
    }

    /// Somebody's hash, always the same for the same number: what to spend time on for a name that nobody has.
    pub fn decoy(&self, number: usize) -> Option<&User> {
        self.0.get(number.checked_rem(self.0.len())?)
    }
}

// === impl User ===

impl User {
    fn new(name: &str, hash: &PasswordHash, before: &Users) -> Self {
        let same = before.find(name.as_bytes()).filter(|user| user.hash == *hash);
        Self { name: name.into(), hash: hash.clone(), proven: Mutex::new(same.and_then(User::proven)) }
    }

    fn proven(&self) -> Option<Digest> {
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this was found right before.
    pub fn is_proven(&self, digest: &Digest) -> bool {
        self.proven().is_some_and(|proven| proven.ct_eq(digest).into())
    }

    /// Remembers what was found right.
    pub fn prove(&self, digest: Digest) {
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
    }
}
