//! Rooms (XEP-0045), direct invitations (XEP-0249) and self-ping (XEP-0410).

mod configuring;
mod entering;
mod finding;
mod inviting;
mod leaving;
mod moderating;
mod talking;

/// Where most scenes happen.
const HALL: &str = "hall@conference.capulet.lit";
