//! What probes and Prometheus ask.

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::metrics;
use crate::shared::Shared;

/// Everything measured.
pub(crate) async fn metrics() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(metrics::render())
}

/// Whether the event loop turns. Restart the process if not.
pub(crate) async fn live(shared: Data<Shared>) -> HttpResponse {
    match shared.is_live() {
        true => HttpResponse::Ok().body("live\n"),
        false => HttpResponse::ServiceUnavailable().body("the event loop hangs\n"),
    }
}

/// Whether clients may be sent here. Wait if not.
pub(crate) async fn ready(shared: Data<Shared>) -> HttpResponse {
    match shared.is_ready() {
        Ok(()) => HttpResponse::Ok().body("ready\n"),
        Err(why) => HttpResponse::ServiceUnavailable().body(format!("not ready: {why}\n")),
    }
}
