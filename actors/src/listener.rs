//! What a socket knows of the listener that it came in by.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use openssl::ssl::SslContext;

/// A client listener.
pub struct ClientListener {
    /// Whether and when TLS starts.
    pub tls: ListenerTls,
    /// Whether limits per address hold.
    pub guarded: bool,
    context: ArcSwapOption<SslContext>,
}

/// Whether and when TLS starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerTls {
    /// By STARTTLS, required (RFC 6120 §5).
    StartTls,
    /// From the first byte (XEP-0368).
    Direct,
    /// Never: loopback only.
    None,
}

impl ClientListener {
    /// A listener; `context` must be there unless it never uses TLS.
    pub fn new(tls: ListenerTls, guarded: bool, context: Option<SslContext>) -> Self {
        Self { tls, guarded, context: ArcSwapOption::from(context.map(Arc::new)) }
    }

    /// Uses another certificate for connections from now on.
    pub fn reload(&self, context: SslContext) {
        self.context.store(Some(Arc::new(context)));
    }

    /// The context for a new connection.
    pub(crate) fn context(&self) -> Arc<SslContext> {
        self.context.load_full().expect("listeners with TLS are made with a context")
    }
}
