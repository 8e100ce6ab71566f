//! What a call used, from the objects in which gateways and providers count it.
//!
//! Two families are read: OpenAI's (`prompt_tokens` or `input_tokens` with everything in it, `…_details` beside), which is also that of
//! LiteLLM for every provider, and Anthropic's (`input_tokens` without what was read from or written to the cache). `docs/reference.md`
//! has the names that come out.
//!
//! *Invariants.* A count that is null, zero, negative or no number is not there. Parts are never more than what they are part of because
//! of the way the object counts.

use super::json::lean::{digits, each_member_of};
use crate::domain::Quantity;
use crate::ingest::CallUsage;

/// What was counted, as far as it was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    input: Quantity,
    cached: Quantity,
    cache_write: Quantity,
    cache_write_1h: Quantity,
    output: Quantity,
    reasoning: Quantity,
    audio_input: Quantity,
    cached_audio: Quantity,
    image_input: Quantity,
    cached_image: Quantity,
    video_input: Quantity,
    audio_output: Quantity,
    image_output: Quantity,
    video_output: Quantity,
    images: Quantity,
    seconds: Quantity,
    characters: Quantity,
    searches: Quantity,
    pages: Quantity,
    total: Quantity,
    input_words: InputWords,
    /// Whether it says what the input consists of, as providers do.
    pub has_input_details: bool,
    /// Whether it says what the output consists of.
    has_output_details: bool,
    /// Whether it says which input are images, as the images API does in its own words.
    names_input_images: bool,
}

/// How the input is called, which tells what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InputWords {
    #[default]
    Unsaid,
    /// `input_tokens`, without cached ones if these stand beside it.
    Input,
    /// `prompt_tokens`, with everything.
    Prompt,
}

impl Counts {
    /// Of a usage object; of anything else, none.
    pub fn of(object: &str) -> Self {
        let mut counts = Self::default();
        each_member_of(object, |name, value| counts.member(name, value));
        counts.settle();
        counts
    }

    /// Takes a member of a usage object, or of an object that has such members among others. Afterwards, [`Counts::settle`].
    pub fn member(&mut self, name: &str, value: &str) {
        match name {
            "prompt_tokens" => self.input_as(InputWords::Prompt, value),
            "input_tokens" => self.input_as(InputWords::Input, value),
            "completion_tokens" | "output_tokens" => raise(&mut self.output, value),
            "total_tokens" => raise(&mut self.total, value),
            "prompt_tokens_details" | "input_tokens_details" | "input_token_details" => {
                self.has_input_details |= value.starts_with('{');
                each_member_of(value, |name, value| self.input_detail(name, value));
            }
            "completion_tokens_details" | "output_tokens_details" | "output_token_details" => {
                self.has_output_details |= value.starts_with('{');
                each_member_of(value, |name, value| self.output_detail(name, value));
            }
            "cache_read_input_tokens" | "prompt_cache_hit_tokens" => raise(&mut self.cached, value),
            "cache_creation_input_tokens" => raise(&mut self.cache_write, value),
            "cache_creation" => self.cache_written(value),
            "server_tool_use" => each_member_of(value, |name, value| {
                if name == "web_search_requests" {
                    raise(&mut self.searches, value);
                }
            }),
            "seconds" | "audio_seconds" => raise(&mut self.seconds, value),
            "output_image_count" => raise(&mut self.images, value),
            "characters" => raise(&mut self.characters, value),
            "search_units" => raise(&mut self.searches, value),
            "pages_processed" => raise(&mut self.pages, value),
            _ => {}
        }
    }

    /// Makes the input count everything that is part of it.
    pub fn settle(&mut self) {
        let mut parts = self.cached;
        parts += self.cache_write;
        // Counts that leave out what was cached say less than that in the input, or use Anthropic's words.
        let is_without = self.input_words == InputWords::Input && !self.has_input_details || self.input < parts;
        if is_without && self.input_words != InputWords::Unsaid {
            self.input += parts;
        }
        self.cache_write_1h = self.cache_write_1h.min(self.cache_write);
        if self.names_input_images && self.input_words == InputWords::Input {
            self.take_output_for_images();
        }
    }

