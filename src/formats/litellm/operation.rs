//! What LiteLLM calls the things it does (`CallTypes` in its source), in the words of OpenTelemetry where there are any.

/// What a call type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallType {
    /// A provider is paid for it.
    Paid(&'static str),
    /// A provider was paid for it if there are counts or a cost: what is asked for again and again until it is done.
    PaidOnce(&'static str),
    /// It handles files, lists, threads and the like, or LiteLLM has learned something new: paid if there is a cost.
    Other,
}

/// Operations from which images come.
pub(super) const IMAGES: [&str; 2] = ["image_generation", "image_edit"];

/// Its functions that are paid, without the `a` of those that are awaited.
const CALL_TYPES: &[(&str, CallType)] = &[
    ("completion", CallType::Paid("chat")),
    ("responses", CallType::Paid("chat")),
    ("responses_websocket", CallType::Paid("chat")),
    ("compact_responses", CallType::Paid("chat")),
    ("anthropic_messages", CallType::Paid("chat")),
    ("generate_content", CallType::Paid("chat")),
    ("generate_content_stream", CallType::Paid("chat")),
    ("create_interaction", CallType::Paid("chat")),
    ("realtime", CallType::Paid("chat")),
    ("realtime_calls", CallType::Paid("chat")),
    ("text_completion", CallType::Paid("text_completion")),
    ("embedding", CallType::Paid("embeddings")),
    ("image_generation", CallType::Paid(IMAGES[0])),
    ("image_edit", CallType::Paid(IMAGES[1])),
    ("transcription", CallType::Paid("transcription")),
    ("speech", CallType::Paid("speech")),
    ("rerank", CallType::Paid("rerank")),
    ("search", CallType::Paid("search")),
    ("ocr", CallType::Paid("ocr")),
    ("create_video", CallType::Paid("video_generation")),
    ("video_generation", CallType::Paid("video_generation")),
    ("video_remix", CallType::Paid("video_generation")),
    ("video_edit", CallType::Paid("video_generation")),
    ("video_extension", CallType::Paid("video_generation")),
    ("retrieve_batch", CallType::PaidOnce("batch")),
    ("pass_through_endpoint", CallType::PaidOnce("pass_through")),
];

/// What a call type is.
pub(super) fn call_type(name: &str) -> CallType {
    let name = name.trim_start_matches('_');
    let known = |name: &str| CALL_TYPES.iter().find(|(known, _)| *known == name).map(|(_, call_type)| *call_type);
    known(name).or_else(|| known(name.strip_prefix('a')?)).unwrap_or(CallType::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_types_are_known_by_either_name() {
        for (name, expected) in [
            ("completion", CallType::Paid("chat")),
            ("acompletion", CallType::Paid("chat")),
            ("aresponses", CallType::Paid("chat")),
            ("_aresponses_websocket", CallType::Paid("chat")),
            ("anthropic_messages", CallType::Paid("chat")),
            ("aanthropic_messages", CallType::Paid("chat")),
            ("_arealtime", CallType::Paid("chat")),
            ("aembedding", CallType::Paid("embeddings")),
            ("atranscription", CallType::Paid("transcription")),
            ("amoderation", CallType::Other),
            ("aretrieve_batch", CallType::PaidOnce("batch")),
            ("alist_files", CallType::Other),
            ("", CallType::Other),
            ("a", CallType::Other),
        ] {
            assert_eq!(call_type(name), expected, "{name}");
        }
    }
}
