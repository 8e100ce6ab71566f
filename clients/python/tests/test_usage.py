"""Usage as providers send it. Guards against: a count that is left out, counted twice, or taken for another."""

import json
import unittest
from types import SimpleNamespace
from unittest import mock

import support  # noqa: F401 # First: it knows the path to the sources.

from lead_factory_metrics import events, usage
from lead_factory_metrics.values import Bad

from answers import ANTHROPIC, GPT_4O, OPENAI_CHAT, OPENAI_RESPONSE, SONNET, as_object


class Answers(unittest.TestCase):
    def test_whole_answers_tell_model_and_id_as_dict_and_as_object(self):
        for answer, counts, provider in [
            (OPENAI_CHAT, GPT_4O, "openai"),
            (OPENAI_RESPONSE, GPT_4O, "openai"),
            (ANTHROPIC, SONNET, "anthropic"),
        ]:
            for value in (answer, as_object(answer)):
                used = usage.read(value)
                self.assertEqual(used.usage, counts)
                self.assertEqual((used.model, used.response_id, used.provider), (answer["model"], answer["id"], provider))

    def test_usage_alone_tells_the_same_counts(self):
        for answer, counts in [(OPENAI_CHAT, GPT_4O), (OPENAI_RESPONSE, GPT_4O), (ANTHROPIC, SONNET)]:
            for value in (answer["usage"], as_object(answer["usage"])):
                used = usage.read(value)
                self.assertEqual((used.usage, used.model, used.response_id), (counts, None, None))

    def test_the_last_event_of_a_stream_has_the_answer_within(self):
        done = {"type": "response.completed", "response": OPENAI_RESPONSE}
        self.assertEqual(usage.read(as_object(done)).response_id, "resp_1")
        chunk = {**OPENAI_CHAT, "object": "chat.completion.chunk", "choices": []}
        self.assertEqual(usage.read(chunk).usage, GPT_4O)

    def test_an_answer_without_usage_has_none(self):
        for value in ({**OPENAI_CHAT, "usage": None}, SimpleNamespace(id="x", model="m", usage=None), {"choices": []}):
            with self.subTest(value), self.assertRaises(Bad):
                usage.read(value)

    def test_embeddings_images_and_audio(self):
        embedding = {"object": "list", "model": "text-embedding-3-small", "data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}}
        self.assertEqual(usage.read(embedding)[:4], ({"input_tokens": 7}, None, "text-embedding-3-small", None))
        picture = {"input_tokens": 60, "input_tokens_details": {"image_tokens": 50, "text_tokens": 10}, "output_tokens": 4160}
        self.assertEqual(usage.read(picture).usage, {"input_tokens": 60, "output_tokens": 4160, "image_input_tokens": 50})
        spoken = {"type": "tokens", "input_tokens": 14, "input_token_details": {"audio_tokens": 14, "text_tokens": 0}, "output_tokens": 45}
        self.assertEqual(usage.read(spoken).usage, {"input_tokens": 14, "output_tokens": 45, "audio_input_tokens": 14})
        self.assertEqual(usage.read({"type": "duration", "seconds": 9.5}).usage, {"seconds": 9.5})

    def test_what_is_written_to_a_cache_for_an_hour_is_apart(self):
        split = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}
        found = usage.read({**ANTHROPIC["usage"], "cache_creation": split, "server_tool_use": {"web_search_requests": 2}}).usage
        self.assertEqual(found["cache_write_input_tokens"], 100)
        self.assertEqual(found["cache_write_1h_input_tokens"], 200)
        self.assertEqual((found["input_tokens"], found["searches"]), (1000, 2))

    def test_other_providers_of_these_forms(self):
        lite = {"prompt_tokens": 1000, "completion_tokens": 50, "cache_read_input_tokens": 600, "cache_creation_input_tokens": 300}
        self.assertEqual(usage.read(lite).usage, SONNET, "LiteLLM's input includes what the cache had")
        deepseek = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36}
        self.assertEqual(usage.read(deepseek).usage, {"input_tokens": 100, "output_tokens": 5, "cached_input_tokens": 64})
        xai = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35, "completion_tokens_details": {"reasoning_tokens": 20}}
        self.assertEqual(usage.read(xai).usage, {"input_tokens": 10, "output_tokens": 25, "reasoning_output_tokens": 20})
        gemini = {"promptTokenCount": 1000, "cachedContentTokenCount": 800, "candidatesTokenCount": 30, "thoughtsTokenCount": 20}
        gemini = {"modelVersion": "gemini-2.5-pro", "responseId": "r1", "usageMetadata": gemini}
        self.assertEqual(usage.read(gemini)[:4], (GPT_4O, None, "gemini-2.5-pro", "r1"))
        bedrock = {"inputTokens": 100, "outputTokens": 50, "cacheReadInputTokens": 600, "cacheWriteInputTokens": 300}
        self.assertEqual(usage.read({"output": {}, "usage": bedrock}).usage, SONNET)


    def test_the_way_of_a_call_is_told_where_it_has_its_own_price(self):
        for answer, way in [
            ({**OPENAI_CHAT, "service_tier": "flex"}, {"service_tier": "flex"}),
            ({**OPENAI_CHAT, "service_tier": "default"}, {}),
            ({**ANTHROPIC, "usage": {**ANTHROPIC["usage"], "service_tier": "batch", "speed": "standard"}}, {"service_tier": "batch"}),
            ({**ANTHROPIC, "usage": {**ANTHROPIC["usage"], "speed": "fast"}}, {"speed": "fast"}),
            (ANTHROPIC, {}),
        ]:
            self.assertEqual(usage.read(answer).way, way)
            self.assertEqual(usage.read(as_object(answer)).way, way)
            line = json.loads(events.event("openai", "chat", usage=answer, attributes={"team": "a"}).line)
            self.assertEqual(line["attributes"], {"team": "a", **way})

    def test_newer_fields_of_anthropic_do_not_make_it_another_provider(self):
        """Its SDK 2 has `output_tokens_details`, as OpenAI's has. Taken for OpenAI's, its cached tokens would be lost."""
        for details in (None, {"thinking_tokens": 20}):
            newer = {**ANTHROPIC, "usage": {**ANTHROPIC["usage"], "output_tokens_details": details, "speed": None}}
            counts = {**SONNET, **({"reasoning_output_tokens": 20} if details else {})}
            for value in (newer, as_object(newer), newer["usage"], as_object(newer["usage"])):
                used = usage.read(value)
                self.assertEqual((used.usage, used.provider), (counts, "anthropic"))


