//! What must hold whatever comes in: one function for each target of `fuzz/`, which a fuzzer calls with bytes of its own making, and
//! every run of the tests with those of `fuzz/corpus`. A function that returns has found nothing wrong.
//!
//! Those that look at what only their module sees are there: [`api`](crate::api), [`config`](crate::config) and
//! [`transfer`](crate::transfer) have a `fuzz_tests` of their own. What budgets decide is in `tests/it/model`, beside its model.

mod calls;
mod inflate;
mod ledger;
mod prices;

pub use crate::api::fuzz_tests::{cursor, headers, query};
pub use crate::config::fuzz_tests::{settings, web};
pub use crate::transfer::fuzz_tests::{events, import, requests};
pub use calls::{cloudevents, litellm, otlp};
pub use inflate::inflate;
pub use ledger::ledger;
pub use prices::{prices, usage_raw};

#[cfg(test)]
type Target = fn(&[u8]);

/// Every target here, by its name in `fuzz/`.
#[cfg(test)]
const TARGETS: &[(&str, Target)] = &[
    ("cloudevents", cloudevents),
    ("cursor", cursor),
    ("events", events),
    ("headers", headers),
    ("import", import),
    ("inflate", inflate),
    ("ledger", ledger),
    ("litellm", litellm),
    ("otlp", otlp),
    ("prices", prices),
    ("query", query),
    ("requests", requests),
    ("settings", settings),
    ("usage_raw", usage_raw),
    ("web", web),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::TARGETS;

    fn files(folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    fn names(folder: &str) -> BTreeSet<String> {
        files(folder).iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_fuzzing_has_found_stays_mended() {
        for (name, target) in TARGETS {
            let inputs = files(&format!("fuzz/corpus/{name}"));
            assert!(!inputs.is_empty(), "{name} begins with nothing");
            for input in inputs {
                println!("{}", input.display());
                target(&fs::read(input).unwrap());
            }
        }
    }

    #[test]
    fn every_target_has_a_program_and_a_corpus() {
        // `tests/it/model` reads the corpus of this one.
        let mut known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        known.insert("budgets".into());
        assert_eq!(names("fuzz/fuzz_targets"), known);
        assert_eq!(names("fuzz/corpus"), known);
    }
}