    /// What comes out where images are asked for are images, unless it says otherwise.
    pub fn take_output_for_images(&mut self) {
        if !self.has_output_details {
            self.image_output = self.output;
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        let counts_alone = Self {
            input_words: InputWords::Unsaid,
            has_input_details: false,
            has_output_details: false,
            names_input_images: false,
            ..*self
        };
        counts_alone == Self::default()
    }

    /// Under the names that prices know.
    pub fn usage(&self) -> CallUsage<'static> {
        let written_5m = self.cache_write.checked_sub(self.cache_write_1h).unwrap_or_default();
        let is_split = self.input != Quantity::ZERO || self.output != Quantity::ZERO;
        let named = [
            ("input_tokens", self.input),
            ("cached_input_tokens", self.cached),
            ("cache_write_input_tokens", written_5m),
            ("cache_write_1h_input_tokens", self.cache_write_1h),
            ("output_tokens", self.output),
            ("reasoning_output_tokens", self.reasoning),
            ("audio_input_tokens", self.audio_input),
            ("cached_audio_input_tokens", self.cached_audio),
            ("image_input_tokens", self.image_input),
            ("cached_image_input_tokens", self.cached_image),
            ("video_input_tokens", self.video_input),
            ("audio_output_tokens", self.audio_output),
            ("image_output_tokens", self.image_output),
            ("video_output_tokens", self.video_output),
            ("images", self.images),
            ("seconds", self.seconds),
            ("characters", self.characters),
            ("searches", self.searches),
            ("pages", self.pages),
            ("total_tokens", if is_split { Quantity::ZERO } else { self.total }),
        ];
        named.into_iter().filter(|(_, count)| *count > Quantity::ZERO).map(|(name, count)| (name.into(), count)).collect()
    }

    fn input_as(&mut self, words: InputWords, value: &str) {
        if count(value).is_some() && self.input_words != InputWords::Prompt {
            self.input_words = words;
            self.input = Quantity::ZERO;
            raise(&mut self.input, value);
        }
    }

    fn input_detail(&mut self, name: &str, value: &str) {
        match name {
            "cached_tokens" => raise(&mut self.cached, value),
            "cache_write_tokens" | "cache_creation_tokens" => raise(&mut self.cache_write, value),
            "cache_creation_token_details" => self.cache_written(value),
            "cached_tokens_details" => each_member_of(value, |name, value| match name {
                "audio_tokens" => raise(&mut self.cached_audio, value),
                "image_tokens" => raise(&mut self.cached_image, value),
                _ => {}
            }),
            "audio_tokens" => raise(&mut self.audio_input, value),
            "image_tokens" => {
                self.names_input_images |= count(value).is_some();
                raise(&mut self.image_input, value);
            }
            "video_tokens" => raise(&mut self.video_input, value),
            "character_count" => raise(&mut self.characters, value),
            "image_count" => raise(&mut self.images, value),
            "audio_length_seconds" | "video_length_seconds" => raise(&mut self.seconds, value),
            "web_search_requests" => raise(&mut self.searches, value),
            _ => {}
        }
    }

    fn output_detail(&mut self, name: &str, value: &str) {
        match name {
            "reasoning_tokens" | "thinking_tokens" => raise(&mut self.reasoning, value),
            "audio_tokens" => raise(&mut self.audio_output, value),
            "image_tokens" => raise(&mut self.image_output, value),
            "video_tokens" => raise(&mut self.video_output, value),
            _ => {}
        }
    }

    /// For how long what was written to the cache stays there.
    fn cache_written(&mut self, value: &str) {
        let mut all = Quantity::ZERO;
        each_member_of(value, |name, value| {
            let Some(tokens) = count(value) else { return };
            match name {
                "ephemeral_1h_input_tokens" | "ephemeral_12h_input_tokens" => {
                    self.cache_write_1h += tokens;
                    all += tokens;
                }
                "ephemeral_5m_input_tokens" | "ephemeral_30m_input_tokens" => all += tokens,
                _ => {}
            }
        });
        self.cache_write = self.cache_write.max(all);
    }
}

/// A count, as a number or its digits in a string.
pub(super) fn count(value: &str) -> Option<Quantity> {
    Quantity::parse(&digits(value)?).ok()
}

/// The same number is often said under two names, in one of them as zero.
fn raise(known: &mut Quantity, value: &str) {
    *known = (*known).max(count(value).unwrap_or_default());
}
