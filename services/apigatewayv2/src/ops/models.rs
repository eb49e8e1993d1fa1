//! CreateModel, GetModel, GetModels, GetModelTemplate, UpdateModel, DeleteModel.

use service::RequestContext;
use wire::Value;

use super::{Answer, State, get_child, list_children, nothing, text};
use crate::change::{find, fresh_id};
use crate::domain::validation;
use crate::records::Model;
use crate::shape;

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let mut model: Model = shape::record(members)?;
    model.model_id = fresh_id(6);
    let mut change = state.change(&context, &api).await?;
    validation::model(&change.api, &model)?;
    let model = change.put(model)?;
    change.commit().await?;
    Ok(shape::shown(&*model))
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let (api, id) = (text(&input, "ApiId"), text(&input, "ModelId"));
    get_child::<Model>(&state, &context, api, id)
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    list_children::<Model>(&state, &context, &input, "")
}

/// A sample of a mapping template for the model: each property passed on.
pub async fn template(state: State, context: RequestContext, input: Value) -> Answer {
    let api = state.api(&context, text(&input, "ApiId"))?;
    let model = find::<Model>(&api, text(&input, "ModelId"))?;
    let schema: serde_json::Value = serde_json::from_str(&model.schema).unwrap_or_default();
    let properties = schema.get("properties").and_then(|all| all.as_object());
    let lines: Vec<String> = properties
        .into_iter()
        .flat_map(|all| all.keys())
        .map(|name| format!("  \"{name}\": \"$inputRoot.{name}\""))
        .collect();
    let sample = format!(
        "#set($inputRoot = $input.path('$'))\n{{\n{}\n}}",
        lines.join(",\n")
    );
    Ok(Value::of_members([Some(("Value", Value::Str(sample)))]))
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let id = shape::take_text(&mut members, "ModelId");
    let mut change = state.change(&context, &api).await?;
    let before = find::<Model>(&change.api, &id)?;
    let model: Model = shape::changed(&*before, members, &[])?;
    validation::model(&change.api, &model)?;
    let model = change.put(model)?;
    change.commit().await?;
    Ok(shape::shown(&*model))
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let model = find::<Model>(&change.api, text(&input, "ModelId"))?;
    change.delete::<Model>(&model.model_id);
    change.commit().await?;
    Ok(nothing())
}
