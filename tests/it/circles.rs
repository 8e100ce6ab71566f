//! No circle of imports between the files of `src/`: each can be read and changed with only what it uses in mind.
//!
//! Imports are read as text. A name that a module re-exports counts as one of the file that defines it; re-exporting by itself
//! ties a `mod.rs` to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The path of a module, such as `["ledger", "ids", "filter"]`; empty for the crate's root.
type ModulePath = Vec<String>;

/// One file of `src/`.
struct Module {
    file: String,
    /// Paths that it uses, made absolute, and whether only to re-export them.
    uses: Vec<(ModulePath, bool)>,
    /// What a name that is imported here, by `use` or `pub use`, stands for.
    names: BTreeMap<String, ModulePath>,
}

type Modules = BTreeMap<ModulePath, Module>;

#[test]
fn no_file_uses_one_that_uses_it() {
    let modules = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(modules.len() > 100, "only {} files were found", modules.len());
    let arrows = arrows(&modules);
    let circles = circles(&arrows);
    let told: Vec<String> = circles.iter().map(|circle| describe(circle, &arrows)).collect();
    assert!(told.is_empty(), "files that use each other:\n{}", told.join("\n"));
}

#[test]
fn a_circle_is_found_through_re_exports_and_braces() {
    let mut modules = Modules::new();
    for (path, text) in [
        ("a", "mod x;\nmod y;\npub use x::One;\npub(crate) use y::{Two, three};"),
        ("a::x", "use super::{Two,\n three};\npub struct One;"),
        ("a::y", "use crate::a::One;\npub struct Two;"),
        ("b", "use crate::a::{One, Two as Other};\nfn f() { crate::c::g() }"),
        ("c", "use std::fmt; // use crate::b::f;\npub fn g() {}"),
    ] {
        let path: ModulePath = path.split("::").map(str::to_owned).collect();
        modules.insert(path.clone(), Module::read(path.join("/"), &path, text));
    }
    let arrows = arrows(&modules);
    assert_eq!(arrows["b"], BTreeSet::from(["a/x".to_owned(), "a/y".to_owned(), "c".to_owned()]));
    assert!(arrows["a"].is_empty() && arrows["c"].is_empty());
    assert_eq!(circles(&arrows), [BTreeSet::from(["a/x".to_owned(), "a/y".to_owned()])]);
}

/// Every file but those of unit tests.
fn modules(root: &Path) -> Modules {
    let mut found = Modules::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = relative.strip_suffix(".rs").filter(|name| !name.contains("tests")) {
                let mut module: ModulePath = name.split('/').map(str::to_owned).collect();
                if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                    module.pop();
                }
                let text = fs::read_to_string(&path).unwrap();
                found.insert(module.clone(), Module::read(relative, &module, &text));
            }
        }
    }
    found
}

impl Module {
    fn read(file: String, path: &[String], text: &str) -> Self {
        let code = without_comments_and_tests(text);
        let mut module = Self { file, uses: Vec::new(), names: BTreeMap::new() };
        for statement in code.split(';') {
            let Some((before, tree)) = split_at_use(statement) else {
                module.uses.extend(paths_in_code(statement).into_iter().map(|used| (absolute(path, &used), false)));
                continue;
            };
            // What stands before belongs to an item that ended without a semicolon.
            module.uses.extend(paths_in_code(before).into_iter().map(|used| (absolute(path, &used), false)));
            let is_public = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
            for (used, name) in leaves(tree) {
                let used = absolute(path, &used);
                module.names.insert(name, used.clone());
                module.uses.push((used, is_public));
            }
        }
        module
    }
}

fn without_comments_and_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// What stands before the keyword, and the tree of paths behind it.
fn split_at_use(statement: &str) -> Option<(&str, &str)> {
    let is_start = |at: usize| statement[..at].chars().last().is_none_or(|before| before.is_whitespace());
    statement
        .match_indices("use ")
        .find(|(at, _)| is_start(*at))
        .map(|(at, word)| (&statement[..at], &statement[at + word.len()..]))
}

