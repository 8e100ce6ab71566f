//! The settings as flags, made from the one table.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{SETTINGS, Setting, Sources};

/// Flags of the settings, as given.
#[derive(Clone, Debug, Default)]
pub struct SettingsArgs(Sources);

impl SettingsArgs {
    /// Puts these flags over the environment of the process.
    pub fn over(self, process: Sources) -> Sources {
        Sources { flags: self.0.flags, config_flag: self.0.config_flag, strict: self.0.strict, ..process }
    }
}

fn flag_of(setting: &'static Setting) -> Arg {
    let default = if setting.default.is_empty() { String::new() } else { format!("; default {}", setting.default) };
    Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.value_name)
        .help(format!("{} [{}{default}]", setting.doc, setting.environment_name()))
        .long_help(format!(
            "{}.\nAllowed: {}\n[environment {}, file key {}{default}{}]",
            setting.doc,
            setting.allowed,
            setting.environment_name(),
            setting.key,
            if setting.is_reloaded { "; reloaded by SIGHUP" } else { "" }
        ))
        // A negative limit is refused by the setting's own rule, which says more than "unexpected argument".
        .allow_negative_numbers(true)
        .help_heading("Settings (flags override the environment, which overrides the file)")
        // Fifty standard names would bury the rest.
        .hide_short_help(setting.is_otel())
}

impl clap::Args for SettingsArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help("Configuration file, TOML [CONFIG_FILE]")
            .value_parser(clap::value_parser!(std::path::PathBuf))
            .help_heading("Settings (flags override the environment, which overrides the file)");
        let strict = Arg::new("strict").long("strict").action(ArgAction::SetTrue).help(
            "Refuse variables that look like a setting and are none, and budgets that contradict each other (exit code 78)",
        );
        command.arg(config).arg(strict).args(SETTINGS.iter().map(flag_of))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut arguments = Self::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.config_flag = matches.get_one::<std::path::PathBuf>("config").cloned();
        self.0.strict = matches.get_flag("strict");
        self.0.flags = SETTINGS
            .iter()
            .filter_map(|setting| Some((setting.key.to_owned(), matches.get_one::<String>(setting.key)?.clone())))
            .collect();
        Ok(())
    }
}
