//! The operations of the document, as tests walk over them: whatever is documented is tested, without being listed.

use serde_json::{Map, Value};

/// One method of one path, and what the document says of it.
pub(crate) struct Operation {
    pub method: String,
    pub path: String,
    about: Value,
    document: Value,
}

/// All operations, in the order of the document.
pub(crate) fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&web::openapi_json()).expect("the document is JSON");
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("an object") {
        for (method, about) in item.as_object().expect("an object") {
            let (method, path, about) = (method.to_uppercase(), path.clone(), about.clone());
            all.push(Operation { method, path, about, document: document.clone() });
        }
    }
    all
}

impl Operation {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Wherever it is asked from: metrics are open to the machine itself, as tests are.
    pub(crate) fn needs_token(&self) -> bool {
        let Some(ways) = self.about["security"].as_array() else { return true };
        !ways.is_empty() && !ways.contains(&serde_json::json!({}))
    }

    pub(crate) fn changes(&self) -> bool {
        self.method != "GET"
    }

    /// The parameters of the path or the query string, by name.
    pub(crate) fn parameters(&self, place: &str) -> Vec<(String, Value)> {
        let all = self.about["parameters"].as_array();
        let of_place = all.into_iter().flatten().filter(|parameter| parameter["in"] == place);
        of_place.map(|parameter| (text_of(&parameter["name"]), self.resolved(&parameter["schema"]))).collect()
    }

    /// The members of its JSON body, by name; `None` if it has no body that is an object.
    pub(crate) fn members(&self) -> Option<Map<String, Value>> {
        let content = &self.about["requestBody"]["content"];
        let schema = self.resolved(&content["application/json"]["schema"]);
        let members = schema["properties"].as_object()?;
        Some(members.iter().map(|(name, schema)| (name.clone(), self.resolved(schema))).collect())
    }

    /// A schema in place of a reference to it, also where a reference may be null.
    pub(crate) fn resolved(&self, schema: &Value) -> Value {
        let mut schema = schema.clone();
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let others: Vec<&Value> = alternatives.iter().filter(|one| one["type"] != "null").collect();
            if let [one] = others[..] {
                schema = one.clone();
            }
        }
        while let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("a reference within the document");
            schema = self.document.pointer(pointer).expect("what is referred to").clone();
        }
        schema
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
