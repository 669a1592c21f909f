//! The admin API: JSON over HTTP on loopback, opened by the token in the node's data folder. The command line uses it.

mod cluster;
mod users;

pub use users::User;

use actix_web::guard::{Guard, GuardContext};
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, http::StatusCode};
use serde::{Deserialize, Serialize};

use crate::shared::Shared;

/// Bytes of the largest file of accounts.
pub const IMPORT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why something was not done, in words for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// What and what to do.
    pub error: String,
}

/// The routes.
pub(crate) fn routes(app: &mut ServiceConfig) {
    let users = web::resource("/users")
        .route(web::get().to(users::list))
        .route(web::post().to(users::add))
        .route(web::put().to(users::password))
        .route(web::delete().to(users::remove));
    let import = web::resource("/users/import")
        .app_data(web::PayloadConfig::new(IMPORT_BYTES_MAX))
        .route(web::post().to(users::import));
    app.service(
        web::scope("/admin")
            .guard(HasToken)
            .service(import)
            .service(users)
            .route("/status", web::get().to(cluster::status))
            .route("/ring", web::get().to(cluster::ring))
            .route("/drain", web::post().to(cluster::drain)),
    );
    app.service(web::scope("/admin").default_service(web::to(|| async {
        refuse(
            StatusCode::UNAUTHORIZED,
            "the token is missing or wrong: read it from admin-token in the data folder",
        )
    })));
}

struct HasToken;

impl Guard for HasToken {
    fn check(&self, cx: &GuardContext<'_>) -> bool {
        let given = cx.head().headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        match (given, cx.app_data::<Data<Shared>>()) {
            (Some(given), Some(shared)) => {
                given.len() == shared.token.len()
                    && openssl::memcmp::eq(given.as_bytes(), shared.token.as_bytes())
            }
            _ => false,
        }
    }
}

fn refuse(status: StatusCode, error: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).json(Refusal { error: error.into() })
}

fn starting() -> HttpResponse {
    refuse(StatusCode::SERVICE_UNAVAILABLE, "the node is still starting")
}
