//! The API's description in OpenAPI 3.1, made from the table of routes and the types that travel.
//!
//! Schemas come from the types themselves (schemars), examples are values of the types; so the document
//! can only say what the code does.

pub(crate) mod examples;
mod operation;

use std::collections::BTreeMap;

use biplane_admin_api::{Problem, wire};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::access::Need;
use crate::routes::Route;
pub(crate) use operation::{Operation, Tag};

const SCHEMAS: &str = "/components/schemas";

/// The whole document.
pub(crate) fn document(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let paths = paths(routes, &mut schemas);
    let problem = schemas.answers.subschema_for::<Problem>();
    let schemas = schemas.all();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Biplane",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reads and changes what a control plane serves, and says how it is. \
                            Fields that a client does not know are to be read past.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": "/" }],
        "tags": Tag::ALL.map(|tag| json!({ "name": tag.name(), "description": tag.description() })),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "Why it was not done. Nothing was changed.",
                "content": { wire::PROBLEM: { "schema": problem, "example": examples::problem() } },
            } },
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of the role read or write. On the admin socket, and as far as settings allow \
                                on loopback, none is needed.",
            } },
        },
    })
}

/// What may come in, where much can be left out, and what goes out, where all is there.
struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = SCHEMAS.into();
            settings.meta_schema = None;
        });
        let requests = settings.clone().for_deserialize().into_generator();
        Self { requests, answers: settings.for_serialize().into_generator() }
    }

    /// All that were asked for, by name.
    fn all(mut self) -> BTreeMap<String, Value> {
        let mut all: BTreeMap<_, _> = self.requests.take_definitions(true).into_iter().collect();
        for (name, schema) in self.answers.take_definitions(true) {
            let known = all.insert(name.clone(), schema.clone());
            assert!(
                known.is_none_or(|known| known == schema),
                "{name} is one thing coming in and another going out"
            );
        }
        all
    }
}

fn paths(routes: &[Route], schemas: &mut Schemas) -> BTreeMap<&'static str, Map<String, Value>> {
    let mut paths: BTreeMap<_, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let method = route.method.as_str().to_ascii_lowercase();
        let mut operation = route.operation.describe(route.path, schemas);
        operation["security"] = security(route.need);
        operation["description"] = json!(right(route));
        paths.entry(route.path).or_default().insert(method, operation);
    }
    paths
}

fn security(need: Need) -> Value {
    if need == Need::Nothing { json!([]) } else { json!([{ "token": [] }, {}]) }
}

fn right(route: &Route) -> String {
    match (route.need, route.dry_runs) {
        (Need::Nothing, _) => "Open to everybody who reaches the address.".to_owned(),
        (need, false) => format!("Takes the right to {need}."),
        (need, true) => format!("Takes the right to {need}; a dry run, the right to {}.", Need::Read),
    }
}
