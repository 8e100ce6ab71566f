//! Bearer tokens: what each of them allows, and whose it is.
//!
//! *Invariants.* A token's text never prints.

use std::fmt;
use std::sync::Arc;

use strum::{EnumString, IntoStaticStr, VariantArray};

/// What a caller must be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Scope {
    /// Look. Open to everybody where nothing asks for a login.
    Read,
    /// Record cost.
    Record,
    /// Set money aside, and settle it.
    Reserve,
    /// Overrule the gate and the budgets, and change anything else that is not cost.
    Admin,
}

/// Several of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

/// A token as one of the settings has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: Box<str>,
    name: Option<Arc<str>>,
    scopes: Scopes,
}

// === impl Scopes ===

impl Scopes {
    /// Everything.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether this is one of them.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    const fn bit(scope: Scope) -> u8 {
        1 << scope as u8
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | Self::bit(scope)))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(Scope::VARIANTS.iter().filter(|scope| self.contains(**scope))).finish()
    }
}

// === impl Token ===

impl Token {
    /// A token that allows everything and has no name.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), name: None, scopes: Scopes::ALL }
    }

    /// A token that allows this, and whose it is.
    pub fn scoped(text: &str, name: &str, scopes: Scopes) -> Self {
        Self { text: text.into(), name: Some(name.into()), scopes }
    }

    /// The bytes to compare with, in constant time.
    pub fn expose(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whose it is.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// Whether it allows this.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").field("name", &self.name).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_allows_its_scopes_and_never_prints() {
        let scopes: Scopes = ["record", "reserve"].iter().map(|word| word.parse::<Scope>().unwrap()).collect();
        let token = Token::scoped("s3cret", "worker-7", scopes);
        let allowed: Vec<&str> =
            Scope::VARIANTS.iter().filter(|scope| token.allows(**scope)).map(|scope| (*scope).into()).collect();
        assert_eq!(allowed, ["record", "reserve"]);
        assert!(Scope::VARIANTS.iter().all(|scope| Token::new("s3cret").allows(*scope)));
        assert_eq!(format!("{token:?}"), r#"Token { name: Some("worker-7"), scopes: {Record, Reserve}, .. }"#);
    }
}
