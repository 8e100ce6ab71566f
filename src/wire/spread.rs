//! `GET /costs/leads` and `/costs/batches`.

use serde::{Deserialize, Serialize};

use crate::domain::{Spread, Usd};

/// The two answers differ in two names.
macro_rules! spread {
    ($answer:ident, $item:ident, $many:ident, $one:ident, $what:literal) => {
        #[doc = concat!("How cost spreads over ", $what, ".")]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $answer {
            #[doc = concat!("How many ", $what, " cost anything, or had events that add up to 0.")]
            pub $many: u64,
            #[doc = concat!("What was for ", $what, ".")]
            pub attributed_usd: Usd,
            /// The rest.
            pub unattributed_usd: Usd,
            /// Both.
            pub total_usd: Usd,
            /// On average, rounded half to even at the twelfth decimal.
            pub mean_usd: Option<Usd>,
            /// The one in the middle; the mean of two, rounded in the same way.
            pub median_usd: Option<Usd>,
            /// The 95th percentile, by nearest rank.
            pub p95_usd: Option<Usd>,
            /// The 20 most expensive.
            pub top: Vec<$item>,
        }

        #[doc = concat!("One of the ", $what, ".")]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $item {
            /// Its name.
            pub $one: Box<str>,
            /// What it cost.
            pub cost_usd: Usd,
        }

        impl From<Spread> for $answer {
            fn from(spread: Spread) -> Self {
                let Spread { count, attributed, unattributed, mean, median, p95, top } = spread;
                Self {
                    $many: count,
                    attributed_usd: attributed,
                    unattributed_usd: unattributed,
                    total_usd: attributed + unattributed,
                    mean_usd: mean,
                    median_usd: median,
                    p95_usd: p95,
                    top: top.into_iter().map(|($one, cost_usd)| $item { $one, cost_usd }).collect(),
                }
            }
        }
    };
}

spread!(LeadCosts, LeadCost, leads, lead, "leads");
spread!(BatchCosts, BatchCost, batches, batch, "batches");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_their_order_and_come_back() {
        let usd = |text: &str| text.parse::<Usd>().unwrap();
        let spread = Spread::of(vec![usd("0.1"), usd("0.3")], usd("1.000000000001"), vec![("a".into(), usd("0.3"))]);
        let json = serde_json::to_string(&LeadCosts::from(spread.clone())).unwrap();
        assert_eq!(
            json,
            r#"{"leads":2,"attributed_usd":0.4,"unattributed_usd":1.000000000001,"total_usd":1.400000000001,"mean_usd":0.2,"median_usd":0.2,"p95_usd":0.3,"top":[{"lead":"a","cost_usd":0.3}]}"#
        );
        assert_eq!(serde_json::from_str::<LeadCosts>(&json).unwrap(), spread.into());
        let none = serde_json::to_string(&BatchCosts::from(Spread::default())).unwrap();
        assert_eq!(
            none,
            r#"{"batches":0,"attributed_usd":0,"unattributed_usd":0,"total_usd":0,"mean_usd":null,"median_usd":null,"p95_usd":null,"top":[]}"#
        );
        assert_eq!(serde_json::from_str::<BatchCosts>(&none).unwrap(), Spread::default().into());
    }
}
