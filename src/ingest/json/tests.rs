use proptest::prelude::*;
use serde_json::Value as Tree;

use super::*;

/// Reads a text that is one value and nothing else.
fn read_value(text: &str) -> Result<Value<'_>, JsonError> {
    let mut reader = Reader::new(text)?;
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

fn problem(text: &str) -> JsonProblem {
    read_value(text).map(|value| value.raw().to_owned()).expect_err(text).problem
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn what_is_json_keeps_its_text() {
    let long_number = "1".repeat(10_000);
    for (text, shape) in [
        ("null", Shape::Null),
        (" true\r\n", Shape::Bool),
        ("false", Shape::Bool),
        ("-0", Shape::Number),
        ("0.0000000000000000000000000000001", Shape::Number),
        ("-1.50E+05", Shape::Number),
        ("1e400", Shape::Number),
        (&long_number, Shape::Number),
        ("\"\"", Shape::String),
        ("\"\u{7f}🙂 مرحبا \\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u00e9 \\uD83D\\ude42\"", Shape::String),
        ("[ ]", Shape::Array),
        ("[1,\t[2], {\"a\":[]}]", Shape::Array),
        ("{}", Shape::Object),
        ("{\"a\" : {\"a\":1}, \"\":{\"a\":2} , \"A\":null}", Shape::Object),
    ] {
        let value = read_value(text).unwrap();
        assert_eq!((value.raw(), value.shape()), (text.trim(), shape), "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_not_json_is_refused_with_its_reason() {
    use JsonProblem::{ByteOrderMark, ControlCharacter, Empty, Escape, LoneSurrogate, Number, TooDeep, Trailing, Truncated};
    for (text, expected) in [
        ("", Empty),
        (" \r\n", Empty),
        ("\u{feff}{}", ByteOrderMark),
        ("[", Truncated),
        ("{\"a\":1", Truncated),
        ("{\"a\"", Truncated),
        ("{", Truncated),
        ("[1,", Truncated),
        ("\"abc", Truncated),
        ("\"\\", Truncated),
        ("\"\\u12", Truncated),
        ("-", Truncated),
        ("1.", Truncated),
        ("1e+", Truncated),
        ("{} {}", Trailing),
        ("{}x", Trailing),
        ("1 2", Trailing),
        ("[]\0", Trailing),
        ("{}\u{feff}", Trailing),
        ("01", Number),
        ("-01.5", Number),
        ("[1.]", Number),
        ("[1.e5]", Number),
        ("[-x]", Number),
        ("[1e]", Number),
        ("\"a\nb\"", ControlCharacter),
        ("\"\u{0}\"", ControlCharacter),
        ("\"\\x41\"", Escape),
        ("\"\\'\"", Escape),
        ("\"\\u12g4\"", Escape),
        ("\"\\u+123\"", Escape),
        ("\"\\U0041\"", Escape),
        ("\"\\ud83d\"", LoneSurrogate),
        ("\"\\ud83d \\ude42\"", LoneSurrogate),
        ("\"\\ude42\"", LoneSurrogate),
        ("\"\\ud83d\\ud83d\"", LoneSurrogate),
        ("\"\\ud83d\\u0041\"", LoneSurrogate),
        ("{\"\\udc00\":1}", LoneSurrogate),
        (&nested(33), TooDeep),
        (&"[".repeat(100_000), TooDeep),
        (&"{\"a\":".repeat(33), TooDeep),
    ] {
        assert_eq!(problem(text), expected, "{text:?}");
    }
    for text in [
        "NaN",
        "Infinity",
        "-Infinity",
        "[nul]",
        "truE",
        "True",
        "undefined",
        "'a'",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1;2]",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "// x\n1",
        "/* x */ 1",
        "[+1]",
        "[.5]",
        "[0x10]",
        "[1_000]",
        "]",
        "}",
        "[}",
        "{]",
        "\u{a0}1",
        "[١]",
        "#",
        "\\",
    ] {
        let found = problem(text);
        let is_grammar = matches!(found, JsonProblem::Expected(_) | JsonProblem::Trailing | JsonProblem::Number);
        assert!(is_grammar, "{text:?}: {found:?}");
    }
}

#[test]
fn nesting_is_counted_in_containers() {
    assert!(read_value(&nested(DEPTH_MAX)).is_ok());
    // Depth is what lies in each other, not what follows.
    assert!(read_value(&format!("[{}]", [nested(31), nested(31)].join(","))).is_ok());
    assert_eq!(problem(&format!("[{}]", nested(32))), JsonProblem::TooDeep);
}

#[test]
fn a_key_stands_once_in_each_object_whatever_its_escapes() {
    let wide = |last: &str| {
        let keys: Vec<String> = (0..5_000).map(|at| format!("\"k{at}\":0")).collect();
        format!("{{{},\"{last}\":1}}", keys.join(","))
    };
    for (text, key) in [
        (r#"{"a":1,"a":1}"#.to_owned(), "a"),
        (r#"{"a":1,"b":2,"\u0061":3}"#.to_owned(), "a"),
        (r#"[{"x":{"y":[{"z":1,"z":2}]}}]"#.to_owned(), "z"),
        (r#"{"":1,"":2}"#.to_owned(), ""),
        (r#"{"a":{"b":1},"b":{"a":1},"a":2}"#.to_owned(), "a"),
        (wide("k17"), "k17"),
    ] {
        assert_eq!(problem(&text), JsonProblem::DuplicateKey(key.into()));
    }
    assert!(read_value(&wide("another")).is_ok());
    assert!(read_value(r#"[{"a":1},{"a":{"a":{"a":1}}}]"#).is_ok());
}

#[test]
fn strings_are_read_by_meaning() {
    for (raw, meaning) in [
        (r#""plain""#, "plain"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u0000""#, "Aé\0"),
        (r#""x\uD83D\uDE42y\udbff\udfff""#, "x🙂y\u{10ffff}"),
        (r#""é\\u0041""#, "é\\u0041"),
    ] {
        assert_eq!(read_value(raw).unwrap().text().as_deref(), Some(meaning), "{raw}");
    }
    assert_eq!(read_value("12").unwrap().text(), None);
}

#[test]
fn numbers_no_double_holds_are_marked_wherever_they_lie() {
    for (text, finite) in [
        ("1e308", true),
        ("1e309", false),
        ("-1e400", false),
        ("1e-400", true),
        ("{\"a\":[1e400],\"b\":1}", false),
        ("[1e400,{\"a\":1}]", false),
        ("\"1e400\"", true),
    ] {
        assert_eq!(read_value(text).unwrap().numbers_are_finite(), finite, "{text}");
    }
    assert!(!read_value(&"9".repeat(400)).unwrap().numbers_are_finite());
    let mut finite = Vec::new();
    read_value("{\"a\":1e400,\"b\":1}").unwrap().members(|_, value| finite.push(value.numbers_are_finite()));
    assert_eq!(finite, [false, true], "one number says nothing about the next");
}

#[test]
fn lines_are_read_one_by_one() {
    let text = "\n  \r\n{\"a\":1}\r\n\t\n{\"a\":2}";
    let mut reader = Reader::lines(text).unwrap();
    let mut seen = Vec::new();
    while reader.next_line() {
        seen.push(reader.value().unwrap().raw());
        reader.end().unwrap();
    }
    assert_eq!(seen, ["{\"a\":1}", "{\"a\":2}"]);
    assert!(!reader.next_line());

    let mut reader = Reader::lines("{\"a\":\n1}").unwrap();
    assert!(reader.next_line());
    assert_eq!(reader.value().unwrap_err().problem, JsonProblem::Truncated, "a value ends with its line");
    assert!(!Reader::lines("").unwrap().next_line());
}

#[test]
fn an_error_says_where_it_is() {
    let text = "[1,\n 2,\n é x]";
    let error = read_value(text).unwrap_err();
    assert_eq!(error.describe(text), "expected a JSON value (line 3, column 2)");
    let text = "{\"é\":1 \"b\"}";
    assert_eq!(read_value(text).unwrap_err().describe(text), "expected a comma or the end of the object (line 1, column 8)");
}

/// Any JSON, written by serde_json.
fn any_tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        // Eighths, which serde_json reads back exactly; it is a unit off with some other floats.
        any::<i16>().prop_map(|eighths| Tree::from(f64::from(eighths) / 8.0)),
        any::<String>().prop_map(Tree::from),
    ];
    leaf.prop_recursive(5, 60, 25, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Tree::from),
            proptest::collection::hash_map("[a-z\"\\\\]{0,3}|\\PC", inner, 0..20)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn everything_another_library_writes_is_read(tree in any_tree()) {
        for text in [serde_json::to_string(&tree).unwrap(), serde_json::to_string_pretty(&tree).unwrap()] {
            let value = read_value(&text).unwrap();
            prop_assert_eq!(value.raw(), &text);
            prop_assert_eq!(value.text().map(String::from), tree.as_str().map(String::from));
            let mut members = Vec::new();
            if value.members(|key, value| members.push((key.to_string(), value.raw().to_owned()))) {
                let object = tree.as_object().unwrap();
                prop_assert_eq!(members.len(), object.len());
                for (key, raw) in members {
                    prop_assert_eq!(&serde_json::from_str::<Tree>(&raw).unwrap(), &object[&key]);
                }
            }
        }
    }

    #[test]
    fn nothing_is_read_that_another_library_refuses(text in "[\\[\\]{}:,\"\\\\a-fu0-9eE.+ \n-]{0,24}|\\PC{0,12}") {
        if let Ok(value) = read_value(&text) {
            let tree = serde_json::from_str::<Tree>(&text);
            prop_assert!(tree.is_ok() || !value.numbers_are_finite(), "{text:?} {tree:?}");
        }
    }
}
