//! Why a log-in fails (RFC 6120 §6.5).

macro_rules! failures {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// RFC 6120 §6.5.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        #[allow(missing_docs)]
        pub enum Failure { $(#[error($name)] $variant),* }

        impl Failure {
            /// The element's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

failures! {
    Aborted "aborted",
    AccountDisabled "account-disabled",
    CredentialsExpired "credentials-expired",
    EncryptionRequired "encryption-required",
    IncorrectEncoding "incorrect-encoding",
    InvalidAuthzid "invalid-authzid",
    InvalidMechanism "invalid-mechanism",
    MalformedRequest "malformed-request",
    MechanismTooWeak "mechanism-too-weak",
    NotAuthorized "not-authorized",
    TemporaryAuthFailure "temporary-auth-failure",
}
