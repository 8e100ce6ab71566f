//! The layers of settings put on top of each other: default, file, environment, flags.
//!
//! *Invariants.* A wrong value leaves what was there and is noted, so that everything wrong is found in one go.

use std::collections::BTreeMap;

use super::budgets::caps;
use super::draft::{Draft, Setting};
use super::file;
use super::problem::{Conflict, Origin, Problem, Problems, Says};
use super::settings::SETTINGS;
use super::shown::Shown;
use super::sources::Sources;

/// The layers put on top of each other, with what was wrong on the way.
#[derive(Default)]
pub(super) struct Layers {
    pub draft: Draft,
    /// By key: the text that won and may be shown, and where it came from. Nothing of a default.
    winners: BTreeMap<&'static str, (String, Origin)>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
    /// What is allowed and probably a mistake: warnings, or problems where the operator wants it so.
    pub doubts: Vec<String>,
}

impl Layers {
    /// Reads every layer, the lowest first.
    pub fn read(sources: &Sources) -> Self {
        let mut layers = Self::default();
        layers.put_file(sources);
        layers.put_environment(sources);
        layers.put_caps(sources);
        for (key, text) in &sources.flags {
            if let Some(setting) = Setting::find(key) {
                layers.put(setting, text, Origin::Flag(setting.flag().into()));
            }
        }
        layers
    }

    fn put_file(&mut self, sources: &Sources) {
        let Some(path) = sources.config_path() else { return };
        let named_by = match &sources.config_flag {
            Some(_) => Origin::Flag("config".into()),
            None => Origin::Environment("CONFIG_FILE".into()),
        };
        let (entries, problems) = file::read(&path, named_by, &mut self.draft);
        self.problems.extend(problems);
        for entry in entries {
            self.put(entry.setting, &entry.text, entry.origin);
        }
    }

    fn put_environment(&mut self, sources: &Sources) {
        for setting in SETTINGS.iter() {
            let name = setting.environment_name();
            if sources.not_utf8.contains(&name) {
                self.problem(setting, Origin::Environment(name), "is not UTF-8 text".into());
            } else if let Some(text) = sources.variable(&name) {
                self.put(setting, text, Origin::Environment(name));
            }
        }
    }

    /// Caps are no settings of the list: their names are the operator's own.
    fn put_caps(&mut self, sources: &Sources) {
        for name in sources.environment.keys().chain(&sources.not_utf8) {
            let key = name.to_lowercase();
            let text = match sources.variable(name) {
                _ if !caps::is_cap(&key) => continue,
                _ if sources.not_utf8.contains(name) => Err("is not UTF-8 text".to_owned()),
                None => continue,
                Some(text) => Ok(text.to_owned()),
            };
            match caps::read(&key, text, Origin::Environment(name.clone())) {
                Ok(cap) => self.draft.caps.push(cap),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    /// Puts one value over what was there; a wrong one leaves it and is noted.
    fn put(&mut self, setting: &'static Setting, text: &str, origin: Origin) {
        // Blanks around a value come from hand-written env files. In a secret they are looked at, not dropped.
        let text = if setting.is_secret() { text } else { text.trim() };
        match setting.put_text(&mut self.draft, text) {
            Ok(()) => {
                let shown = if setting.is_secret() { "•••".to_owned() } else { text.to_owned() };
                self.winners.insert(setting.key, (shown, origin));
            }
            Err(detail) => self.problem(setting, origin, detail),
        }
    }

    fn problem(&mut self, setting: &'static Setting, origin: Origin, detail: String) {
        self.problems.push(Problem { setting: Some(setting.key), origin, detail });
    }

    /// Notes what is wrong with a setting as it holds.
    pub fn wrong(&mut self, key: &'static str, detail: String) {
        self.problems.push(Problem { setting: Some(key), origin: self.origin_of(key), detail });
    }

    /// Notes settings that contradict each other.
    pub fn conflict(&mut self, Conflict { keys: [first, second], says }: Conflict) {
        let named = if self.origin_of(first) == Origin::Default { second } else { first };
        let (setting, detail) = match says {
            Says::Of(sentence) => (None, sentence),
            Says::After(sentence) => (Some(named), sentence),
        };
        self.problems.push(Problem { setting, origin: self.origin_of(named), detail });
    }

    /// Where what holds was written.
    pub fn origin_of(&self, key: &str) -> Origin {
        self.winners.get(key).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// The text that somebody gave a setting.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.winners.get(key).map(|(text, _)| text.as_str())
    }

    /// Every setting as it holds.
    pub fn shown(&self) -> Vec<Shown> {
        let shown = |setting: &'static Setting| match self.winners.get(setting.key) {
            Some((text, origin)) => Shown { key: setting.key, value: Some(text.clone()), origin: origin.clone() },
            None => {
                let value = Some(setting.default.clone()).filter(|default| !default.is_empty());
                Shown { key: setting.key, value, origin: Origin::Default }
            }
        };
        SETTINGS.iter().map(shown).collect()
    }

    /// Fails on any problem.
    pub fn sound(self) -> Result<Self, Problems> {
        if self.problems.is_empty() { Ok(self) } else { Err(Problems(self.problems)) }
    }

    /// Fails on problems with these settings only.
    pub fn only_about(mut self, keys: &[&str]) -> Result<Self, Problems> {
        self.problems.retain(|problem| problem.setting.is_some_and(|setting| keys.contains(&setting)));
        self.sound()
    }
}
