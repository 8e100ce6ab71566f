//! `GET /openapi.json`: the description of everything served here, for programs.

use std::sync::Arc;

use bytes::Bytes;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::problem::Problem;
use super::query::Query;

/// Kept by hand beside the handlers. A test compares it with the route table and the problems.
const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn show(_: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    Query::of(&call, &[])?;
    Ok(answer::uncached("application/json", Bytes::from_static(DOCUMENT.as_bytes())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_describes_exactly_the_routes() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())))
            .collect();
        // The table is read as text: warp does not tell what a filter matches.
        let served: BTreeSet<(String, String)> = include_str!("routes.rs")
            .lines()
            .filter_map(|line| {
                let (kind, rest) = line.trim().split_once("(state, \"")?;
                let method = match kind {
                    "read" => "get",
                    "put" => "put",
                    _ => "post",
                };
                Some((rest.split_once('"')?.0.to_owned(), method.to_owned()))
            })
            .collect();
        assert_eq!(described, served);
        assert_eq!(served.len(), 21);
    }
}
