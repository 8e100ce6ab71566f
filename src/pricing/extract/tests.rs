//! Each provider's real answers.

use super::*;
use crate::domain::{Quantity, Usd};

#[track_caller]
fn assert_usage(provider: &str, json: &str, expected: &[(&str, u64)]) {
    let found = extract(provider, json).unwrap();
    let expected: Vec<_> = expected.iter().map(|(name, count)| (*name, Quantity::of(*count))).collect();
    assert_eq!(found.usage, expected, "{provider} {json}");
}

#[test]
fn openai_is_read_by_its_own_rules() {
    assert_usage(
        "openai",
        r#"{"prompt_tokens":1000,"completion_tokens":50,"total_tokens":1050,
            "prompt_tokens_details":{"cached_tokens":800,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":0,"accepted_prediction_tokens":0}}"#,
        &[("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50), ("reasoning_output_tokens", 20)],
    );
    assert_usage(
        "openai",
        r#"{"input_tokens":1000,"input_tokens_details":{"cached_tokens":800},"output_tokens":50,
            "output_tokens_details":{"reasoning_tokens":20},"total_tokens":1050}"#,
        &[("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50), ("reasoning_output_tokens", 20)],
    );
    assert_usage("openai", r#"{"prompt_tokens":7,"total_tokens":7}"#, &[("input_tokens", 7), ("output_tokens", 0)]);
    assert_usage("openai", r#"{"type":"duration","seconds":12}"#, &[("seconds", 12)]);
    assert_usage(
        "openai",
        r#"{"total_tokens":4160,"input_tokens":100,"output_tokens":4060,
            "input_tokens_details":{"text_tokens":90,"image_tokens":10}}"#,
        &[("input_tokens", 100), ("image_input_tokens", 10), ("output_tokens", 4060), ("image_output_tokens", 4060)],
    );
    assert_usage(
        "openai",
        r#"{"total_tokens":253,"input_tokens":132,"output_tokens":121,
            "input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64,
              "cached_tokens_details":{"text_tokens":60,"audio_tokens":4}},
            "output_token_details":{"text_tokens":30,"audio_tokens":91}}"#,
        &[
            ("input_tokens", 132),
            ("cached_input_tokens", 64),
            ("audio_input_tokens", 13),
            ("cached_audio_input_tokens", 4),
            ("output_tokens", 121),
            ("audio_output_tokens", 91),
        ],
    );
}

#[test]
fn anthropic_google_and_bedrock_are_read_by_their_own_rules() {
    assert_usage(
        "anthropic",
        r#"{"input_tokens":100,"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"output_tokens":50,
            "cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":100},
            "server_tool_use":{"web_search_requests":2},"service_tier":"standard"}"#,
        &[
            ("input_tokens", 1000),
            ("cached_input_tokens", 600),
            ("cache_write_input_tokens", 200),
            ("cache_write_1h_input_tokens", 100),
            ("output_tokens", 50),
            ("searches", 2),
        ],
    );
    assert_usage(
        "anthropic",
        r#"{"input_tokens":100,"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"output_tokens":50}"#,
        &[("input_tokens", 1000), ("cached_input_tokens", 600), ("cache_write_input_tokens", 300), ("output_tokens", 50)],
    );
    assert_usage(
        "google",
        r#"{"promptTokenCount":1000,"cachedContentTokenCount":800,"candidatesTokenCount":30,"thoughtsTokenCount":20,
            "toolUsePromptTokenCount":5,"totalTokenCount":1055,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":900},{"modality":"AUDIO","tokenCount":100}],
            "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":40}]}"#,
        &[
            ("input_tokens", 1005),
            ("cached_input_tokens", 800),
            ("audio_input_tokens", 100),
            ("cached_audio_input_tokens", 40),
            ("output_tokens", 50),
            ("reasoning_output_tokens", 20),
        ],
    );
    assert_usage(
        "google",
        r#"{"prompt_token_count":1000,"cached_content_token_count":null,"candidates_token_count":30,"thoughts_token_count":20}"#,
        &[("input_tokens", 1000), ("output_tokens", 50), ("reasoning_output_tokens", 20)],
    );
    assert_usage(
        "aws",
        r#"{"inputTokens":100,"outputTokens":50,"totalTokens":1050,"cacheReadInputTokens":600,"cacheWriteInputTokens":300,
            "cacheDetails":[{"ttl":"5m","inputTokens":200},{"ttl":"1h","inputTokens":100}]}"#,
        &[
            ("input_tokens", 1000),
            ("cached_input_tokens", 600),
            ("cache_write_input_tokens", 200),
            ("cache_write_1h_input_tokens", 100),
            ("output_tokens", 50),
        ],
    );
    assert_usage(
        "openai",
        r#"{"inputTokens":1000,"outputTokens":50,"totalTokens":1050,"reasoningTokens":20,"cachedInputTokens":800}"#,
        &[("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50), ("reasoning_output_tokens", 20)],
    );
}

#[test]
fn others_are_read_by_their_own_rules() {
    assert_usage("mistral", r#"{"pages_processed":29,"doc_size_bytes":null}"#, &[("pages", 29)]);
    assert_usage(
        "cohere",
        r#"{"billed_units":{"input_tokens":10,"output_tokens":5,"search_units":1},"tokens":{"input_tokens":80,"output_tokens":5}}"#,
        &[("input_tokens", 10), ("output_tokens", 5), ("searches", 1)],
    );
    assert_usage(
        "deepseek",
        r#"{"prompt_tokens":1000,"completion_tokens":50,"total_tokens":1050,"prompt_cache_hit_tokens":800,
            "prompt_cache_miss_tokens":200,"completion_tokens_details":{"reasoning_tokens":20}}"#,
        &[("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50), ("reasoning_output_tokens", 20)],
    );
    // Reasoning beside the completion, by the total; and without one.
    for total in [r#""total_tokens":1070,"#, ""] {
        assert_usage(
            "x-ai",
            &format!(
                r#"{{"prompt_tokens":1000,"completion_tokens":50,{total}"num_sources_used":3,
                "prompt_tokens_details":{{"cached_tokens":800}},"completion_tokens_details":{{"reasoning_tokens":20}}}}"#
            ),
            &[
                ("input_tokens", 1000),
                ("cached_input_tokens", 800),
                ("output_tokens", 70),
                ("reasoning_output_tokens", 20),
                ("searches", 3),
            ],
        );
    }
    assert_usage(
        "groq",
        r#"{"queue_time":0.018,"prompt_tokens":1000,"prompt_time":0.003,"completion_tokens":50,"completion_time":0.5,
            "total_tokens":1050,"total_time":0.5,"prompt_tokens_details":{"cached_tokens":800}}"#,
        &[("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50)],
    );
    assert_usage(
        "perplexity",
        r#"{"prompt_tokens":26,"completion_tokens":832,"total_tokens":858,"citation_tokens":2847,"num_search_queries":7,
            "reasoning_tokens":3000,"search_context_size":"low"}"#,
        &[
            ("input_tokens", 26),
            ("output_tokens", 6679),
            ("reasoning_output_tokens", 3000),
            ("citation_output_tokens", 2847),
            ("searches", 7),
        ],
    );
}

#[test]
fn a_provider_that_says_what_it_bills_is_believed() {
    let router = r#"{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.00014000000000000001,
        "cost_details":{"upstream_inference_cost":null}}"#;
    assert_eq!(extract("openrouter", router).unwrap().cost, Some(Usd::parse("0.00014").unwrap()));
    let perplexity = r#"{"prompt_tokens":4,"completion_tokens":8,"cost":{"input_tokens_cost":4e-6,"total_cost":0.006}}"#;
    assert_eq!(extract("perplexity", perplexity).unwrap().cost, Some(Usd::parse("0.006").unwrap()));
    let xai = r#"{"prompt_tokens":4,"completion_tokens":8,"cost_in_usd_ticks":12345}"#;
    assert_eq!(extract("x-ai", xai).unwrap().cost, Some(Usd::parse("0.0000012345").unwrap()));
    assert_eq!(extract("openrouter", r#"{"prompt_tokens":1,"cost":null}"#).unwrap().cost, None);
}

#[test]
fn the_tier_is_kept_and_a_whole_answer_is_fine() {
    let answer = r#"{"id":"msg_1","model":"claude-opus-5","usage":{"input_tokens":3,"cache_read_input_tokens":0,"output_tokens":4,
        "service_tier":"batch","speed":"fast"}}"#;
    let found = extract("anthropic", answer).unwrap();
    assert_eq!(found.attributes, [("service_tier", "batch".to_owned()), ("speed", "fast".to_owned())]);
    assert_eq!(found.usage, [("input_tokens", Quantity::of(3)), ("output_tokens", Quantity::of(4))]);
    let google = r#"{"modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,
        "trafficType":"ON_DEMAND_FLEX"}}"#;
    assert_eq!(extract("google", google).unwrap().attributes, [("service_tier", "flex".to_owned())]);
    let twice = google.replace("\"trafficType\"", "\"service_tier\":\"standard\",\"trafficType\"");
    assert_eq!(extract("google", &twice).unwrap().attributes, [("service_tier", "flex".to_owned())]);
    let cohere = r#"{"meta":{"billed_units":{"input_tokens":10}}}"#;
    assert_eq!(extract("cohere", cohere).unwrap().usage[0], ("input_tokens", Quantity::of(10)));
}

