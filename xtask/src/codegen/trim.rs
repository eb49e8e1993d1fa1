//! `cargo xtask codegen trim`: from a botocore model to the `model.json` we commit. Operations we do
//! not implement keep their name and route, shapes nobody uses go, and so does all prose.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};

use super::model::{Choices, Model, Operation, Ordered, Reference, Shape};

/// Trims `source` by the `kagero` part of `target`, which stays as it is, and writes `target`.
pub fn run(source: &Path, target: &Path) -> anyhow::Result<()> {
    #[derive(serde::Deserialize)]
    struct Chosen {
        kagero: Choices,
    }
    let text = std::fs::read_to_string(target)
        .with_context(|| format!("{}: begin with its `kagero` part", target.display()))?;
    let chosen: Chosen = serde_json::from_str(&text)
        .with_context(|| format!("{} has no valid `kagero` part", target.display()))?;
    let text = std::fs::read_to_string(source).with_context(|| {
        format!(
            "read {} (unpack it first if it ends in .gz)",
            source.display()
        )
    })?;
    let model: Model = serde_json::from_str(&text).context("not a service-2.json")?;
    let trimmed = trim(model, chosen.kagero)?;
    std::fs::write(target, serde_json::to_string_pretty(&trimmed)? + "\n")?;
    eprintln!(
        "{}: {} shapes for {} of {} operations",
        target.display(),
        trimmed.shapes.0.len(),
        trimmed.kagero.map_or(0, |choices| choices.implements.len()),
        trimmed.operations.0.len()
    );
    Ok(())
}

fn trim(model: Model, choices: Choices) -> anyhow::Result<Model> {
    for name in &choices.implements {
        if model.operations.get(name).is_none() {
            bail!("the model has no operation {name}");
        }
    }
    let operations = Ordered(
        model
            .operations
            .0
            .into_iter()
            .map(|(name, operation)| {
                let kept = choices.implements.contains(&name);
                (
                    name,
                    if kept {
                        operation
                    } else {
                        name_only(operation)
                    },
                )
            })
            .collect(),
    );
    let shapes = without_event_streams(&operations, model.shapes);
    let used = used_shapes(&operations, &shapes)?;
    let shapes = Ordered(
        shapes
            .0
            .into_iter()
            .filter(|(name, _)| used.contains(name))
            .collect(),
    );
    Ok(Model {
        kagero: Some(choices),
        metadata: model.metadata,
        operations,
        shapes,
    })
}

/// An event stream is no member of what an operation answers, but its body, which the service writes
/// while it comes.
fn without_event_streams(
    operations: &Ordered<Operation>,
    mut shapes: Ordered<Shape>,
) -> Ordered<Shape> {
    let outputs: BTreeSet<&str> = operations
        .0
        .iter()
        .filter_map(|(_, operation)| Some(operation.output.as_ref()?.shape.as_str()))
        .collect();
    let streams: BTreeSet<String> = shapes
        .0
        .iter()
        .filter(|(_, shape)| shape.eventstream)
        .map(|(name, _)| name.clone())
        .collect();
    for (name, shape) in &mut shapes.0 {
        if !outputs.contains(name.as_str()) {
            continue;
        }
        let Some(members) = &mut shape.members else {
            continue;
        };
        let is_stream = |member: &Reference| streams.contains(&member.shape);
        if let Some(payload) = &shape.payload
            && members.get(payload).is_some_and(is_stream)
        {
            shape.payload = None;
        }
        members.0.retain(|(_, member)| !is_stream(member));
    }
    shapes
}

fn name_only(operation: Operation) -> Operation {
    Operation {
        input: None,
        output: None,
        errors: Vec::new(),
        ..operation
    }
}

fn used_shapes(
    operations: &Ordered<Operation>,
    shapes: &Ordered<super::model::Shape>,
) -> anyhow::Result<BTreeSet<String>> {
    let mut used = BTreeSet::new();
    let mut open: Vec<String> = operations
        .0
        .iter()
        .flat_map(|(_, operation)| {
            operation
                .input
                .iter()
                .chain(&operation.output)
                .chain(&operation.errors)
        })
        .map(|reference| reference.shape.clone())
        .collect();
    while let Some(name) = open.pop() {
        let shape = shapes
            .get(&name)
            .with_context(|| format!("no shape {name}"))?;
        if used.insert(name) {
            open.extend(shape.uses().map(|reference| reference.shape.clone()));
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model() -> Model {
        serde_json::from_value(json!({
            "metadata": {
                "apiVersion": "2020-01-01", "endpointPrefix": "x", "protocol": "rest-json",
                "serviceFullName": "X", "serviceId": "X",
            },
            "operations": {
                "Put": {
                    "name": "Put", "http": {"method": "PUT", "requestUri": "/{Name}"},
                    "input": {"shape": "PutRequest"}, "documentation": "<p>prose</p>",
                },
                "Get": {
                    "name": "Get", "http": {"method": "GET", "requestUri": "/{Name}"},
                    "output": {"shape": "GetResponse"},
                },
            },
            "shapes": {
                "PutRequest": {"type": "structure", "members": {
                    "Name": {"shape": "Name", "documentation": "prose"},
                    "Self": {"shape": "PutRequest"},
                }},
                "GetResponse": {"type": "structure", "members": {}},
                "Name": {"type": "string", "max": 5},
            },
        }))
        .unwrap()
    }

    fn implementing(names: &[&str]) -> Choices {
        serde_json::from_value(json!({"implements": names, "validation": {"code": "V"}})).unwrap()
    }

    #[test]
    fn what_is_not_implemented_keeps_its_name_and_route() {
        let trimmed = trim(model(), implementing(&["Put"])).unwrap();
        let get = trimmed.operations.get("Get").unwrap();
        assert!(get.output.is_none());
        assert_eq!(get.http.request_uri, "/{Name}");
        let shapes: Vec<&str> = trimmed.shapes.iter().map(|(name, _)| name).collect();
        assert_eq!(shapes, ["PutRequest", "Name"]);
        let written = serde_json::to_string(&trimmed).unwrap();
        assert!(
            !written.contains("prose") && written.contains("\"max\":5"),
            "{written}"
        );
    }

    #[test]
    fn an_event_stream_is_no_member() {
        let mut model = model();
        model.shapes = serde_json::from_value(json!({
            "GetResponse": {"type": "structure", "payload": "Events", "members": {
                "Events": {"shape": "Events"}, "Name": {"shape": "Name"},
            }},
            "Events": {"type": "structure", "eventstream": true, "members": {}},
            "Name": {"type": "string"},
        }))
        .unwrap();
        let trimmed = trim(model, implementing(&["Get"])).unwrap();
        assert!(trimmed.shapes.get("Events").is_none());
        let response = trimmed.shapes.get("GetResponse").unwrap();
        assert_eq!(response.payload, None);
        let members = response.members.as_ref().unwrap();
        assert!(members.get("Events").is_none() && members.get("Name").is_some());
    }

    #[test]
    fn an_operation_nobody_knows_is_refused() {
        assert!(trim(model(), implementing(&["Post"])).is_err());
    }
}
