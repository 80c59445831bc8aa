//! What the settings say about themselves, for the manual.

use clap::{Args, Command};

use super::flags::{ClientFlags, Flags, GlobalFlags};
use super::keys::KEYS;

/// One setting, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// Its name in the file.
    pub(crate) name: &'static str,
    /// Its variable.
    pub(crate) variable: &'static str,
    /// Its flag, without dashes.
    pub(crate) flag: String,
    /// Its value when nobody sets it.
    pub(crate) default: Option<&'static str>,
    /// What it is.
    pub(crate) help: String,
}

/// All settings, in the order of their list.
pub(crate) fn described() -> Vec<Described> {
    let flags = GlobalFlags::augment_args(Command::new("settings"));
    let flags = ClientFlags::augment_args(Flags::augment_args(flags));
    let describe = |key: &super::keys::Key| {
        let flag = key.variable.trim_start_matches("BIPLANE_").replace('_', "-").to_lowercase();
        let argument = flags.get_arguments().find(|argument| argument.get_long() == Some(&flag));
        let help = argument.and_then(|argument| argument.get_help()).map(ToString::to_string);
        let help = help.unwrap_or_default();
        // The default is told beside it.
        let help = help.split(" [default:").next().unwrap_or_default().to_owned();
        Described { name: key.name, variable: key.variable, flag, default: key.default, help }
    };
    KEYS.iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_a_flag_that_says_what_it_is() {
        for setting in described() {
            assert!(!setting.help.is_empty(), "{setting:?}");
        }
    }
}
