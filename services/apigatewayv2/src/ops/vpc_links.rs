//! CreateVpcLink, GetVpcLink, GetVpcLinks, UpdateVpcLink, DeleteVpcLink. There are no networks here:
//! links are kept, and requests through them fail.

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Value;

use super::{Answer, State, nothing, paged_as, text};
use crate::change::fresh_id;
use crate::directory::Place;
use crate::records::{VPC_LINKS, VpcLink};
use crate::{ApiGatewayV2, error, shape};

fn place(context: &RequestContext) -> Place {
    (context.account, context.region.clone())
}

pub fn find(
    state: &ApiGatewayV2,
    context: &RequestContext,
    id: &str,
) -> Result<Arc<VpcLink>, ServiceError> {
    let links = state.directory.vpc_links.read();
    let found = links.get(&(place(context), id.to_owned())).cloned();
    found.ok_or_else(|| error::not_found("VpcLink", id))
}

pub async fn save(
    state: &ApiGatewayV2,
    context: &RequestContext,
    link: VpcLink,
) -> Result<Arc<VpcLink>, ServiceError> {
    let key = (
        context.account.as_str(),
        context.region.as_str(),
        link.vpc_link_id.as_str(),
    );
    let mut batch = Batch::new();
    let put = VPC_LINKS.put(&mut batch, key, &link);
    state.commit(put.map(|()| batch)).await?;
    let link = Arc::new(link);
    let key = (place(context), link.vpc_link_id.clone());
    state
        .directory
        .vpc_links
        .write()
        .insert(key, Arc::clone(&link));
    Ok(link)
}

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut link: VpcLink = shape::record(shape::members(input))?;
    link.vpc_link_id = fresh_id(6);
    link.created_date = state.clock.now();
    "AVAILABLE".clone_into(&mut link.vpc_link_status);
    "V2".clone_into(&mut link.vpc_link_version);
    link.vpc_link_status_message = Some("VPC link is ready to route traffic".to_owned());
    link.tags.get_or_insert_default();
    let _alone = state.writer.lock().await;
    Ok(shape::shown(&*save(&state, &context, link).await?))
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    Ok(shape::shown(&*find(
        &state,
        &context,
        text(&input, "VpcLinkId"),
    )?))
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    let own = place(&context);
    let links: Vec<_> = {
        let links = state.directory.vpc_links.read();
        let links = links.iter().filter(|((place, _), _)| *place == own);
        links
            .map(|((_, id), link)| (id.clone(), Arc::clone(link)))
            .collect()
    };
    paged_as(&input, links, |link| shape::shown(&*link))
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let _alone = state.writer.lock().await;
    let before = find(&state, &context, text(&input, "VpcLinkId"))?;
    let link: VpcLink = shape::changed(&*before, shape::members(input), &[])?;
    Ok(shape::shown(&*save(&state, &context, link).await?))
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let _alone = state.writer.lock().await;
    let link = find(&state, &context, text(&input, "VpcLinkId"))?;
    let id = link.vpc_link_id.clone();
    let mut batch = Batch::new();
    let key = (
        context.account.as_str(),
        context.region.as_str(),
        id.as_str(),
    );
    VPC_LINKS.delete(&mut batch, key);
    state.commit(Ok(batch)).await?;
    state
        .directory
        .vpc_links
        .write()
        .remove(&(place(&context), id));
    Ok(nothing())
}
