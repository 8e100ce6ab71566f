use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::endpoint::{Accepts, Group, Parameters};
use crate::api::openapi::DOCUMENT;
use crate::api::problem::KINDS;
use crate::api::routes::ROUTES;
use crate::api::token::Scope;

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().map(|items| items.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// The parameters of an operation that stand in one place, by name.
fn parameters<'d>(document: &'d Value, operation: &'d Value, place: &str) -> Vec<&'d str> {
    let all = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let all = all.map(|parameter| match parameter["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => parameter,
    });
    all.filter(|parameter| parameter["in"] == place).map(|parameter| parameter["name"].as_str().unwrap()).collect()
}

#[test]
fn the_document_describes_exactly_the_routes() {
    let document = document();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    assert_eq!(tags, Group::ALL.map(Group::title));
    let described: BTreeSet<(&str, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.as_str(), method.to_uppercase())))
        .collect();
    let served: BTreeSet<(&str, String)> =
        ROUTES.iter().map(|route| (route.endpoint.path, route.endpoint.verb.as_str().to_owned())).collect();
    assert_eq!(described, served);
    assert_eq!(served.len(), ROUTES.len(), "one row for each method of a path");
}

#[test]
fn the_document_promises_what_the_table_does() {
    let document = document();
    for endpoint in ROUTES.iter().map(|route| &route.endpoint) {
        let operation = &document["paths"][endpoint.path][endpoint.verb.as_str().to_lowercase()];
        let named = format!("{} {}", endpoint.verb.as_str(), endpoint.path);
        assert_eq!(operation["summary"], endpoint.summary, "{named}");
        assert!(!endpoint.summary.is_empty(), "{named}");
        assert_eq!(words(&operation["tags"]), [endpoint.group.title()], "{named}");
        let ways: Vec<&str> = operation["security"]
            .as_array()
            .unwrap()
            .iter()
            .map(|way| way.as_object().unwrap().keys().next().map_or("", String::as_str))
            .collect();
        // A login is asked for only where it is set; a password lets nobody write.
        let expected = if endpoint.scope == Scope::Read { &["", "password", "token"][..] } else { &["token", ""] };
        assert_eq!(ways, expected, "{named}");
        let (query, is_strict) = match endpoint.query {
            Parameters::Known(names) | Parameters::Among(names) => (names, true),
            Parameters::Ignored => (&[][..], false),
        };
        assert_eq!(parameters(&document, operation, "query"), query, "{named}");
        assert_eq!(operation["responses"].get("400").is_some(), is_strict, "{named}");
        assert_eq!(parameters(&document, operation, "path").is_empty(), !endpoint.path.contains('{'), "{named}");
        let body = &operation["requestBody"];
        let types: Vec<&str> =
            body["content"].as_object().map(|content| content.keys().map(String::as_str).collect()).unwrap_or_default();
        let mut accepted = endpoint.accepts.media_types();
        accepted.sort_unstable();
        assert_eq!(types, accepted, "{named}");
        let is_required = !matches!(endpoint.accepts, Accepts::Nothing | Accepts::OptionalJson);
        assert_eq!(body["required"].as_bool().unwrap_or_default(), is_required, "{named}");
    }
}

#[test]
fn the_examples_are_problems_that_there_are() {
    let document = document();
    let mut shown = BTreeSet::new();
    for response in document["components"]["responses"].as_object().unwrap().values() {
        let content = &response["content"]["application/problem+json"];
        let many = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
        for example in content.get("example").into_iter().chain(many) {
            let slug = example["type"].as_str().unwrap().strip_prefix("/problems/").unwrap();
            let kind = KINDS.iter().find(|kind| kind.slug == slug).unwrap_or_else(|| panic!("{slug}"));
            assert_eq!(
                (&example["title"], &example["status"]),
                (&kind.title.into(), &kind.status.as_u16().into()),
                "{slug}"
            );
            shown.insert(slug);
        }
    }
    let described = DOCUMENT;
    for kind in KINDS {
        let is_routing = ["not-found", "method-not-allowed"].contains(&kind.slug);
        assert!(is_routing || described.contains(kind.slug), "{} is nowhere", kind.slug);
    }
    assert!(shown.len() > 10);
}

/// Guards against: an example that a linter (Spectral 6, Redocly 2) takes for wrong, since a field is missing that the schema asks for.
#[test]
fn examples_have_what_their_schemas_ask_for_and_arrays_say_of_what() {
    fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
        schema["$ref"].as_str().map_or(schema, |reference| document.pointer(reference.trim_start_matches('#')).unwrap())
    }
    fn look(document: &Value, value: &Value, examples: &mut usize) {
        let is_array = value["type"] == "array" || words(&value["type"]).contains(&"array");
        assert!(!is_array || value["items"].is_object(), "an array of what? {value}");
        if let (Some(schema), Some(example)) = (value.get("schema"), value.get("example")) {
            let mut schema = resolved(document, schema);
            let mut items = std::slice::from_ref(example);
            if let (Some(of), Some(several)) = (schema.get("items"), example.as_array()) {
                (schema, items) = (resolved(document, of), several);
            }
            for (item, required) in
                items.iter().flat_map(|item| words(&schema["required"]).into_iter().map(move |name| (item, name)))
            {
                assert!(item.get(required).is_some(), "no {required} in {item}");
                *examples += 1;
            }
        }
        match value {
            Value::Object(members) => members.values().for_each(|value| look(document, value, examples)),
            Value::Array(items) => items.iter().for_each(|value| look(document, value, examples)),
            _ => {}
        }
    }
    let mut examples = 0;
    look(&document(), &document(), &mut examples);
    assert!(examples > 100, "{examples}");
}

#[test]
fn the_reference_names_every_route_and_every_problem() {
    let reference = include_str!("../../../docs/reference.md");
    for kind in KINDS {
        assert!(reference.contains(&format!("`{}`", kind.slug)), "{}", kind.slug);
    }
    for path in ROUTES.iter().map(|route| route.endpoint.path) {
        // Paths that share a beginning may be listed by their ends: `/reservations/{id}/commit`, `/release`, `/extend`.
        let end = path.rfind('/').map_or(path, |start| &path[start..]);
        assert!(reference.contains(&format!("{path}`")) || reference.contains(&format!("`{end}`")), "{path}");
    }
}
