//! Which floor this process is, by its arguments.

use std::time::Duration;

use crate::{Outcome, floor_append, floor_disk, floor_scrape, floor_sqlite, floor_warp, groupings};

/// Being a floor: never returns before its work is over.
pub fn serve(arguments: &[String]) -> Outcome<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["warp-parse"] => floor_warp::parse_and_answer(),
        ["warp-same", path, content_type, body] => floor_warp::answer_the_same(path, content_type, body),
        ["append", file] => floor_append::run(file.as_ref()),
        ["disk", way, file, warm_up, measure] => floor_disk::run(way, file, seconds(warm_up)?, seconds(measure)?),
        ["sqlite", file, rows, warm_up, measure] => {
            floor_sqlite::run(file, rows.parse()?, seconds(warm_up)?, seconds(measure)?)
        }
        ["scrape", series, warm_up, measure] => floor_scrape::run(series.parse()?, seconds(warm_up)?, seconds(measure)?),
        ["group-by", file, column] => groupings::group_by(file, column),
        other => Err(format!("no such floor: {other:?}").into()),
    }
}

fn seconds(text: &str) -> Outcome<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}
