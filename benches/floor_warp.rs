//! Bare warp: routes that do nothing but what HTTP demands, on the runtime that a program gets without asking for another.

use std::net::Ipv4Addr;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use tokio::net::TcpListener;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use warp::{Filter, Reply};

use crate::Outcome;
use crate::floor::until_the_bench_ends;

/// An event as far as it must be read to be refused when it is none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub id: String,
    pub service: String,
    pub operation: String,
    pub amount_usd: f64,
}

/// `POST /costs` that parses one event and answers like the agent, keeping nothing.
pub fn parse_and_answer() -> Outcome<()> {
    let route = warp::post().and(warp::path("costs")).and(warp::path::end()).and(warp::body::json()).map(|event: Event| {
        std::hint::black_box((event.id, event.service, event.operation, event.amount_usd));
        warp::reply::with_header(r#"{"accepted":1,"duplicates":0}"#, CONTENT_TYPE, "application/json").into_response()
    });
    serve(route)
}

/// `GET` of a path that answers these bytes.
pub fn answer_the_same(path: &str, content_type: &str, body: &str) -> Outcome<()> {
    let segment: String = path.trim_start_matches('/').to_owned();
    let (content_type, body) = (content_type.to_owned(), bytes::Bytes::from(body.to_owned()));
    let route = warp::get().and(warp::path::full()).and_then(move |asked: warp::path::FullPath| {
        let known = asked.as_str().trim_start_matches('/') == segment;
        let reply = warp::reply::Response::new(body.clone().into());
        let content_type = content_type.clone();
        async move {
            if !known {
                return Err(warp::reject::not_found());
            }
            let reply = warp::reply::with_header(reply, CONTENT_TYPE, content_type);
            Ok(warp::reply::with_header(reply, CACHE_CONTROL, "no-store"))
        }
    });
    serve(route)
}

/// Serves until the bench ends, each connection by hyper as it is.
pub fn serve<F>(route: F) -> Outcome<()>
where
    F: Filter<Error = warp::Rejection> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
{
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    println!("{}", listener.local_addr()?);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Only a hint; without it answers come no less.
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(warp::service(route.clone()));
            tokio::spawn(async move {
                // A client that leaves in the middle is none of a floor's business.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    until_the_bench_ends();
    Ok(())
}
