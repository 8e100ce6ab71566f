use serde_json::{Value, json};

use super::FORMATS;
use crate::domain::{Quality, Usd};
use crate::formats::CallError;
use crate::formats::calls::Collected;
use crate::ingest::{Call, Ignored};

const JSON: &[(&str, &[u8])] = &[("content-type", b"application/json")];
const LINES: &[(&str, &[u8])] = &[("content-type", b"application/x-ndjson")];

#[track_caller]
fn read(body: &[u8]) -> Collected {
    let whole = Collected::of(&FORMATS[0], JSON, body, 1 << 20).unwrap();
    // Where the body's pieces end makes no difference.
    for piece in [1, 7, 4_096] {
        let again = Collected::of(&FORMATS[0], JSON, body, piece).unwrap();
        assert_eq!((&again.calls, &again.ignored, &again.rejected), (&whole.calls, &whole.ignored, &whole.rejected));
    }
    whole
}

fn malformed(headers: &[(&str, &[u8])], body: &[u8]) -> String {
    match Collected::of(&FORMATS[0], headers, body, 64) {
        Err(CallError::Malformed(why)) => why,
        other => panic!("{}: {other:?}", String::from_utf8_lossy(body)),
    }
}

fn total(calls: &[Call<'_>]) -> Usd {
    calls.iter().filter_map(|call| call.cost).sum()
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap()
}

fn usage(call: &Call<'_>) -> String {
    let counts: Vec<String> = call.usage.iter().map(|(name, count)| format!("{name} {count}")).collect();
    counts.join(", ")
}

/// A call of gpt-4o, with these members put over it.
fn payload(over: Value) -> Vec<u8> {
    let mut payload = json!({
        "id": "chatcmpl-1", "call_type": "acompletion", "status": "success", "custom_llm_provider": "openai",
        "model": "gpt-4o", "response_cost": 0.002, "startTime": 1795870437.25, "endTime": 1795870438.5,
        "metadata": {"usage_object": {"prompt_tokens": 1000, "completion_tokens": 50}},
    });
    for (name, value) in over.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload.to_string().into_bytes()
}

#[test]
fn captured_batches_cost_what_the_provider_billed() {
    let pair = read(include_bytes!("../../../tests/captures/litellm/fallback_pair.json"));
    assert_eq!((total(&pair.calls), pair.calls.len(), pair.ignored), (usd("0.002"), 1, vec![Ignored::Failed]));

    let claude = read(include_bytes!("../../../tests/captures/litellm/anthropic.json"));
    assert_eq!((total(&claude.calls), claude.calls.len()), (usd("0.00471"), 2));
    let first = &claude.calls[0];
    assert_eq!(first.cost, Some(usd("0.002355")), "0.0023550000000000003 is a float's noise");
    assert_eq!(
        usage(first),
        "input_tokens 1000, cached_input_tokens 600, cache_write_input_tokens 300, output_tokens 50",
        "without counts of zero"
    );
    assert_eq!(
        (&*first.provider, &*first.model, &*first.operation, &*first.road),
        ("anthropic", "claude-sonnet-4-5-20250929", "chat", "litellm")
    );
    assert_eq!(&*first.response_id, "chatcmpl-f508e137-db71-4228-beb4-3113ca4a4be6");
    assert_eq!(first.end.unwrap().to_string(), "2026-11-28T12:53:57.315469Z");
    assert_eq!(first.duration_seconds, Some(0.027227));

    let unknown = read(include_bytes!("../../../tests/captures/litellm/unknown_model.json")).only();
    assert_eq!((unknown.cost, &*unknown.model), (None, "my-own-model"), "a cost of 0.0 is no cost");
    assert_eq!(usage(&unknown), "input_tokens 1000, cached_input_tokens 800, output_tokens 50, reasoning_output_tokens 20");
}

#[test]
fn every_kind_of_call_is_read() {
    let first = read(include_bytes!("../../../tests/captures/litellm/all_1.json"));
    let second = read(include_bytes!("../../../tests/captures/litellm/all_2.json"));
    assert_eq!(total(&first.calls), usd("0.00959"));
    assert_eq!(first.ignored, [Ignored::Failed]);
    let qualities: Vec<Quality> = first.calls.iter().map(|call| call.quality).collect();
    assert_eq!(qualities.iter().filter(|quality| **quality == Quality::Estimated).count(), 1);
    assert_eq!((qualities[2], usage(&first.calls[2])), (Quality::Estimated, "input_tokens 8, output_tokens 1".to_owned()));
    let models: Vec<&str> = first.calls.iter().map(|call| &*call.model).collect();
    assert_eq!(
        models,
        [
            "gpt-4o-2024-08-06",
            "gpt-4o",
            "gpt-4o",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5",
            "gemini-2.5-pro",
            "my-own-model"
        ]
    );

    let paid: Vec<(&str, &str, Option<Usd>, bool)> =
        second.calls.iter().map(|call| (&*call.operation, &*call.response_id, call.cost, call.is_cache_hit)).collect();
    assert_eq!(paid.len(), 5);
    assert_eq!(paid[0], ("chat", "chatcmpl-703c6b9ec7bb000108", Some(usd("0.002")), false));
    assert!(paid[1].3, "the second comes from the cache");
    assert_eq!((paid[2].0, paid[2].2), ("embeddings", Some(usd("0.00000014"))));
    assert_eq!(paid[3], ("chat", "resp_703c6b9ec7bb000110", Some(usd("0.002")), false), "the provider's own id");
    assert_eq!(usage(&second.calls[2]), "input_tokens 7");
}

#[test]
fn an_object_an_array_and_lines_are_the_same() {
    let one = payload(json!({}));
    let other = payload(json!({"id": "chatcmpl-2"}));
    let array = [b"[ ".as_slice(), &one, b" , ", &other, b"]\n"].concat();
    let lines = [one.as_slice(), b"\n\r\n", &other].concat();
    let pretty = serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&one).unwrap()).unwrap();
    assert_eq!(read(&array).calls, read(&lines).calls);
    assert_eq!(read(&array).calls.len(), 2);
    assert_eq!(Collected::of(&FORMATS[0], LINES, &lines, 16).unwrap().calls, read(&array).calls);
    assert_eq!(Collected::of(&FORMATS[0], LINES, &array, 16).unwrap().calls, read(&array).calls);
    assert_eq!(Collected::of(&FORMATS[0], &[], &one, 16).unwrap().calls, read(&pretty).calls);
    assert!(read(b" [ ] ").calls.is_empty());
}

