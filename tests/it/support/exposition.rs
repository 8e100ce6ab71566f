//! Reads Prometheus text format 0.0.4, strictly.

use std::collections::{BTreeMap, BTreeSet};

/// One scrape.
#[derive(Debug, Default)]
pub struct Exposition {
    samples: BTreeMap<(String, BTreeMap<String, String>), f64>,
    pub types: BTreeMap<String, String>,
    pub helps: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads a scrape; a line that the format does not know, a doubled series or a sample without HELP fails the test.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                assert!(found.helps.insert(name.into(), help.into()).is_none(), "one HELP each: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("TYPE has a type");
                assert!(found.types.insert(name.into(), kind.into()).is_none(), "one TYPE each: {line}");
            } else {
                assert!(!line.starts_with('#'), "unknown comment: {line}");
                let (name, labels, value) = sample(line).unwrap_or_else(|| panic!("not a sample: {line}"));
                assert!(found.samples.insert((name, labels), value).is_none(), "a series appears once: {line}");
            }
        }
        for name in found.families() {
            assert!(found.helps.get(&name).is_some_and(|help| !help.is_empty()), "{name} has a HELP");
            assert!(found.types.contains_key(&name), "{name} has a TYPE");
        }
        found
    }

    /// The value of one series.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// Every series of a metric.
    pub fn series(&self, name: &str) -> impl Iterator<Item = (&BTreeMap<String, String>, f64)> {
        self.samples.iter().filter(move |((known, _), _)| known == name).map(|((_, labels), value)| (labels, *value))
    }

    /// The values of a metric by one label.
    pub fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        self.series(name).map(|(labels, value)| (labels[label].clone(), value)).collect()
    }

    /// Names of the metrics, histograms under their own name.
    pub fn families(&self) -> BTreeSet<String> {
        self.samples
            .keys()
            .map(|(name, _)| {
                ["_bucket", "_sum", "_count"]
                    .iter()
                    .filter_map(|suffix| name.strip_suffix(suffix))
                    .find(|base| self.types.get(*base).is_some_and(|kind| kind == "histogram"))
                    .unwrap_or(name)
                    .to_owned()
            })
            .collect()
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }
}

type Sample = (String, BTreeMap<String, String>, f64);

fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (key, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(key.to_owned(), value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    Some((name.to_owned(), labels, rest.strip_prefix(' ')?.parse().ok()?))
}

/// Reads up to the closing quote, undoing the format's three escapes.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            plain => value.push(plain),
        }
    }
    None
}

#[test]
fn labels_with_quotes_commas_and_braces_are_read_back() {
    let text = "# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"q\\\"},\\\\\\n\",y=\"\"} 1.5\n";
    let scrape = Exposition::parse(text);
    assert_eq!(scrape.get("a_total", &[("x", "q\"},\\\n"), ("y", "")]), Some(1.5));
}

#[test]
#[should_panic(expected = "a series appears once")]
fn a_doubled_series_fails_the_test() {
    Exposition::parse("# HELP a What.\n# TYPE a gauge\na 1\na 2\n");
}

#[test]
#[should_panic(expected = "has a HELP")]
fn a_metric_without_help_fails_the_test() {
    Exposition::parse("# TYPE a gauge\na 1\n");
}
