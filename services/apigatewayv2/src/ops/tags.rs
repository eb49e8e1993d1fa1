//! GetTags, TagResource, UntagResource: of APIs, stages, domain names and VPC links.

use base::Arn;
use service::{RequestContext, ServiceError};
use wire::Value;

use super::{Answer, State, domains, nothing, text, vpc_links};
use crate::change::find;
use crate::records::{ApiRecord, Domain, Stage, Texts, VpcLink};
use crate::{error, shape};

const MAX_TAGS: usize = 50;

/// What a tag may hang on.
enum Tagged {
    Api(String),
    Stage(String, String),
    Domain(String),
    VpcLink(String),
}

impl Tagged {
    /// `arn:aws:apigateway:<region>::/apis/<id>/stages/<name>` and the like.
    fn parse(context: &RequestContext, text: &str) -> Result<Self, ServiceError> {
        let arn: Option<Arn> = text.parse().ok();
        let arn =
            arn.filter(|arn| arn.service == "apigateway" && arn.region == context.region.as_str());
        let resource = arn.as_ref().map(|arn| arn.resource.as_str());
        let parts: Vec<&str> = resource.unwrap_or_default().split('/').skip(1).collect();
        let own = str::to_owned;
        match parts[..] {
            ["apis", id] => Ok(Self::Api(own(id))),
            ["apis", id, "stages", stage] => Ok(Self::Stage(own(id), own(stage))),
            ["domainnames", name] => Ok(Self::Domain(own(name))),
            ["vpclinks", id] => Ok(Self::VpcLink(own(id))),
            _ => Err(error::bad_request(format!("Invalid resource ARN: {text}"))),
        }
    }
}

/// Reads the tags, and writes them as `edit` leaves them; `None` where nothing changes.
async fn edit(
    state: &State,
    context: &RequestContext,
    arn: &str,
    edit: impl FnOnce(&mut Texts) -> Result<bool, ServiceError> + Send,
) -> Result<Texts, ServiceError> {
    match Tagged::parse(context, arn)? {
        Tagged::Api(id) => {
            let mut change = state.change(context, &id).await?;
            let mut tags = change.api.record.tags.clone().unwrap_or_default();
            if edit(&mut tags)? {
                let record = ApiRecord {
                    tags: Some(tags.clone()),
                    ..change.api.record.clone()
                };
                change.put_api(record)?;
                change.commit().await?;
            }
            Ok(tags)
        }
        Tagged::Stage(id, name) => {
            let mut change = state.change(context, &id).await?;
            let stage = find::<Stage>(&change.api, &name)?;
            let mut tags = stage.tags.clone().unwrap_or_default();
            if edit(&mut tags)? {
                change.put(Stage {
                    tags: Some(tags.clone()),
                    ..(*stage).clone()
                })?;
                change.commit().await?;
            }
            Ok(tags)
        }
        Tagged::Domain(name) => {
            let _alone = state.writer.lock().await;
            let domain = domains::find(state, context, &name)?.record;
            let mut tags = domain.tags.clone().unwrap_or_default();
            if edit(&mut tags)? {
                let domain = Domain {
                    tags: Some(tags.clone()),
                    ..(*domain).clone()
                };
                domains::save(state, context, domain).await?;
            }
            Ok(tags)
        }
        Tagged::VpcLink(id) => {
            let _alone = state.writer.lock().await;
            let link = vpc_links::find(state, context, &id)?;
            let mut tags = link.tags.clone().unwrap_or_default();
            if edit(&mut tags)? {
                let link = VpcLink {
                    tags: Some(tags.clone()),
                    ..(*link).clone()
                };
                vpc_links::save(state, context, link).await?;
            }
            Ok(tags)
        }
    }
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    let arn = text(&input, "ResourceArn");
    let tags = edit(&state, &context, arn, |_| Ok(false)).await?;
    let tags = shape::shown(&tags);
    Ok(Value::of_members([Some(("Tags", tags))]))
}

pub async fn tag(state: State, context: RequestContext, input: Value) -> Answer {
    let arn = text(&input, "ResourceArn").to_owned();
    let mut members = shape::members(input);
    let given: Texts = match members.remove("Tags") {
        Some(serde_json::Value::Object(tags)) => shape::record(tags)?,
        _ => Texts::new(),
    };
    edit(&state, &context, &arn, move |tags| {
        tags.extend(given);
        if tags.len() > MAX_TAGS {
            return Err(error::bad_request(
                "A resource can have no more than 50 tags",
            ));
        }
        Ok(true)
    })
    .await?;
    Ok(nothing())
}

pub async fn untag(state: State, context: RequestContext, input: Value) -> Answer {
    let keys = input.get("TagKeys").and_then(Value::as_list);
    let keys = keys.unwrap_or_default().iter().filter_map(Value::as_str);
    let keys: Vec<String> = keys.map(str::to_owned).collect();
    let arn = text(&input, "ResourceArn");
    edit(&state, &context, arn, move |tags| {
        tags.retain(|key, _| !keys.contains(key));
        Ok(true)
    })
    .await?;
    Ok(nothing())
}