class Ours(unittest.TestCase):
    def test_names_of_ones_own_stay(self):
        counts = {"audio_seconds": 521.5, "input_tokens": 10, "absent": None}
        self.assertEqual(usage.read(counts).usage, {"audio_seconds": 521.5, "input_tokens": 10})

    def test_what_is_nested_otherwise_goes_to_the_agent_as_it_is(self):
        cohere = {"billed_units": {"input_tokens": 5, "output_tokens": 7}, "tokens": {"input_tokens": 71}}
        self.assertEqual(usage.read(cohere)[:2], (None, cohere))

    def test_what_is_no_usage_is_refused(self):
        class Broken:
            def __getattr__(self, name):
                raise RuntimeError(name)

        bad = ["1000", 1000, [1], object(), Broken(), mock.Mock(), {"n": -1}, {"n": float("nan")}, {"n": "x"}, {1: 2}, {}, lambda: 1]
        bad.append({str(n): n for n in range(17)})
        for value in bad:
            with self.subTest(type(value).__name__), self.assertRaises(Bad):
                found = usage.read(value)
                raise AssertionError(found)


class Providers(unittest.TestCase):
    def test_the_service_is_the_provider_where_it_is_one(self):
        spoken = usage.read(OPENAI_CHAT)
        for service, provider in [("openai", "openai"), ("OpenAI", "openai"), ("groq", "groq"), ("our-llm", "openai"), ("azure_openai", "azure")]:
            self.assertEqual(usage.charged_to(service, spoken), provider)


if __name__ == "__main__":
    unittest.main()
