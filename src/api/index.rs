//! `GET /`: a page that says what runs here, made from the route table.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use warp::http::HeaderValue;
use warp::http::header::CONTENT_SECURITY_POLICY;
use warp::reply::Response;

use super::answer;
use super::call::Call;
use super::endpoint::{Endpoint, Group, Parameters, Verb};
use super::problem::Problem;
use super::query_string::QueryString;

/// The page loads nothing: its few rules of style stand in it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--quiet:#8889}\
body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1.25rem}\
h1{font-size:1.6rem;margin:0}h2{font-size:1rem;margin:2rem 0 .25rem}\
p{margin:.5rem 0}.quiet{opacity:.7}\
dl{display:grid;grid-template-columns:minmax(12rem,max-content) 1fr;margin:0;border-top:1px solid var(--line)}\
dt,dd{margin:0;padding:.4rem 1rem .4rem 0;border-bottom:1px solid var(--line)}\
code,dt{font-family:ui-monospace,monospace;font-size:.92em}\
@media(max-width:34rem){dl{display:block}dt{border:0;padding-bottom:0}}";

pub(super) fn show<'e>(call: &Call, endpoints: impl Iterator<Item = &'e Endpoint>) -> Result<Response, Problem> {
    QueryString::of(call)?;
    let mut response = answer::uncached("text/html; charset=utf-8", page(&endpoints.collect::<Vec<_>>()));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

fn page(endpoints: &[&Endpoint]) -> String {
    let name = env!("CARGO_PKG_NAME");
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { (name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (name) " " span.quiet { (env!("CARGO_PKG_VERSION")) } }
                p { "Keeps an exact, durable ledger of what paid API calls cost, and says when the budget is nearly used up." }
                @for group in Group::ALL {
                    h2 { (group.title()) }
                    dl {
                        @for endpoint in endpoints.iter().filter(|endpoint| endpoint.group == group) {
                            dt { (link(endpoint)) }
                            dd { (endpoint.summary) (parameters(endpoint)) }
                        }
                    }
                }
                h2 { "Record cost" }
                p { code { "POST /costs" } " with one event or many, as JSON or NDJSON:" }
                p { code { r#"{"id":"call-1","service":"openai","operation":"chat","amount_usd":"0.0015"}"# } }
                p.quiet { "200 means the events are on disk and included in every number above." }
                h2 { "Reserve before you spend" }
                p { code { "POST /reservations" } " before the work starts, so that no budget is exceeded however many workers run:" }
                p { code { r#"{"id":"job-7","service":"openai","operation":"chat","estimated_cost_usd":"0.05","ttl_seconds":60}"# } }
                p {
                    "Then settle it with " code { "POST /reservations/{id}/commit" } " and the real cost, or " code { "/release" }
                    " or " code { "/extend" } " it."
                }
            }
        }
    };
    markup.into_string()
}

/// The path, as a link where a browser can follow it.
fn link(endpoint: &Endpoint) -> Markup {
    let Endpoint { verb, path, link_query, .. } = endpoint;
    let target = format!("{path}{link_query}");
    html! {
        @if *verb == Verb::Get && !path.contains('{') { a href=(target) { (target) } } @else { (verb.as_str()) " " (path) }
    }
}

fn parameters(endpoint: &Endpoint) -> Markup {
    html! {
        @if let Parameters::Known(names @ [_, ..]) = endpoint.query {
            span.quiet { " (" (names.join(", ")) ")" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes::ROUTES;

    #[test]
    fn the_page_names_everything_and_loads_nothing() {
        let page = page(&ROUTES.iter().map(|route| &route.endpoint).collect::<Vec<_>>());
        for Endpoint { verb, path, summary, .. } in ROUTES.iter().map(|route| route.endpoint) {
            let is_link = verb == Verb::Get && !path.contains('{');
            let shown = if is_link { format!("<a href=\"{path}") } else { format!("<dt>{} {path}</dt>", verb.as_str()) };
            assert!(page.contains(&shown) && page.contains(summary), "{shown}");
        }
        assert!(page.contains("<a href=\"/scaling-gate/check?service=openai\">"));
        assert!(page.contains(env!("CARGO_PKG_VERSION")));
        for loads in ["src=", "<script", "<link", "url(", "http://", "https://"] {
            assert!(!page.contains(loads), "{loads}");
        }
    }
}
