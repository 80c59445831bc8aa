//! The schemas that editors get.

use biplane_core::key::Kind;
use biplane_core::schema;
use serde_json::Value;

#[test]
fn schema_covers_both_forms_of_each_kind() {
    for kind in Kind::ALL {
        let schema = schema::schema(kind);
        assert_eq!(schema["then"]["properties"]["kind"]["const"], kind.as_str());
        assert!(schema["then"]["properties"]["spec"]["$ref"].is_string(), "{kind}");
        assert!(
            schema["else"]["properties"]["metadata"].is_object() && schema["description"].is_string(),
            "{kind}"
        );
    }
    let gateway = schema::schema(Kind::Gateway);
    assert_eq!(
        gateway["else"]["properties"]["bindPort"]["description"],
        "The port to listen on, 1 to 65535."
    );
    assert_eq!(schema::all()["anyOf"].as_array().map(Vec::len), Some(Kind::ALL.len()));
}

#[test]
fn every_reference_in_a_schema_leads_somewhere() {
    let schema = schema::all();
    let mut open = vec![&schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(path)) = map.get("$ref") {
                    let name = path.strip_prefix("#/$defs/").expect("a definition");
                    assert!(schema["$defs"][name].is_object(), "{path}");
                }
                open.extend(map.values());
            }
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
}

#[test]
fn every_field_is_described() {
    let schema = schema::all();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (field, property) in definition["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}.{field}");
        }
    }
}
