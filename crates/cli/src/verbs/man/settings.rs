//! biplane.yaml(5): every setting with its name, variable, flag and default.

use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::config::{Described, described};

/// The page.
pub(super) fn page() -> String {
    let mut page = Roff::new();
    page.control("TH", ["BIPLANE.YAML", "5", "", concat!("biplane ", env!("CARGO_PKG_VERSION")), "Biplane"]);
    page.control("SH", ["NAME"]).text([roman("biplane.yaml - settings of the Biplane control plane")]);
    page.control("SH", ["SYNOPSIS"]).text([bold("/etc/biplane/biplane.yaml")]);
    page.control("SH", ["DESCRIPTION"]).text([roman(
        "A map from the names of settings to their values. What stands here is above the defaults, below the variables of \
         the environment, and these are below the flags. A setting that nobody knows is an error that names the nearest \
         one. The process reads the file when it starts; a reload applies the setting log and names the others that have \
         changed.",
    )]);
    page.text([roman(
        "A file may be given as credential:NAME: it is then what systemd hands over under that name by LoadCredential=.",
    )]);
    page.control("SH", ["SETTINGS"]);
    for setting in &described() {
        entry(&mut page, setting);
    }
    page.control("SH", ["SEE ALSO"]).text([
        bold("biplane"),
        roman("(1), "),
        bold("biplane-config-show"),
        roman("(1), "),
        bold("biplane"),
        roman("(7), "),
        bold("biplane"),
        roman("(8)"),
    ]);
    page.to_roff()
}

fn entry(page: &mut Roff, setting: &Described) {
    page.control("TP", []).text([bold(setting.name)]);
    page.text([roman(setting.help.clone())]);
    let default = setting.default.unwrap_or("none");
    page.control("RS", []).text([
        roman("Variable "),
        italic(setting.variable),
        roman(format!(", flag --{}, default {default}.", setting.flag)),
    ]);
    page.control("RE", []);
}
