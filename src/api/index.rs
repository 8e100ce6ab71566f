//! `GET /`: for a browser the page, for programs and terminals what runs here and what it answers to, made from the route table.
//!
//! *Invariants.* The parameters are read the same way whatever the form, so that a link that is wrong is wrong for everybody.

use std::fmt::Write;
use std::sync::Arc;

use warp::http::HeaderValue;
use warp::http::header::VARY;
use warp::reply::Response;

use super::State;
use super::accept::Form;
use super::answer;
use super::call::Call;
use super::endpoint::{Endpoint, Group, Parameters, Verb};
use super::page;
use super::problem::Problem;
use crate::wire::{IndexAnswer, RouteItem};

/// What the program is for.
const DESCRIPTION: &str =
    "Keeps an exact, durable ledger of what paid API calls cost, and says when the budget is nearly used up.";
/// Columns of the text.
const COLUMNS: usize = 80;

/// Answers in the form that the client asks for.
pub(super) fn show(state: &Arc<State>, call: &Arc<Call>, endpoints: Vec<&'static Endpoint>) -> Response {
    let answer = match page::asked(call) {
        Err(problem) => Err(problem),
        Ok(asked) => match Form::of(&call.headers) {
            Form::Html => Ok(page::show(state, call, asked, endpoints)),
            Form::Json => answer::json(&index(&endpoints)),
            Form::Text => Ok(answer::uncached("text/plain; charset=utf-8", text(&endpoints))),
        },
    };
    let mut response = answer.unwrap_or_else(Problem::into_response);
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    response
}

fn index(endpoints: &[&'static Endpoint]) -> IndexAnswer<'static> {
    let route = |endpoint: &&'static Endpoint| RouteItem {
        method: method(endpoint.verb).into(),
        path: endpoint.path.into(),
        summary: endpoint.summary.into(),
        query: names(endpoint.query).iter().map(|name| (*name).into()).collect(),
    };
    IndexAnswer {
        program: env!("CARGO_PKG_NAME").into(),
        version: env!("CARGO_PKG_VERSION").into(),
        description: DESCRIPTION.into(),
        routes: endpoints.iter().map(route).collect(),
    }
}

/// Everything in lines that fit any terminal.
fn text(endpoints: &[&'static Endpoint]) -> String {
    let mut text = format!("{} {}\n", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    fill(&mut text, "", DESCRIPTION.split(' '));
    for group in Group::ALL {
        // Writing to a text does not fail.
        let _ = writeln!(text, "\n{}", group.title());
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.group == group) {
            let Endpoint { verb, path, summary, query, .. } = endpoint;
            let _ = writeln!(text, "  {:<4} {path}", method(*verb));
            fill(&mut text, "       ", summary.split(' '));
            if let names @ [_, ..] = names(*query) {
                let names = names.iter().map(|name| format!("?{name}"));
                fill(&mut text, "       ", names.collect::<Vec<_>>().iter().map(String::as_str));
            }
        }
    }
    text
}

/// Adds words in lines of at most [`COLUMNS`], each after an indent.
fn fill<'w>(text: &mut String, indent: &str, words: impl Iterator<Item = &'w str>) {
    let mut column = 0;
    for word in words {
        if column == 0 || column + 1 + word.len() > COLUMNS {
            text.push_str(if column == 0 { "" } else { "\n" });
            text.push_str(indent);
            column = indent.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

fn names(query: Parameters) -> &'static [&'static str] {
    match query {
        Parameters::Ignored => &[],
        Parameters::Known(names) | Parameters::Among(names) => names,
    }
}

const fn method(verb: Verb) -> &'static str {
    if matches!(verb, Verb::Any) { "*" } else { verb.as_str() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes::ROUTES;

    fn endpoints() -> Vec<&'static Endpoint> {
        ROUTES.iter().map(|route| &route.endpoint).collect()
    }

    #[test]
    fn the_index_says_of_every_route_what_the_table_does() {
        let json = serde_json::to_string(&index(&endpoints())).unwrap();
        let read: IndexAnswer<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!((read.routes.len(), &*read.version), (ROUTES.len(), env!("CARGO_PKG_VERSION")));
        assert!(json.contains(r#"{"method":"GET","path":"/budgets","summary":"List budgets","query":["key"]}"#), "{json}");
        assert!(json.contains(r#"{"method":"*","path":"/scaling-gate/authorize""#), "{json}");
    }

    #[test]
    fn the_text_names_everything_and_fits_a_terminal() {
        let text = text(&endpoints());
        for endpoint in endpoints() {
            let line = format!("  {:<4} {}", method(endpoint.verb), endpoint.path);
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
            assert!(text.replace("\n       ", " ").contains(endpoint.summary), "{}", endpoint.summary);
            assert!(names(endpoint.query).iter().all(|name| text.contains(&format!("?{name}"))));
        }
        let widest = text.lines().max_by_key(|line| line.len()).unwrap();
        assert!(widest.len() <= COLUMNS, "{widest}");
    }
}