#[test]
fn what_is_no_usage_object_is_refused() {
    for (json, message) in [
        ("", "is not JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "must be the usage object of a provider's answer"),
        ("1", "must be the usage object of a provider's answer"),
        ("{}", "has no count that is known of any provider; give usage in its place"),
        (r#"{"usage":null}"#, "has no count that is known of any provider; give usage in its place"),
        (r#"{"prompt_tokens":-1}"#, "has prompt_tokens, which is not a count: -1"),
        (r#"{"prompt_tokens":1e300}"#, "has prompt_tokens, which is not a count: 1e300"),
        (r#"{"prompt_tokens":9007199254740992}"#, "has prompt_tokens, which is not a count: 9007199254740992"),
        (r#"{"prompt_tokens":1,"cost":-1}"#, "has cost, which must not be negative"),
    ] {
        assert_eq!(extract("openai", json).unwrap_err().to_string(), message, "{json}");
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(9), "}".repeat(9));
    assert_eq!(extract("openai", &deep), Err(ExtractError::TooDeep));
    assert!(matches!(extract("openai", &"[".repeat(16_000)), Err(ExtractError::Json(_))));
    assert_eq!(extract("openai", &" ".repeat(16_385)), Err(ExtractError::TooLarge(16_385)));
}

#[test]
fn reasoning_is_beside_the_completion_where_the_total_or_the_provider_says_so() {
    let output = |provider: &str, json: &str| {
        let found = extract(provider, json).unwrap();
        found.usage.iter().find(|(name, _)| *name == "output_tokens").unwrap().1
    };
    for (provider, total, reasoning, expected) in [
        // Part of the completion: 100 and 50 are all there is.
        ("openai", Some(150), 20, 50),
        ("x-ai", Some(150), 20, 50),
        ("openai", Some(150), 50, 50),
        // Beside it: the total has it too.
        ("openai", Some(170), 20, 70),
        // More than the completion cannot be part of it.
        ("openai", Some(150), 51, 101),
        ("openai", None, 51, 101),
        ("openai", None, 50, 50),
        // Without a total that tells, the provider does.
        ("openai", None, 20, 50),
        ("x-ai", None, 20, 70),
        ("perplexity", None, 20, 70),
        ("x-ai", None, 0, 50),
    ] {
        let total = total.map(|total| format!(r#","total_tokens":{total}"#)).unwrap_or_default();
        let details = format!(r#""completion_tokens_details":{{"reasoning_tokens":{reasoning}}}"#);
        let json = format!(r#"{{"prompt_tokens":100,"completion_tokens":50{total},{details}}}"#);
        assert_eq!(output(provider, &json), Quantity::of(expected), "{provider} {json}");
    }
    let flat = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"reasoning_tokens":20}"#;
    assert_eq!(output("perplexity", flat), Quantity::of(70));
    assert_eq!(output("openai", flat), Quantity::of(50));
}

#[test]
fn one_name_is_enough_to_tell_the_shape() {
    assert_usage("aws", r#"{"inputTokens":3}"#, &[("input_tokens", 3), ("output_tokens", 0)]);
    assert_usage("aws", r#"{"outputTokens":3}"#, &[("input_tokens", 0), ("output_tokens", 3)]);
    assert_usage("x", r#"{"input_tokens":3}"#, &[("input_tokens", 3), ("output_tokens", 0)]);
    assert_usage("x", r#"{"output_tokens":3}"#, &[("input_tokens", 0), ("output_tokens", 3)]);
    assert_usage("x", r#"{"total_tokens":3}"#, &[("input_tokens", 3), ("output_tokens", 0)]);
    assert_usage("x", r#"{"total_tokens":7,"output_tokens":3}"#, &[("input_tokens", 4), ("output_tokens", 3)]);
    assert_usage("x", r#"{"total_tokens":9,"input_tokens":3}"#, &[("input_tokens", 3), ("output_tokens", 0)]);
    // Each of these names is Anthropic's, which counts what was cached beside the input.
    for (name, value, input) in [
        ("cache_creation_input_tokens", "4", 7),
        ("cache_read_input_tokens", "4", 7),
        ("cache_creation", r#"{"ephemeral_1h_input_tokens":4}"#, 7),
        ("server_tool_use", r#"{"web_search_requests":1}"#, 3),
    ] {
        let usage = extract("x", &format!(r#"{{"input_tokens":3,"{name}":{value}}}"#)).unwrap().usage;
        assert!(usage.contains(&("input_tokens", Quantity::of(input))) && usage.len() == 3, "{name} {usage:?}");
    }
}

#[test]
fn what_comes_out_of_the_images_api_are_images_unless_it_says_otherwise() {
    let images = |details: &str| {
        let json =
            format!(r#"{{"input_tokens":10,"output_tokens":40,"input_tokens_details":{{"image_tokens":10}}{details}}}"#);
        let usage = extract("openai", &json).unwrap().usage;
        usage.iter().find(|(name, _)| *name == "image_output_tokens").map(|(_, count)| *count)
    };
    assert_eq!(images(""), Some(Quantity::of(40)));
    for details in ["output_tokens_details", "output_token_details"] {
        assert_eq!(images(&format!(r#","{details}":{{"image_tokens":30}}"#)), Some(Quantity::of(30)), "{details}");
    }
    let text = r#"{"input_tokens":10,"output_tokens":40,"input_tokens_details":{"text_tokens":10}}"#;
    assert_usage("openai", text, &[("input_tokens", 10), ("output_tokens", 40)]);
}

#[test]
fn cached_tokens_of_converse_are_part_of_the_input_by_another_word_only() {
    let cached = |provider: &str, json: &str| {
        let usage = extract(provider, json).unwrap().usage;
        (usage[0].1, usage.iter().find(|(name, _)| *name == "cached_input_tokens").map(|(_, count)| *count))
    };
    let of = |count| Some(Quantity::of(count));
    assert_eq!(cached("aws", r#"{"inputTokens":10,"cacheReadInputTokens":4}"#), (Quantity::of(14), of(4)));
    assert_eq!(cached("x", r#"{"inputTokens":10,"cacheReadInputTokens":4}"#), (Quantity::of(14), of(4)));
    assert_eq!(cached("x", r#"{"inputTokens":10,"cachedInputTokens":4}"#), (Quantity::of(10), of(4)));
    assert_eq!(cached("aws", r#"{"inputTokens":10,"cachedInputTokens":4}"#), (Quantity::of(10), None));
}

#[test]
fn zeros_are_counts_and_a_cost_of_zero_is_one() {
    assert_usage("openai", r#"{"prompt_tokens":0,"completion_tokens":0}"#, &[("input_tokens", 0), ("output_tokens", 0)]);
    assert_eq!(extract("x", r#"{"pages_processed":0}"#), Err(ExtractError::NothingKnown));
    assert_eq!(extract("openrouter", r#"{"prompt_tokens":1,"cost":0}"#).unwrap().cost, Some(Usd::ZERO));
    assert!(matches!(extract("openrouter", r#"{"prompt_tokens":1,"cost":-1e-12}"#), Err(ExtractError::Number(..))));
}

#[test]
fn a_usage_object_may_be_as_long_as_the_bound() {
    let padded = |bytes: usize| {
        let json = r#"{"prompt_tokens":1}"#;
        format!("{json}{}", " ".repeat(bytes - json.len()))
    };
    assert!(extract("openai", &padded(USAGE_RAW_BYTES_MAX)).is_ok());
    let longer = USAGE_RAW_BYTES_MAX + 1;
    assert_eq!(extract("openai", &padded(longer)), Err(ExtractError::TooLarge(longer)));
}
