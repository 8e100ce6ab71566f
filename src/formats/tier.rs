//! Which service tiers are kept as an attribute of a call.

/// Bytes of a tier's name; known ones have eight.
const TIER_BYTES_MAX: usize = 64;

/// A tier that may have a price of its own. The usual one goes by several names, and `auto` leaves it to the provider.
pub(super) fn priced_tier(word: &str) -> Option<&str> {
    let is_usual = ["default", "standard", "auto"].iter().any(|usual| word.eq_ignore_ascii_case(usual));
    (!word.is_empty() && !is_usual && word.len() <= TIER_BYTES_MAX).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_tier_is_none() {
        for (word, tier) in [
            ("priority", Some("priority")),
            ("Flex", Some("Flex")),
            ("batch", Some("batch")),
            ("gold", Some("gold")),
            ("default", None),
            ("Standard", None),
            ("auto", None),
            ("", None),
        ] {
            assert_eq!(priced_tier(word), tier, "{word}");
        }
        assert!(priced_tier(&"x".repeat(TIER_BYTES_MAX)).is_some());
        assert_eq!(priced_tier(&"x".repeat(TIER_BYTES_MAX + 1)), None);
    }
}
