//! What one route takes and answers, in OpenAPI's words.

use biplane_admin_api::wire;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Schemas;

/// A route's part in the document.
pub(crate) struct Operation {
    tag: Tag,
    id: &'static str,
    summary: &'static str,
    query: Option<SchemaOf>,
    conditional: bool,
    body: Option<Body>,
    answers: Vec<Answer>,
}

/// What routes are about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tag {
    State,
    Resources,
    Sources,
    Page,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

struct Body {
    required: bool,
    contents: Vec<Content>,
}

struct Answer {
    status: u16,
    description: &'static str,
    content: Content,
}

struct Content {
    media: &'static str,
    schema: SchemaOf,
    example: Option<Value>,
}

impl Operation {
    pub(crate) const fn new(tag: Tag, id: &'static str, summary: &'static str) -> Self {
        Self { tag, id, summary, query: None, conditional: false, body: None, answers: Vec::new() }
    }

    /// It is asked with a query.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(T::json_schema);
        self
    }

    /// It can be made to depend on the revision that is there.
    pub(crate) const fn conditional(mut self) -> Self {
        self.conditional = true;
        self
    }

    /// It takes JSON.
    pub(crate) fn body<T: JsonSchema + Serialize>(mut self, example: &T) -> Self {
        self.body = Some(Body { required: true, contents: vec![Content::json(example)] });
        self
    }

    /// It takes JSON, or nothing.
    pub(crate) fn optional_body<T: JsonSchema + Serialize>(mut self, example: &T) -> Self {
        self.body = Some(Body { required: false, contents: vec![Content::json(example)] });
        self
    }

    /// It takes a document as it is written.
    pub(crate) fn document(mut self, example: &str) -> Self {
        let yaml = Content::of("application/yaml", String::json_schema, Some(json!(example)));
        let json = Content::of("application/json", |_| Schema::default(), None);
        self.body = Some(Body { required: true, contents: vec![yaml, json] });
        self
    }

    /// It answers in JSON.
    pub(crate) fn json<T: JsonSchema + Serialize>(
        self,
        status: u16,
        description: &'static str,
        example: &T,
    ) -> Self {
        self.answer(status, description, Content::json(example))
    }

    /// It answers in JSON of which nothing is said.
    pub(crate) fn any_json(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, Content::of("application/json", |_| Schema::default(), None))
    }

    /// It answers with lines, each a JSON document.
    pub(crate) fn lines<T: JsonSchema + Serialize>(
        self,
        status: u16,
        description: &'static str,
        example: &T,
    ) -> Self {
        self.answer(status, description, Content { media: wire::LINES, ..Content::json(example) })
    }

    /// It answers with text.
    pub(crate) fn text(self, status: u16, description: &'static str, media: &'static str) -> Self {
        self.answer(status, description, Content::of(media, String::json_schema, None))
    }

    fn answer(mut self, status: u16, description: &'static str, content: Content) -> Self {
        self.answers.push(Answer { status, description, content });
        self
    }

    /// The operation as the document has it.
    pub(super) fn describe(&self, path: &str, schemas: &mut Schemas) -> Value {
        let mut parameters: Vec<_> = path_parameters(path).collect();
        if let Some(query) = self.query {
            parameters.extend(query_parameters(&query(&mut schemas.requests)));
        }
        if self.conditional {
            parameters.extend(conditions());
        }
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [self.tag.name()],
            "parameters": parameters,
            "responses": self.responses(&mut schemas.answers),
        });
        if let Some(body) = &self.body {
            let content = content(&body.contents, &mut schemas.requests);
            operation["requestBody"] = json!({ "required": body.required, "content": content });
        }
        operation
    }

    fn responses(&self, generator: &mut SchemaGenerator) -> Map<String, Value> {
        let mut responses = Map::new();
        for answer in &self.answers {
            let content = content(std::slice::from_ref(&answer.content), generator);
            let response = json!({ "description": answer.description, "content": content });
            responses.insert(answer.status.to_string(), response);
        }
        responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
        responses
    }
}

impl Content {
    fn json<T: JsonSchema + Serialize>(example: &T) -> Self {
        let example = serde_json::to_value(example).expect("plain data");
        Self::of("application/json", SchemaGenerator::subschema_for::<T>, Some(example))
    }

    const fn of(media: &'static str, schema: SchemaOf, example: Option<Value>) -> Self {
        Self { media, schema, example }
    }
}

impl Tag {
    pub(super) const ALL: [Self; 4] = [Self::State, Self::Resources, Self::Sources, Self::Page];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Resources => "resources",
            Self::Sources => "sources",
            Self::Page => "page",
        }
    }

    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::State => "How the control plane is.",
            Self::Resources => "What it serves, to read and to change.",
            Self::Sources => "Where it reads from.",
            Self::Page => "A page for people.",
        }
    }
}

fn content(contents: &[Content], generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut described = Map::new();
    for Content { media, schema, example } in contents {
        let mut content = json!({ "schema": schema(generator) });
        if let Some(example) = example {
            content["example"] = example.clone();
        }
        described.insert((*media).to_owned(), content);
    }
    described
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let description = match name {
            "kind" => {
                "The kind, in any case, singular, plural or short: `VirtualService`, `virtualservices`, `vs`."
            }
            "namespace" => "The namespace.",
            _ => "The name, percent-encoded.",
        };
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
    })
}

/// A parameter for each field of a query's type.
fn query_parameters(schema: &Schema) -> Vec<Value> {
    let fields = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({ "name": name, "in": "query", "description": description.unwrap_or_default(), "schema": schema })
    };
    fields.into_iter().map(parameter).collect()
}

fn conditions() -> [Value; 2] {
    let parameter = |name: &str, description: &str, example: &str| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "header", "description": description, "schema": schema, "example": example })
    };
    [
        parameter("If-Match", "Only if the resource last changed at this revision; otherwise 412.", "\"42\""),
        parameter("If-None-Match", "`*`: only if the resource is not there; otherwise 412.", "*"),
    ]
}
