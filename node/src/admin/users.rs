//! Accounts: listed, added, given another password, removed, and read from a file.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Json, Query};
use jid::BareJid;
use muster_proto::session::Order;
use serde::{Deserialize, Serialize};

use super::{refuse, starting};
use crate::shared::Shared;
use crate::users::{self, UserError, Users};

/// An account and its password.
#[derive(Serialize, Deserialize)]
pub struct User {
    /// Its address.
    pub jid: String,
    /// In the clear.
    pub password: String,
}

/// Which account.
#[derive(Serialize, Deserialize)]
pub(crate) struct Which {
    /// Its address.
    pub jid: String,
}

/// Accounts of all domains, sorted.
pub(super) async fn list(shared: Data<Shared>) -> HttpResponse {
    let Some(users) = of(&shared) else { return starting() };
    answer(users.list().await.map(|all| HttpResponse::Ok().json(all)))
}

/// Adds one.
pub(super) async fn add(shared: Data<Shared>, user: Json<User>) -> HttpResponse {
    let Some(users) = of(&shared) else { return starting() };
    answer(
        users
            .add(&user.jid, &user.password)
            .await
            .map(|_| HttpResponse::Created().json(serde_json::json!({}))),
    )
}

/// Gives one another password and ends its streams.
pub(super) async fn password(shared: Data<Shared>, user: Json<User>) -> HttpResponse {
    let Some(users) = of(&shared) else { return starting() };
    let done = users.set_password(&user.jid, &user.password).await;
    answer(done.map(|jid| order(&shared, &jid, Order::EndStreams)))
}

/// Removes one, with all that is stored of it, and ends its streams.
pub(super) async fn remove(shared: Data<Shared>, which: Query<Which>) -> HttpResponse {
    let Some(users) = of(&shared) else { return starting() };
    answer(users.close(&which.jid).await.map(|jid| order(&shared, &jid, Order::Remove)))
}

/// Adds all of a file.
pub(super) async fn import(shared: Data<Shared>, text: Bytes) -> HttpResponse {
    let Some(users) = of(&shared) else { return starting() };
    let Ok(text) = std::str::from_utf8(&text) else {
        return refuse(StatusCode::BAD_REQUEST, "the file is not UTF-8");
    };
    match users::lines(text) {
        Ok(accounts) => {
            let imported = users.import(accounts).await;
            answer(imported.map(|added| HttpResponse::Ok().json(serde_json::json!({ "added": added }))))
        }
        Err(error) => answer(Err(error)),
    }
}

fn of(shared: &Data<Shared>) -> Option<Users> {
    let system = shared.system()?;
    Some(Users {
        storage: system.storage(),
        domains: shared.domains.clone(),
        iterations: system.iterations(),
    })
}

fn order(shared: &Data<Shared>, jid: &BareJid, order: Order) -> HttpResponse {
    if let Some(system) = shared.system() {
        system.order(jid, order);
    }
    HttpResponse::Ok().json(serde_json::json!({}))
}

fn answer(done: Result<HttpResponse, UserError>) -> HttpResponse {
    done.unwrap_or_else(|error| {
        let status = match &error {
            UserError::Jid(..) | UserError::Domain(_) | UserError::Line(_) | UserError::Password(..) => {
                StatusCode::BAD_REQUEST
            }
            UserError::Exists(_) => StatusCode::CONFLICT,
            UserError::Unknown(_) => StatusCode::NOT_FOUND,
            UserError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        refuse(status, error.to_string())
    })
}
