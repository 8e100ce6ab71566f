//! Problems in the terms of gRPC.

use bytes::Bytes;
use prost::encoding::{bytes as bytes_field, int32, int64, string};
use tonic::{Code, Status};

use crate::api::problem::Problem;
use crate::formats::otlp;

/// The problem in the terms of gRPC.
pub(super) fn status_of(problem: &Problem) -> Status {
    let code = otlp::code(problem.status());
    let detail = problem.detail().into_owned();
    match problem.retry_after() {
        Some(seconds) if code == Code::Unavailable as i32 => {
            let details = retry_info(code, &detail, seconds.parse().unwrap_or(1));
            Status::with_details(Code::Unavailable, detail, details)
        }
        _ => Status::new(Code::from_i32(code), detail),
    }
}

/// `google.rpc.Status` with a `google.rpc.RetryInfo`.
fn retry_info(code: i32, detail: &str, seconds: i64) -> Bytes {
    let (mut duration, mut retry, mut any, mut status) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    int64::encode(1, &seconds, &mut duration);
    bytes_field::encode(1, &duration, &mut retry);
    string::encode(1, &"type.googleapis.com/google.rpc.RetryInfo".to_owned(), &mut any);
    bytes_field::encode(2, &retry, &mut any);
    int32::encode(1, &code, &mut status);
    string::encode(2, &detail.to_owned(), &mut status);
    bytes_field::encode(3, &any, &mut status);
    status.into()
}
