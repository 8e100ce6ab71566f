//! What the project's pages name is there: files and headings behind links, settings, bounds.
//!
//! Guards against: a link that leads nowhere after a page was renamed or a heading reworded, a page that nobody finds from the
//! index, a setting in a guide that the program does not know, a bound that the sources no longer have.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::support::Setup;

/// Names in capitals that other programs read, or that only the guides' own commands use.
const NOT_OURS: &[&str] = &[
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "CONFIG_FILE",
    "LANGFUSE_SECRET_KEY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "NO_COLOR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_STATE_HOME",
    // What LiteLLM reads.
    "GENERIC_LOGGER_ENDPOINT",
    "OPENMETER_API_ENDPOINT",
    // What the Python client reads.
    "LEAD_FACTORY_METRICS_URL",
    "LEAD_FACTORY_METRICS_TOKEN",
    "LEAD_FACTORY_METRICS_SPOOL",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the checkout whose name ends so, relative to the checkout. Nothing that was built or is hidden.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(end) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn pages() -> BTreeMap<PathBuf, String> {
    let read = |page: PathBuf| (page.clone(), fs::read_to_string(root().join(page)).unwrap());
    files("", ".md").into_iter().map(read).collect()
}

/// A page without its blocks of code, where nothing is a heading or a link.
fn prose(page: &str) -> String {
    let mut fence: Option<String> = None;
    let mut kept = String::new();
    for line in page.lines() {
        let ticks: String = line.trim_start().chars().take_while(|char| *char == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => kept.extend([line, "\n"]),
        }
    }
    kept
}

/// The texts between single backticks.
fn code_words(prose: &str) -> impl Iterator<Item = &str> {
    prose.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
}

/// Where the links of a text lead. Code is no link, whatever it looks like.
fn targets(prose: &str) -> Vec<String> {
    let without_code: String =
        prose.split("\n\n").flat_map(|paragraph| paragraph.split('`').step_by(2).chain(["\n\n"])).collect();
    without_code.split("](").skip(1).map(|rest| rest.split([')', ' ']).next().unwrap().to_owned()).collect()
}

/// The anchors that GitHub gives the headings of a page: lower case, blanks as dashes, no punctuation; a text that comes again
/// gets a number.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for line in prose(page).lines() {
        let level = line.chars().take_while(|char| *char == '#').count();
        let Some(heading) = line[level..].strip_prefix(' ').filter(|_| (1..=6).contains(&level)) else { continue };
        let slug = slug(&shown(heading));
        let before = times.entry(slug.clone()).or_default();
        found.insert(if *before == 0 { slug } else { format!("{slug}-{before}") });
        *before += 1;
    }
    found
}

/// A heading as it is read: of a link only its text.
fn shown(heading: &str) -> String {
    let mut parts = heading.trim().split("](");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, rest)| rest))
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}

/// A path from the checkout's root, without `..`; nothing when it leads out of it.
fn resolved(folder: &Path, target: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    Some(path)
}

/// What is wrong with a link.
fn problem(pages: &BTreeMap<PathBuf, String>, from: &Path, link: &str) -> Option<&'static str> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let Some(target) = (if file.is_empty() { Some(from.to_owned()) } else { resolved(from.parent().unwrap(), file) }) else {
        return Some("leads out of the checkout");
    };
    if !root().join(&target).exists() {
        return Some("no such file");
    }
    let anchor = anchor?;
    match pages.get(&target) {
        Some(page) if anchors(page).contains(anchor) => None,
        Some(_) => Some("no such heading"),
        None => Some("an anchor into what is no page"),
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let pages = pages();
    let (mut wrong, mut followed) = (Vec::new(), 0);
    for (name, page) in &pages {
        for link in targets(&prose(page)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            followed += 1;
            if let Some(problem) = problem(&pages, name, &link) {
                wrong.push(format!("{}: {link}: {problem}", name.display()));
            }
        }
    }
    assert!(followed > 100, "only {followed} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_index_of_the_guides_lists_each_of_them() {
    let pages = pages();
    let listed: BTreeSet<_> = targets(&prose(&pages[Path::new("docs/README.md")]))
        .into_iter()
        .filter_map(|link| resolved(Path::new("docs"), link.split('#').next().unwrap()))
        .collect();
    let in_docs = |page: &&PathBuf| page.parent() == Some(Path::new("docs")) && !page.ends_with("README.md");
    let missing: Vec<_> = pages.keys().filter(in_docs).filter(|page| !listed.contains(*page)).collect();
    assert!(missing.is_empty(), "docs/README.md does not list {missing:?}");
}

#[test]
fn settings_and_bounds_in_the_guides_exist() {
    let shown = Setup::new().verb(&["check-config", "--output", "json"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let sources: String = files("src", ".rs").iter().map(|file| fs::read_to_string(root().join(file)).unwrap()).collect();
    let mut wrong = Vec::new();
    for (name, page) in pages().iter().filter(|(name, _)| name.starts_with("docs") || name.ends_with("README.md")) {
        for word in code_words(&prose(page)) {
            let setting = word.split_once('=').map_or(word, |(setting, _)| setting);
            let last = setting.rsplit("::").next().unwrap();
            let is_name = last.chars().all(|char| char.is_ascii_uppercase() || char == '_') && last.contains('_');
            if !is_name || last.starts_with('_') || last.ends_with('_') {
                continue;
            }
            let is_cap = last.ends_with("_DAILY_CAP") || last.ends_with("_MONTHLY_CAP");
            let is_setting = shown.contains(&format!("\"{}\"", last.to_ascii_lowercase()));
            let is_bound = sources.contains(&format!("const {last}:"));
            if !(is_cap || is_setting || is_bound || NOT_OURS.contains(&last)) {
                wrong.push(format!("{}: {word}", name.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "neither a setting nor a constant:\n{}", wrong.join("\n"));
}

#[test]
fn headings_and_links_are_read_as_github_reads_them() {
    let page = "# A `b_c`: d, e\n## [Link](x.md) – end\n## Twice\n```sh\n# no heading\n[no](link)\n```\n## Twice\n";
    assert_eq!(anchors(page), ["a-b_c-d-e", "link--end", "twice", "twice-1"].map(String::from).into());
    assert_eq!(targets(&prose("[a](b.md#c) `[no](d)` ![e](f.svg \"g\")\n")), ["b.md#c", "f.svg"]);
    assert_eq!(resolved(Path::new("docs/runbooks"), "../operations.md"), Some("docs/operations.md".into()));
    assert_eq!(resolved(Path::new("docs"), "../../elsewhere"), None);
}
