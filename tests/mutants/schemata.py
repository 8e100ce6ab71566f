"""Puts all mutants of some files into them at once, each behind a question that a variable of the environment answers: built once, run often.

What the mutants are, cargo-mutants says. Here they are only written so that each stands beside what it changes:
`a < b` becomes `(if crate::mutant::is(7) { a > b } else { a < b })`.
"""

import collections
import re

import tree_sitter
import tree_sitter_rust

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))

# What the question is answered by. `SEEN` names a file for the numbers of those that were asked about.
MODULE = """
use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

static CHOSEN: LazyLock<usize> = LazyLock::new(|| std::env::var("MUTANT").map_or(0, |number| number.parse().unwrap()));
static SEEN: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("MUTANTS_SEEN").ok());
static ASKED: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

#[inline(never)]
pub fn is(number: usize) -> bool {
    if let Some(path) = SEEN.as_ref() && !ASKED[number].swap(true, Ordering::Relaxed) {
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{number}\\n").as_bytes()).unwrap();
    }
    *CHOSEN == number
}
"""


class Site:
    """A place that mutants change: the tree's node, and for each number what stands there instead."""

    def __init__(self, start, end, default):
        self.start, self.end, self.default, self.others = start, end, default, []


def woven(text, mutants):
    """The text with the mutants in it, `(number, mutant)`, and the numbers of those that cannot be written so."""
    source = text.encode()
    tree = PARSER.parse(source).root_node
    offsets = line_offsets(text)
    sites, left_out = {}, []
    for number, mutant in mutants:
        start, end = (offset(text, offsets, mutant["span"][edge]) for edge in ("start", "end"))
        if not place(source, tree, sites, number, mutant, start, end):
            left_out.append(number)
    ordered = sorted(sites.values(), key=lambda site: (site.start, -site.end))
    return render(source, ordered, 0, len(source)).decode(), left_out


def place(source, tree, sites, number, mutant, start, end):
    """Notes what a mutant changes; False if it cannot be noted."""
    replacement = mutant["replacement"].encode()
    node = tree.descendant_for_byte_range(start, end)
    genre = mutant["genre"]
    if genre == "FnValue":
        # Its type would be that of the body too.
        if "impl " in mutant["function"]["return_type"]:
            return False
        site = sites.setdefault((start, start, genre), Site(start, start, None))
        site.others.append(b"if crate::mutant::is(%d) { return %s; }\n" % (number, replacement or b"()"))
        return True
    if genre == "BinaryOperator":
        node = node.parent if node.type not in ("binary_expression", "compound_assignment_expr") else node
        if node.type not in ("binary_expression", "compound_assignment_expr"):
            return False
        left, right = (node.child_by_field_name(side) for side in ("left", "right"))
        other = source[left.start_byte:left.end_byte] + b" " + replacement + b" " + source[right.start_byte:right.end_byte]
        return choice(sites, node.start_byte, node.end_byte, number, other)
    if genre == "UnaryOperator":
        node = node if node.type == "unary_expression" else node.parent
        if node.type != "unary_expression" or replacement:
            return False
        return choice(sites, node.start_byte, node.end_byte, number, source[end:node.end_byte])
    if genre == "MatchArmGuard":
        return choice(sites, start, end, number, replacement)
    if genre == "MatchArm":
        return arm(sites, tree, start, number)
    return False


def choice(sites, start, end, number, other):
    site = sites.setdefault((start, end, "choice"), Site(start, end, True))
    site.others.append(b"if crate::mutant::is(%d) { %s }\nelse " % (number, other))
    return True


def arm(sites, tree, start, number):
    """An arm that is not taken: its guard says so."""
    node = tree.descendant_for_byte_range(start, start + 1)
    while node is not None and node.type != "match_arm":
        node = node.parent
    if node is None:
        return False
    guard = node.child_by_field_name("pattern").child_by_field_name("condition")
    if guard is None:
        at = node.child_by_field_name("pattern").end_byte
        site = sites.setdefault((at, at, "arm"), Site(at, at, None))
        site.others.append(b"\n if !crate::mutant::is(%d)" % number)
        return True
    return choice(sites, guard.start_byte, guard.end_byte, number, b"false")


def render(source, sites, start, end):
    """The text from one place to another, with the sites that lie in between: a site's own text may have further ones in it."""
    parts, at = [], start
    while sites:
        site, *sites = sites
        inner = [other for other in sites if other.end <= site.end] if site.default else []
        sites = [other for other in sites if other.end > site.end] if site.default else sites
        parts.append(source[at:site.start])
        others = b"".join(site.others)
        if site.default:
            others = b"(" + others + b"{ " + render(source, inner, site.start, site.end) + b" }\n)"
        parts.append(others)
        at = site.end
    parts.append(source[at:end])
    return b"".join(parts)


def line_offsets(text):
    offsets, at = [], 0
    for line in text.split("\n"):
        offsets.append(at)
        at += len(line.encode()) + 1
    return offsets


def offset(text, offsets, place):
    """The byte at a line and a column, which is one of characters."""
    line = text.split("\n")[place["line"] - 1]
    return offsets[place["line"] - 1] + len(line[: place["column"] - 1].encode())


def blamed(text, stretches):
    """The numbers of the mutants in lines that do not compile, else those of the nearest line above."""
    lines = text.split("\n")
    within = "\n".join("\n".join(lines[max(first - 1, 0) : last]) for first, last in stretches)
    found = re.findall(r"mutant::is\((\d+)\)", within)
    for line in reversed(lines[: max(min(first for first, _ in stretches), 0)] if not found else []):
        found = re.findall(r"mutant::is\((\d+)\)", line)
        if found:
            break
    return {int(number) for number in found}


def by_file(mutants):
    files = collections.defaultdict(list)
    for number, mutant in enumerate(mutants, 1):
        files[mutant["file"]].append((number, mutant))
    return files
