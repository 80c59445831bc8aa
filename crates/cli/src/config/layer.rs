//! One layer of settings for figment: texts by name, each with the place that it was written at.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

use super::credential;

/// A layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    name: &'static str,
    values: BTreeMap<&'static str, String>,
    places: BTreeMap<&'static str, String>,
}

impl Layer {
    /// A layer that sets nothing yet.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// Sets a value that was written at `place`.
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<String>, place: impl Into<String>) {
        self.values.insert(key, value.into());
        self.places.insert(key, place.into());
    }

    /// The same with the files that the service manager hands over in place of their names.
    pub(super) fn placed(mut self, credentials: Option<&str>) -> Self {
        self.values.values_mut().for_each(|value| *value = credential::placed(value, credentials));
        self
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let places = self.places.clone();
        Metadata::named(self.name)
            .interpolater(move |_, keys| places.get(keys.join(".").as_str()).cloned().unwrap_or_default())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let values = self.values.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.clone())));
        Ok(Profile::Default.collect(values.collect()))
    }
}
