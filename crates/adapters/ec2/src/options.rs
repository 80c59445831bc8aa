//! What can be set about EC2.

mod url;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use biplane_source::{REFRESH, SourceError};

/// Who asks EC2, where, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ec2Options {
    /// What status and upstreams call it.
    pub name: String,
    /// Whether Envoys wait for their first answer until it has answered.
    pub required: bool,
    /// The region of upstreams that name none; `None`: that of the profile, or of the instance.
    pub region: Option<String>,
    /// The profile whose credentials are taken; `None`: as AWS's own tools do.
    pub profile: Option<String>,
    /// Another endpoint than the regions' own, for EC2, Auto Scaling and STS.
    pub endpoint: Option<String>,
    /// The authorities to trust, in PEM, instead of those of the system.
    pub ca_bundle: Option<PathBuf>,
    /// How often instances are listed.
    pub refresh: Duration,
    /// How many calls a second each caller makes, at most.
    pub max_rate: NonZeroU32,
    /// How long one call may take.
    pub timeout: Duration,
    /// How many instances a page has.
    pub page: u32,
}

impl Default for Ec2Options {
    fn default() -> Self {
        Self {
            name: "ec2".to_owned(),
            required: false,
            region: None,
            profile: None,
            endpoint: None,
            ca_bundle: None,
            refresh: REFRESH,
            max_rate: NonZeroU32::new(5).expect("five"),
            timeout: Duration::from_secs(10),
            page: 1000,
        }
    }
}

impl Ec2Options {
    /// From `ec2:?region=eu-west-1&...`. The parameters are `name`, `required`, `region`, `profile`, `endpoint`,
    /// `refresh` (10 s or longer is kind to others of the account; 1 s is the least), `maxRate` (calls a second),
    /// `timeout` and `page`; one that is not known is an error. What the URL does not say comes from the variables and
    /// files of AWS's own tools.
    pub fn from_url(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, SourceError> {
        url::parse(url, environment)
    }
}
