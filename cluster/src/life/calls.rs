//! Calls to the register, and what they come to in the council's words.

use std::time::Duration;

use tokio::time::timeout;

use crate::council::Input;
use crate::lease::PROMISE;
use crate::{Incarnation, RegisterError, View, ViewRegister, metrics as names};

/// How long the register may take.
const REGISTER_TIME_MAX: Duration = Duration::from_secs(3);

pub(super) async fn load(register: &dyn ViewRegister) -> Input {
    let bytes = match timeout(REGISTER_TIME_MAX, register.load()).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return away(&error),
        Err(_) => return away(&RegisterError("no answer in time".into())),
    };
    match bytes.map(|b| View::from_bytes(&b)).transpose() {
        Ok(view) => Input::Loaded(view),
        Err(error) => away(&RegisterError(format!("it holds no view: {error}"))),
    }
}

pub(super) async fn propose(register: &dyn ViewRegister, expected: u64, view: View) -> Input {
    let call = register.compare_and_set(expected, view.epoch, view.to_bytes());
    let (outcome, input) = match timeout(REGISTER_TIME_MAX, call).await {
        Ok(Ok(true)) => ("agreed", Input::Proposed(true)),
        Ok(Ok(false)) => ("outrun", Input::Proposed(false)),
        Ok(Err(error)) => ("unknown", away(&error)),
        Err(_) => ("unknown", away(&RegisterError("no answer in time".into()))),
    };
    metrics::counter!(names::PROPOSALS, "outcome" => outcome).increment(1);
    input
}

pub(super) async fn claim(
    register: &dyn ViewRegister,
    me: Incarnation,
    epoch: u64,
    asked: Duration,
) -> Input {
    let given = match timeout(REGISTER_TIME_MAX, register.claim(me.0, epoch, PROMISE)).await {
        Ok(Ok(given)) => given,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the lease key");
            false
        }
        Err(_) => false,
    };
    Input::Claimed { asked, given }
}

fn away(error: &RegisterError) -> Input {
    metrics::counter!(names::REGISTER_ERRORS).increment(1);
    tracing::debug!(%error, "register");
    Input::Away
}
