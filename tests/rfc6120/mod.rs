//! Streams, log-in, resources and stanzas (RFC 6120).

mod binding;
mod sasl;
mod silence;
mod stanzas;
mod streams;
mod tls;
mod xml;
