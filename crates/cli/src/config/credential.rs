//! Files that the service manager hands over: `credential:NAME` in a setting is the file of that name among the
//! credentials of the unit.
//!
//! Commands that run beside the service read the same settings and are given no credentials: for them the name stands for
//! the place where systemd keeps those of the unit, which only they may open who may.

/// How a setting names one.
const SCHEME: &str = "credential:";

/// Where systemd keeps the credentials of the unit.
const OF_UNIT: &str = "/run/credentials/biplane.service";

/// The text with the path of a file in place of each credential: where it begins with one, and in the parameters of a URL.
pub(super) fn placed(text: &str, directory: Option<&str>) -> String {
    let directory = directory.unwrap_or(OF_UNIT);
    let place = |text: &str| match text.strip_prefix(SCHEME) {
        Some(name) => format!("{directory}/{name}"),
        None => text.to_owned(),
    };
    let words = text.split_inclusive(' ').map(|word| {
        let parts: Vec<_> = word.split('=').map(place).collect();
        parts.join("=")
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_file_of_the_service_manager_and_other_text_stays() {
        for (written, read) in [
            ("credential:snapshot-key", "/run/x/snapshot-key"),
            (
                "vault:?auth=approle&secretIdFile=credential:secret-id&name=v",
                "vault:?auth=approle&secretIdFile=/run/x/secret-id&name=v",
            ),
            ("file:///a credentials:?name=credential", "file:///a credentials:?name=credential"),
            ("{\"biplane\":{\"enabled\":true}}", "{\"biplane\":{\"enabled\":true}}"),
            ("/etc/key", "/etc/key"),
        ] {
            assert_eq!(placed(written, Some("/run/x")), read);
        }
        assert_eq!(placed("credential:key", None), "/run/credentials/biplane.service/key");
    }
}
