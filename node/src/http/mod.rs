//! HTTP: metrics and health for everybody who can connect, administration for those who have the token.

mod health;

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};

use crate::admin;
use crate::shared::Shared;

/// Connections at once to each listener: each takes a descriptor that a client could use.
const CONNECTIONS_MAX: usize = 64;

enum Way {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Serves on these listeners; those marked true have the admin API too, and so has the Unix socket.
pub(crate) fn serve(
    listeners: Vec<(bool, TcpListener)>,
    socket: Option<UnixListener>,
    shared: &Arc<Shared>,
) -> io::Result<Vec<ServerHandle>> {
    let mut handles = Vec::new();
    let tcp = listeners.into_iter().map(|(has_admin, listener)| (has_admin, Way::Tcp(listener)));
    for (has_admin, way) in tcp.chain(socket.map(|socket| (true, Way::Unix(socket)))) {
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
        let server = server.workers(1).max_connections(CONNECTIONS_MAX).disable_signals().shutdown_timeout(1);
        let server = match way {
            Way::Tcp(listener) => server.listen(listener)?,
            Way::Unix(listener) => server.listen_uds(listener)?,
        };
        let server = server.run();
        handles.push(server.handle());
        actix_rt::spawn(server);
    }
    Ok(handles)
}
