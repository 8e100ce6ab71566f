//! What the README tells a newcomer to type prints what it says.

use std::fs;
use std::process::Command;

use crate::support::{Setup, tool};

/// The code blocks of the README: the language after the fence, and the text.
fn blocks() -> Vec<(String, String)> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut parts = readme.split("```").skip(1);
    let mut found = Vec::new();
    while let (Some(block), _) = (parts.next(), parts.next()) {
        let (language, text) = block.split_once('\n').unwrap();
        found.push((language.to_owned(), text.to_owned()));
    }
    found
}

#[test]
fn the_first_commands_print_what_is_written_below_them() {
    tool("curl");
    let blocks = blocks();
    let first =
        blocks.iter().position(|(language, text)| language == "sh" && text.starts_with("curl ")).expect("curl lines");
    let (commands, expected) = (&blocks[first].1, &blocks[first + 1].1);
    let agent = Setup::new().start();
    let here = commands.replace("localhost:8000", &agent.addr().to_string());
    let output = Command::new("sh").args(["-ec", &here]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // JSON answers end without a line feed, which the README puts in for its readers.
    let printed = String::from_utf8(output.stdout).unwrap().replace('\n', "");
    assert_eq!(printed, expected.replace('\n', ""));
}

#[test]
fn every_setting_in_the_table_exists() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let shown = Setup::new().verb(&["check-config", "--output", "json"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let table = readme.split("| environment | default |").nth(1).expect("a table of settings").split("\n\n").next().unwrap();
    let names: Vec<&str> = table.split('`').filter(|word| word.len() > 6 && is_environment_name(word)).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(shown.contains(&format!("\"{}\"", name.to_ascii_lowercase())), "{name} is no setting");
    }
}

fn is_environment_name(word: &str) -> bool {
    word.chars().all(|char| char.is_ascii_uppercase() || char == '_')
}
