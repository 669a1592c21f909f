//! What the cluster looks like from here, and taking this node out of it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use jid::Jid;
use serde::Deserialize;

use super::{refuse, starting};
use crate::shared::Shared;

/// Nodes, slots and load.
pub(super) async fn status(shared: Data<Shared>) -> HttpResponse {
    match shared.system() {
        Some(system) => HttpResponse::Ok().json(system.status()),
        None => starting(),
    }
}

#[derive(Deserialize)]
pub(super) struct Whose {
    jid: String,
}

/// Where an address belongs.
pub(super) async fn ring(shared: Data<Shared>, whose: Query<Whose>) -> HttpResponse {
    let Some(system) = shared.system() else { return starting() };
    match Jid::new(&whose.jid) {
        Ok(jid) => HttpResponse::Ok().json(system.ring(&jid)),
        Err(error) => refuse(StatusCode::BAD_REQUEST, format!("{:?} is not a JID: {error}", whose.jid)),
    }
}

/// Hands everything over; the node goes on, empty and not ready, until it is stopped.
pub(super) async fn drain(shared: Data<Shared>) -> HttpResponse {
    let Some(system) = shared.system() else { return starting() };
    match tokio::time::timeout(shared.drain_time_max, system.drain()).await {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({ "drained": true })),
        Err(_) => {
            refuse(StatusCode::GATEWAY_TIMEOUT, "the drain goes on, longer than node.drain_seconds_max")
        }
    }
}
