//! HTTP: metrics and health for everybody who can connect, administration for those who have the token.

mod health;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};

use crate::admin;
use crate::shared::Shared;

/// Connections at once to each listener: each takes a descriptor that a client could use.
const CONNECTIONS_MAX: usize = 64;

/// Serves on these listeners; those marked true have the admin API too.
pub(crate) fn serve(
    listeners: Vec<(bool, TcpListener)>,
    shared: &Arc<Shared>,
) -> io::Result<Vec<ServerHandle>> {
    let mut handles = Vec::new();
    for (has_admin, listener) in listeners {
        let shared = web::Data::from(shared.clone());
        let server = HttpServer::new(move || {
            let app = App::new()
                .app_data(shared.clone())
                .route("/metrics", web::get().to(health::metrics))
                .route("/live", web::get().to(health::live))
                .route("/ready", web::get().to(health::ready));
            if has_admin { app.configure(admin::routes) } else { app }
        });
        // One thread is plenty for scrapes and probes, and leaves the cores to chat.
        let server = server
            .workers(1)
            .max_connections(CONNECTIONS_MAX)
            .disable_signals()
            .shutdown_timeout(1)
            .listen(listener)?
            .run();
        handles.push(server.handle());
        actix_rt::spawn(server);
    }
    Ok(handles)
}