/// The paths of a tree such as `a::{b, c::d as e}`, each with the name under which it is known here.
fn leaves(tree: &str) -> Vec<(ModulePath, String)> {
    let tree = tree.trim();
    let Some((prefix, group)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path = segments(path);
        let name = if alias.is_empty() { path.last().cloned().unwrap_or_default() } else { alias.trim().to_owned() };
        return vec![(path, name)];
    };
    let prefix = segments(prefix);
    let group = group.rsplit_once('}').map_or(group, |(inner, _)| inner);
    let mut found = Vec::new();
    for part in at_top_level(group) {
        for (mut path, mut name) in leaves(part) {
            if path == ["self"] {
                name = prefix.last().cloned().unwrap_or_default();
                path.clear();
            }
            found.push((prefix.iter().cloned().chain(path).collect(), name));
        }
    }
    found
}

/// The parts between commas that are in no further braces.
fn at_top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

fn segments(path: &str) -> ModulePath {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// `crate::a::b` and `super::a` where code names them in full; who may see an item is no use of it.
fn paths_in_code(code: &str) -> Vec<ModulePath> {
    let code = code.replace("pub(in crate::", "pub(").replace("pub(in super::", "pub(");
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == ':';
    let words = code.split(|char| !is_word(char));
    words.filter(|word| word.starts_with("crate::") || word.starts_with("super::")).map(segments).collect()
}

/// A path from the crate's root; unchanged when it begins with the name of something else, such as another crate.
fn absolute(module: &[String], used: &[String]) -> ModulePath {
    let mut base = module.to_vec();
    let mut rest = used;
    match used.first().map(String::as_str) {
        Some("crate") => base.clear(),
        Some("super" | "self") => {}
        // A child of this module, where there is one of this name; else another crate, which names no file here.
        _ => return base.into_iter().chain(used.iter().cloned()).collect(),
    }
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "crate" | "self" => {}
            "super" => drop(base.pop()),
            _ => break,
        }
        rest = others;
    }
    base.into_iter().chain(rest.iter().cloned()).collect()
}

/// Which files each one uses.
fn arrows(modules: &Modules) -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows = BTreeMap::new();
    for module in modules.values() {
        let used = module.uses.iter().filter(|(_, only_re_exported)| !only_re_exported);
        let files = used.filter_map(|(path, _)| defined_in(modules, path, 0)).filter(|file| **file != module.file);
        arrows.insert(module.file.clone(), files.cloned().collect());
    }
    arrows
}

/// The file that defines what a path names; `None` for what is not of this crate.
fn defined_in<'m>(modules: &'m Modules, path: &[String], depth: usize) -> Option<&'m String> {
    /// Re-exports of re-exports.
    const DEPTH_MAX: usize = 8;
    let known = (1..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    let module = &modules[&path[..known]];
    let Some(name) = path.get(known) else { return Some(&module.file) };
    let elsewhere = module.names.get(name).filter(|_| depth < DEPTH_MAX);
    elsewhere.and_then(|other| defined_in(modules, other, depth + 1)).or(Some(&module.file))
}

/// Sets of files each of which leads to all others.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = arrows.keys().map(|file| (file, reachable(arrows, file))).collect();
    let mut found: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (file, reached) in &reach {
        let circle: BTreeSet<String> =
            reached.iter().filter(|other| reach[**other].contains(file)).map(|other| (*other).clone()).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn reachable<'a>(arrows: &'a BTreeMap<String, BTreeSet<String>>, from: &String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = arrows[from].iter().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(&arrows[file]);
        }
    }
    reached
}

fn describe(circle: &BTreeSet<String>, arrows: &BTreeMap<String, BTreeSet<String>>) -> String {
    let lines = circle.iter().map(|file| {
        let others: Vec<&str> = arrows[file].intersection(circle).map(String::as_str).collect();
        format!("  {file} -> {}", others.join(", "))
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
