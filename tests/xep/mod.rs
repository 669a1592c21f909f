//! Extensions, one file each.

mod admin;
mod caps;
mod carbons;
mod disco;
mod info;
mod private;
mod register;
mod rooms;
mod stream_management;
mod vcard;
