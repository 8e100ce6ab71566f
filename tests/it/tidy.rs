//! House rules as tests, so that nobody argues about them in review.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of `src/` each one may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("error_chain", &[]),
    ("systemd", &[]),
    ("people", &["domain"]),
    ("page", &["budget", "domain", "people", "query", "wire"]),
    ("budget", &["domain"]),
    ("wire", &["domain", "budget"]),
    ("ledger", &["domain"]),
    ("views", &["domain", "budget"]),
    ("writer", &["domain", "clock", "budget", "views", "ledger", "pricing", "wire"]),
    ("rating", &["domain", "ledger", "pricing", "writer"]),
    ("ingest", &["domain", "pricing"]),
    ("pricing", &["domain"]),
    ("formats", &["domain", "ingest", "wire"]),
    ("net", &[]),
    ("fleet", &["budget", "clock", "domain", "ledger", "query", "views", "writer"]),
    ("notify", &["budget", "domain", "clock", "ledger", "wire"]),
    ("telemetry", &["domain", "clock", "budget", "views"]),
    ("transfer", &["domain", "formats", "ingest", "ledger", "wire"]),
    ("query", &["domain", "views", "ledger"]),
    (
        "api",
        &[
            "domain",
            "clock",
            "budget",
            "views",
            "ingest",
            "formats",
            "ledger",
            "net",
            "page",
            "query",
            "writer",
            "telemetry",
            "transfer",
            "wire",
            "pricing",
            "fleet",
        ],
    ),
    (
        "config",
        &[
            "api",
            "budget",
            "domain",
            "fleet",
            "ingest",
            "ledger",
            "net",
            "notify",
            "pricing",
            "telemetry",
            "views",
            "wire",
            "writer",
        ],
    ),
    ("cli", &["budget", "clock", "config", "domain", "fleet", "ledger", "people", "pricing", "transfer", "wire"]),
    (
        "app",
        &[
            "api",
            "budget",
            "clock",
            "config",
            "fleet",
            "ledger",
            "net",
            "notify",
            "pricing",
            "query",
            "rating",
            "systemd",
            "telemetry",
            "writer",
        ],
    ),
];

/// Modules that only compute.
const PURE: &[&str] =
    &["domain", "budget", "views", "wire", "ingest", "formats", "page", "people", "pricing", "writer/decide"];
/// What would make them do more than that.
const NOT_PURE: &[&str] = &[
    "tokio",
    "warp",
    "hyper::",
    "hyper_util",
    "rusqlite",
    "opentelemetry::",
    "opentelemetry_",
    "SystemTime",
    "Instant::now",
    "rand::",
    "std::fs",
    "std::net",
    "std::env",
    "Timestamp::now",
];

const BANNED_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "manager", "handlers", "data", "info"];
/// Lines of a file without its unit tests.
const LINES_MAX: [(&str, usize); 3] = [("src", 350), ("tests", 400), ("benches", 400)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under a folder, with its path relative to it.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root().join(folder)).unwrap().to_str().unwrap().to_owned();
                found.push((relative, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The code without its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("tests/")
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// The modules of this crate that a text names: `crate::views::…` and, in `main.rs`, the crate's own name.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !is_comment(line)).collect::<Vec<_>>().join("\n");
    let mut used = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split(['}', ';']).next().unwrap();
            used.extend(group.split(',').map(|item| first_word(item.trim())));
        } else {
            used.insert(first_word(rest));
        }
    }
    used
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|char| char.is_ascii_alphanumeric() || *char == '_').collect()
}

#[test]
fn modules_use_only_the_ones_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let module = path.split(['/', '.']).next().unwrap();
        // What fuzzers call sees everything.
        if ["lib", "main", "fuzz_tests"].contains(&module) {
            continue;
        }
        let allowed =
            allowed.get(module).unwrap_or_else(|| panic!("src/{path}: the module {module} is not in the table of arrows"));
        let used = used_modules(if is_test_file(&path) { "" } else { without_tests(&text) });
        let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
        for other in
            used.iter().filter(|other| known.contains(other.as_str()) && *other != module && *other != "error_chain")
        {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!("src/{path} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_architecture_page_shows_these_modules_and_arrows() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let section = |heading: &str| page.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let is_word = |char: char| char.is_ascii_lowercase() || char == '_';
    let rows: BTreeMap<&str, &str> = section("Who may use whom")
        .lines()
        .filter_map(|line| line.split_once('→'))
        .map(|(from, to)| (from.trim(), to))
        .collect();
    let layout: BTreeSet<&str> = section("Layout").lines().filter_map(|line| line.split_whitespace().next()).collect();
    for (module, allowed) in ARROWS {
        assert!(
            [format!("{module}/"), format!("{module}.rs")].iter().any(|name| layout.contains(name.as_str())),
            "{module}"
        );
        let Some(row) = rows.get(module) else {
            assert!(allowed.is_empty(), "{module} has no row");
            continue;
        };
        let named: BTreeSet<&str> =
            row.split(|char| !is_word(char)).filter(|word| ARROWS.iter().any(|(known, _)| known == word)).collect();
        assert_eq!(named, allowed.iter().copied().collect(), "{module}");
    }
}

#[test]
fn pure_modules_do_nothing_but_compute() {
    let mut wrong = Vec::new();
    for (path, text) in
        sources("src").iter().filter(|(path, _)| PURE.iter().any(|pure| path.starts_with(pure)) && !is_test_file(path))
    {
        for (number, line) in without_tests(text).lines().enumerate().filter(|(_, line)| !is_comment(line)) {
            wrong.extend(
                NOT_PURE
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("src/{path}:{}: {word}", number + 1)),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_named_for_what_they_hold_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (folder, lines_max) in LINES_MAX {
        if !root().join(folder).exists() {
            continue;
        }
        for (path, text) in sources(folder) {
            let lines = without_tests(&text).lines().count();
            if lines > lines_max && !(folder == "src" && is_test_file(&path)) {
                wrong.push(format!("{folder}/{path} has {lines} lines"));
            }
            for part in path.trim_end_matches(".rs").split('/').filter(|part| BANNED_NAMES.contains(part)) {
                wrong.push(format!("{folder}/{path}: {part} says nothing about what is inside"));
            }
            let is_unit_test = folder == "src" && is_test_file(&path);
            if !text.starts_with("//!") && !is_unit_test {
                wrong.push(format!("{folder}/{path} does not begin with a doc comment"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_ignored() {
    // Put together here, so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
        concat!("dbg", "!("),
    ];
    let mut wrong = Vec::new();
    for folder in ["src", "tests"] {
        for (path, text) in sources(folder) {
            wrong.extend(marks.iter().filter(|mark| text.contains(**mark)).map(|mark| format!("{folder}/{path}: {mark}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