#[test]
fn one_bad_payload_does_not_refuse_the_others() {
    let good = payload(json!({}));
    for (bad, why) in [
        (&b"5"[..], "it is not valid JSON"),
        (b"{\"status\":\"success\",\"response_cost\":NaN}", "it is not valid JSON"),
        (b"{\"status\":\"success\" \"id\":1}", "it is not valid JSON"),
        (b"{\"id\":\"\xff\"}", "it is not valid JSON: invalid UTF-8"),
        (b"{\"id\":\"a\"}", "it has no status"),
        (b"{\"status\":\"success\",\"status\":\"failure\"}", "status stands twice"),
        (
            b"{\"status\":\"success\",\"call_type\":\"completion\",\"response_cost\":1e400}",
            "its response_cost is out of range",
        ),
        (b"{\"status\":\"success\",\"call_type\":\"completion\",\"response_cost\":\"NaN\"}", "its response_cost is not"),
        (b"{\"status\":\"success\",\"call_type\":\"completion\",\"response_cost\":true}", "its response_cost is not"),
        (b"{\"status\":\"success\",\"call_type\":\"completion\",\"response_cost\":-1}", "its response_cost is negative"),
    ] {
        let body = [b"[".as_slice(), &good, b",", bad, b"]"].concat();
        let found = read(&body);
        assert_eq!((found.calls.len(), found.rejected.len()), (1, 1), "{}", bad.escape_ascii());
        assert!(found.rejected[0].contains(why), "{:?}", found.rejected);
        let lines = [&good, b"\n".as_slice(), bad, b"\n", &good].concat();
        let found = Collected::of(&FORMATS[0], LINES, &lines, 32).unwrap();
        assert_eq!((found.calls.len(), found.rejected.len()), (2, 1));
    }
    let deep = format!("{{\"status\":\"success\",\"messages\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let body = [b"[".as_slice(), deep.as_bytes(), b",", &good, b",null]"].concat();
    let found = read(&body);
    assert_eq!((found.calls.len(), found.rejected.len(), found.ignored), (1, 1, vec![Ignored::NotACall]));
}

#[test]
fn what_cannot_be_read_at_all_is_malformed() {
    for body in [
        &b""[..],
        b" \n",
        b"[",
        b"[{}",
        b"[{},]",
        b"[{}{}]",
        b"[{}]x",
        b"[,{}]",
        b"{",
        b"{\"a\":\"",
        b"}",
        b"nothing",
        b"NaN",
        b"\xef\xbb\xbf{}",
        b"{\"a\":1,}",
        b"[{]}",
    ] {
        malformed(JSON, body);
    }
    malformed(LINES, b"{\n}\n");
}

#[test]
fn a_body_that_ends_anywhere_early_is_never_taken_for_a_shorter_one() {
    let body = include_bytes!("../../../tests/captures/litellm/unknown_model.json");
    for end in (0..body.len() - 1).step_by(13) {
        malformed(JSON, &body[..end]);
    }
}

#[test]
fn long_objects_are_read_in_bounded_memory_and_time() {
    let members: String = (0..10_000).map(|member| format!("\"m{member}\":{{\"a\":[{member}]}},")).collect();
    let wide = [b"{".as_slice(), members.as_bytes(), &payload(json!({}))[1..]].concat();
    assert_eq!(read(&wide).only().cost, Some(usd("0.002")));

    let endless =
        std::io::Read::chain(&b"[{\"status\":\"success\",\"messages\":\""[..], std::io::repeat(b'a').take(20 << 20));
    let good = payload(json!({}));
    let mut body = std::io::BufReader::new(std::io::Read::chain(endless, &b"\"},"[..]).chain(&good[..]).chain(&b"]"[..]));
    let mut found = Collected::default();
    (FORMATS[0].read)(&http::HeaderMap::new(), &mut body, &mut found).unwrap();
    assert_eq!((found.calls.len(), found.rejected.len()), (1, 1));
    assert!(found.rejected[0].contains("bytes"), "{:?}", found.rejected);
}

use std::io::Read as _;

#[test]
fn names_are_found_where_callers_and_owners_of_keys_put_them() {
    let of = |over: Value| read(&payload(over)).only();
    let metadata = |more: Value| {
        let mut metadata = json!({"usage_object": {"prompt_tokens": 1, "completion_tokens": 1}});
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        json!({ "metadata": metadata })
    };
    let call = of(metadata(json!({
        "user_api_key_alias": "worker-7", "user_api_key_team_alias": "sales", "requester_metadata": {"lead_id": 4711, "batch_id": "b\"1"},
    })));
    assert_eq!((&*call.worker, &*call.lead_id, &*call.batch_id), ("worker-7", "4711", "b\"1"));
    assert_eq!(call.attributes.as_deref(), Some("{\"team\":\"sales\"}"));
    let call =
        of(metadata(json!({"spend_logs_metadata": {"batch_id": "b"}, "user_api_key_auth_metadata": {"lead_id": "l"}})));
    assert_eq!((&*call.lead_id, &*call.batch_id), ("l", "b"));
    let call = of(json!({"request_tags": ["x", "lead_id:l 1", "batch_id=b"], "end_user": "u1"}));
    assert_eq!((&*call.worker, &*call.lead_id, &*call.batch_id), ("u1", "l 1", "b"));
    let call = of(json!({"model_parameters": {"user": "u2"}}));
    assert_eq!(&*call.worker, "u2");
}

#[test]
fn models_and_providers_have_one_name() {
    for (provider, asked, answered, expected) in [
        (json!("openai"), "gpt-4o", json!("gpt-4o-2024-08-06"), ("openai", "gpt-4o-2024-08-06")),
        (json!("openai"), "openai/gpt-4o", json!("gpt-4o"), ("openai", "gpt-4o")),
        (json!("openai"), "gpt-4o", json!("gpt-4o-mini"), ("openai", "gpt-4o")),
        (json!("anthropic"), "claude-sonnet-4-5", json!("my-group"), ("anthropic", "claude-sonnet-4-5")),
        (json!("openrouter"), "openrouter/openai/gpt-4o", json!(null), ("openrouter", "openai/gpt-4o")),
        (json!(null), "azure/gpt-4o", json!(7), ("azure", "azure/gpt-4o")),
        (json!("vertex_ai"), "", json!("gemini-2.5-pro"), ("vertex_ai", "gemini-2.5-pro")),
    ] {
        let over = json!({"custom_llm_provider": provider, "model": asked, "response": {"model": answered, "choices": []}});
        let call = read(&payload(over)).only();
        assert_eq!((&*call.provider, &*call.model), expected, "{asked} {answered}");
    }
}

#[test]
fn counts_are_found_wherever_they_are() {
    for (over, expected) in [
        (
            json!({"metadata": {}, "response": {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}}),
            "input_tokens 5, output_tokens 2",
        ),
        (
            json!({"metadata": null, "response": "redacted", "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}),
            "input_tokens 5, output_tokens 2",
        ),
        (json!({"metadata": {"usage_object": {"total_tokens": 7}}}), "total_tokens 7"),
        (
            json!({"metadata": {"usage_object": {
                "input_tokens": 100, "cache_read_input_tokens": 600, "cache_creation_input_tokens": 300, "output_tokens": 50,
                "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
                "server_tool_use": {"web_search_requests": 2},
            }}}),
            "input_tokens 1000, cached_input_tokens 600, cache_write_input_tokens 100, cache_write_1h_input_tokens 200, output_tokens 50, searches 2",
        ),
        (
            json!({"metadata": {"usage_object": {
                "input_tokens": 1000, "output_tokens": 50, "input_tokens_details": {"cached_tokens": 800, "audio_tokens": 3},
                "output_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 4},
            }}}),
            "input_tokens 1000, cached_input_tokens 800, output_tokens 50, reasoning_output_tokens 20, audio_input_tokens 3, audio_output_tokens 4",
        ),
        (json!({"metadata": {"usage_object": {"type": "duration", "seconds": 3.5}}}), "seconds 3.5"),
        (
            json!({"metadata": {"usage_object": {"input_tokens": 9, "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 7}}}}),
            "input_tokens 9, output_tokens 50, reasoning_output_tokens 7",
        ),
        (json!({"metadata": {"usage_object": {"prompt_tokens": -1, "completion_tokens": "x", "total_tokens": 1e300}}}), ""),
    ] {
        assert_eq!(usage(&read(&payload(over)).only()), expected);
    }
}

/// Guards against: tokens of images that were charged as text, at a thirteenth of their price.
#[test]
fn each_modality_of_what_goes_in_and_comes_out_is_counted() {
    let of = |usage: Value| self::usage(&read(&payload(json!({"metadata": {"usage_object": usage}}))).only());
    let nano_banana = json!({"completion_tokens": 1290, "prompt_tokens": 10, "total_tokens": 1300,
        "completion_tokens_details": {"text_tokens": 0, "image_tokens": 1290},
        "prompt_tokens_details": {"audio_tokens": null, "cached_tokens": null, "image_tokens": null, "text_tokens": 10,
            "video_tokens": null, "initial_prompt_tokens": null},
        "cache_read_input_tokens": null, "cache_creation_input_tokens": null});
    assert_eq!(of(nano_banana), "input_tokens 10, output_tokens 1290, image_output_tokens 1290");
    for (whole, details, side) in [
        ("prompt_tokens", "prompt_tokens_details", "input"),
        ("input_tokens", "input_tokens_details", "input"),
        ("input_tokens", "input_token_details", "input"),
        ("completion_tokens", "completion_tokens_details", "output"),
        ("output_tokens", "output_tokens_details", "output"),
        ("output_tokens", "output_token_details", "output"),
    ] {
        for modality in ["audio", "image", "video"] {
            let usage = json!({whole: 100, details: {format!("{modality}_tokens"): 60, "text_tokens": 40}});
            assert_eq!(of(usage), format!("{side}_tokens 100, {modality}_{side}_tokens 60"), "{details}");
        }
        assert_eq!(of(json!({whole: 100, details: {"text_tokens": 100}})), format!("{side}_tokens 100"), "{details}");
    }
    let cached = json!({"input_tokens": 100, "input_token_details": {"audio_tokens": 50, "image_tokens": 20, "cached_tokens": 40,
        "cached_tokens_details": {"text_tokens": 5, "audio_tokens": 25, "image_tokens": 10}}});
    assert_eq!(
        of(cached),
        "input_tokens 100, cached_input_tokens 40, audio_input_tokens 50, cached_audio_input_tokens 25, image_input_tokens 20, cached_image_input_tokens 10"
    );
}

#[test]
fn what_comes_out_where_images_are_asked_for_are_images_unless_it_says_otherwise() {
    let of = |call_type: &str, usage: Value| {
        self::usage(&read(&payload(json!({"call_type": call_type, "metadata": {"usage_object": usage}}))).only())
    };
    // As LiteLLM brings the images API's counts to its own words, and as that says them.
    let in_words_of_litellm = json!({"completion_tokens": 4160, "prompt_tokens": 50, "total_tokens": 4210, "completion_tokens_details": null,
        "prompt_tokens_details": {"audio_tokens": null, "cached_tokens": 0, "image_tokens": 40, "text_tokens": 10}});
    let in_its_own = json!({"input_tokens": 50, "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
        "output_tokens": 4160, "total_tokens": 4210});
    let images = "input_tokens 50, output_tokens 4160, image_input_tokens 40, image_output_tokens 4160";
    for call_type in ["aimage_generation", "image_edit"] {
        assert_eq!(of(call_type, in_words_of_litellm.clone()), images);
    }
    assert_eq!(of("aimage_generation", in_its_own), images);
    assert_eq!(of("acompletion", in_words_of_litellm), "input_tokens 50, output_tokens 4160, image_input_tokens 40");
    let said = json!({"prompt_tokens": 1, "completion_tokens": 100, "completion_tokens_details": {"image_tokens": 60}});
    assert_eq!(of("aimage_generation", said), "input_tokens 1, output_tokens 100, image_output_tokens 60");
}

#[test]
fn what_nobody_is_paid_for_is_no_call() {
    for over in [
        json!({"call_type": "alist_files", "response_cost": 0.0, "metadata": {}}),
        json!({"call_type": "amoderation", "response_cost": 0.0, "metadata": {}}),
        json!({"call_type": "aretrieve_batch", "response_cost": 0, "metadata": {}}),
    ] {
        let found = read(&payload(over));
        assert_eq!((found.calls.len(), found.ignored), (0, vec![Ignored::NotACall]));
    }
    let unpriced = read(&payload(json!({"response_cost": 0.0, "metadata": {}}))).only();
    assert_eq!((unpriced.cost, unpriced.usage), (None, vec![]), "a chat without counts is one all the same");
    let batch = read(&payload(json!({"call_type": "aretrieve_batch", "response_cost": 1.5}))).only();
    assert_eq!((&*batch.operation, batch.cost), ("batch", Some(usd("1.5"))));
}
