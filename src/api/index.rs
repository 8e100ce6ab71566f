//! `GET /`: a page that says what runs here.

use std::sync::Arc;

use maud::{DOCTYPE, PreEscaped, html};
use warp::http::HeaderValue;
use warp::http::header::CONTENT_SECURITY_POLICY;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use super::query::Query;

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

/// What can be read here, in groups: title, then path and what it shows.
const READS: [(&str, &[(&str, &str)]); 4] = [
    (
        "Cost",
        &[
            ("/costs/daily", "cost of the day by service; date, by, service"),
            ("/costs/monthly", "cost of the month by service; month, by, service"),
            ("/costs/history", "cost of each of the last days; days, by, service"),
        ],
    ),
    (
        "Budgets and the scaling gate",
        &[
            ("/budgets", "where every budget stands"),
            ("/scaling-gate/status", "whether work that is not critical must stop, and why"),
            ("/scaling-gate/history", "when that changed; limit"),
            ("/scaling-gate/check?service=openai", "whether something may be spent now; operation, estimated_cost_usd"),
            ("/reservations", "what is set aside for work under way; state, limit, after"),
        ],
    ),
    (
        "Operation",
        &[
            ("/metrics", "all of it for Prometheus"),
            ("/health", "whether cost can be recorded"),
            ("/-/healthy", "probe: the process lives"),
            ("/-/ready", "probe: it can record"),
        ],
    ),
    ("Description", &[("/openapi.json", "OpenAPI document of everything here, for programs")]),
];

pub(super) async fn show(_: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    Query::of(&call, &[])?;
    let mut response = answer::uncached("text/html; charset=utf-8", page());
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

fn page() -> String {
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
                p { "Keeps an exact, durable ledger of what paid calls cost, and says when the budget is nearly gone." }
                @for (title, links) in READS {
                    h2 { (title) }
                    dl {
                        @for (path, says) in links {
                            dt { a href=(path) { (path) } }
                            dd { (says) }
                        }
                    }
                }
                h2 { "Recording" }
                p { code { "POST /costs" } " takes one event or many, as JSON or NDJSON:" }
                p { code { r#"{"id":"call-1","service":"openai","operation":"chat","amount_usd":"0.0015"}"# } }
                p.quiet { "An answer of 200 means that the events are on disk, and in every number above." }
                h2 { "Setting money aside" }
                p { code { "POST /reservations" } " before the work, so that no limit is passed, however many work at once:" }
                p { code { r#"{"id":"job-7","service":"openai","operation":"chat","estimated_cost_usd":"0.05","ttl_seconds":60}"# } }
                p {
                    "Then " code { "POST /reservations/{id}/commit" } " with the real cost, " code { "/release" } " or "
                    code { "/extend" } ". " code { "PUT /scaling-gate" } " with a state and a reason stops work by hand, or lets it go on."
                }
            }
        }
    };
    markup.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_links_to_everything_and_loads_nothing() {
        let page = page();
        for path in READS.iter().flat_map(|(_, links)| links.iter()).map(|(path, _)| path) {
            assert!(page.contains(&format!("href=\"{path}\"")), "{path}");
        }
        assert!(page.contains(env!("CARGO_PKG_VERSION")));
        for loads in ["src=", "<script", "<link", "url(", "http://", "https://"] {
            assert!(!page.contains(loads), "{loads}");
        }
    }
}
