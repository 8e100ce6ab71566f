//! What a script in `findings/` states at its top: the form of its README, and tests of ours that are there.
//!
//! Guards against: a finding whose guard was renamed or taken away, and one that nobody can start. The scripts themselves fetch packages, so no
//! test runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Lines of a script in which everything is stated.
const HEADER_LINES: usize = 12;
const STATED: [&str; 5] = ["# Package:", "# Expected:", "# Seen:", "# Output:", "# Here:"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("findings")).unwrap().map(|entry| entry.unwrap().path());
    let scripts: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "sh")).collect();
    assert!(!scripts.is_empty());
    scripts
}

fn header(script: &Path) -> String {
    let text = fs::read_to_string(script).unwrap();
    text.lines().take_while(|line| line.starts_with('#')).take(HEADER_LINES).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_states_what_was_expected_and_seen_can_be_run_and_is_listed() {
    let listed = fs::read_to_string(root().join("findings/README.md")).unwrap();
    for script in scripts() {
        let (name, header) = (script.file_name().unwrap().to_str().unwrap(), header(&script));
        for stated in STATED {
            assert!(header.contains(stated), "{name} has no {stated}");
        }
        assert_ne!(fs::metadata(&script).unwrap().permissions().mode() & 0o111, 0, "{name} cannot be run");
        assert!(listed.contains(&format!("]({name})")), "{name} is not listed");
    }
}

#[test]
fn the_tests_that_they_name_are_there() {
    for script in scripts() {
        let header = header(&script);
        let named = header.split(|char: char| char.is_whitespace() || char == ',' || char == ';');
        let mut file = "";
        // "path::name, name" names two tests of one file.
        for word in named.skip_while(|word| *word != "Here:") {
            let name = match word.split_once("::") {
                Some((path, name)) => {
                    file = path;
                    name
                }
                None if !file.is_empty() && word.contains('_') => word,
                None => continue,
            };
            let text = fs::read_to_string(root().join(file)).unwrap_or_default();
            let is_there = ["fn", "def"].iter().any(|word| text.contains(&format!("{word} {name}(")));
            assert!(is_there, "{}: no test {file}::{name}", script.display());
        }
    }
}
