//! Holds answers against the OpenAPI document.

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::raw::Answer;

/// The document, and what it says of answers.
pub(crate) struct Contract {
    document: Value,
}

impl Contract {
    pub(crate) fn of_server() -> Self {
        Self { document: biplane_admin::openapi() }
    }

    pub(crate) fn paths(&self) -> &Map<String, Value> {
        self.document["paths"].as_object().expect("an object")
    }

    /// Fails unless the document allows this answer to this question.
    pub(crate) fn check(&self, method: &str, path: &str, answer: &Answer) {
        let asked = format!("{method} {path} answered {}", answer.status);
        let response = self.response(method, path, answer.status);
        let media = answer.header("content-type").unwrap_or_else(|| panic!("{asked} without a type"));
        let media = media.split(';').next().unwrap_or_default();
        let content = &response["content"][media];
        assert!(content.is_object(), "{asked} as {media}, and only {response} is described");
        match media {
            "application/json" | "application/problem+json" => {
                self.valid(&content["schema"], &answer.json(), &asked);
            }
            "application/x-ndjson" => {
                for line in answer.body.lines() {
                    self.valid(
                        &content["schema"],
                        &serde_json::from_str(line).expect("a line of JSON"),
                        &asked,
                    );
                }
            }
            _ => {}
        }
    }

    /// Fails unless `value` is what `schema`, which may point into the document, describes.
    pub(crate) fn valid(&self, schema: &Value, value: &Value, what: &str) {
        let errors: Vec<_> =
            self.validator(schema).iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{what}: {errors:?}\n{value}");
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.document["components"],
        });
        jsonschema::validator_for(&whole).expect("a schema")
    }

    /// What is described for a status code; of a path that is not described, a problem.
    fn response(&self, method: &str, path: &str, status: u16) -> &Value {
        let problem = &self.document["components"]["responses"]["Problem"];
        let path = path.split('?').next().unwrap_or_default();
        let described = self.paths().iter().find(|(template, _)| matches(template, path));
        let Some((_, operations)) = described else {
            assert!(matches!(status, 404 | 421), "{path} is not described, and answers {status}");
            return problem;
        };
        match &operations[method.to_ascii_lowercase()]["responses"] {
            Value::Null => {
                assert!(
                    matches!(status, 401 | 403 | 405 | 413 | 421),
                    "{method} {path} is not described, and answers {status}"
                );
                problem
            }
            responses => responses.get(status.to_string()).unwrap_or(problem),
        }
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(known, asked)| known.starts_with('{') || known == asked)
}
