//! The admin API of the node that a configuration describes, spoken to from the command line.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use ureq::unversioned::resolver::DefaultResolver;

use super::unix::UnixConnector;
use super::{Failure, refused};
use crate::admin::Refusal;
use crate::config::Config;

/// How long a node may take to do something; a drain or a large import takes longest.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(600);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// A running node.
pub(super) struct Remote {
    agent: ureq::Agent,
    base: String,
    authorization: String,
}

/// What a node answered.
pub(super) enum Answer {
    /// It did it.
    Done(Value),
    /// It did not: HTTP status and words for people.
    Not(u16, String),
}

impl Remote {
    /// The node of this configuration, if it runs.
    pub(super) fn find(config: &Config) -> Result<Option<Self>, Failure> {
        if let Some(path) = &config.admin.socket
            && UnixStream::connect(path).is_ok()
        {
            let token = token(config, &path.display().to_string())?;
            return Ok(Some(Self::behind(path, token.trim())));
        }
        let Some(listener) = config.admin_listener() else { return Ok(None) };
        let address = listener.address;
        if TcpStream::connect_timeout(&address, CONNECT_TIME_MAX).is_err() {
            return Ok(None);
        }
        let token = token(config, &address.to_string())?;
        Ok(Some(Self::at(address, token.trim())))
    }

    /// The node of this configuration.
    pub(super) fn must_find(config: &Config) -> Result<Self, Failure> {
        Self::find(config)?.ok_or_else(|| match config.admin_listener() {
            Some(listener) => {
                refused(format!("no node answers on {}: start it with `muster serve`", listener.address))
            }
            None => match &config.admin.socket {
                Some(path) => {
                    refused(format!("no node answers on {}: start it with `muster serve`", path.display()))
                }
                None => {
                    refused("the admin API needs an http listener on a loopback address, or [admin] socket")
                }
            },
        })
    }

    pub(super) fn at(address: SocketAddr, token: &str) -> Self {
        let base = format!("http://{address}/admin");
        Self { agent: settings().into(), base, authorization: format!("Bearer {token}") }
    }

    fn behind(socket: &Path, token: &str) -> Self {
        let connector = UnixConnector(socket.to_path_buf());
        let agent = ureq::Agent::with_parts(settings(), connector, DefaultResolver::default());
        // The address is only what the request says that it is for.
        Self { agent, base: "http://127.0.0.1/admin".into(), authorization: format!("Bearer {token}") }
    }

    pub(super) fn get(&self, path: &str) -> Result<Answer, Failure> {
        let request = self.agent.get(format!("{}{path}", self.base));
        answer(request.header("authorization", &self.authorization).call())
    }

    pub(super) fn delete(&self, path: &str) -> Result<Answer, Failure> {
        let request = self.agent.delete(format!("{}{path}", self.base));
        answer(request.header("authorization", &self.authorization).call())
    }

    pub(super) fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, Failure> {
        let request = self.agent.post(format!("{}{path}", self.base));
        answer(request.header("authorization", &self.authorization).send_json(body))
    }

    pub(super) fn put(&self, path: &str, body: &impl Serialize) -> Result<Answer, Failure> {
        let request = self.agent.put(format!("{}{path}", self.base));
        answer(request.header("authorization", &self.authorization).send_json(body))
    }

    pub(super) fn post_text(&self, path: &str, body: &str) -> Result<Answer, Failure> {
        let request = self.agent.post(format!("{}{path}", self.base));
        answer(request.header("authorization", &self.authorization).send(body))
    }
}

fn settings() -> ureq::config::Config {
    ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER_TIME_MAX))
        .http_status_as_error(false)
        .proxy(None)
        .build()
}

fn token(config: &Config, place: &str) -> Result<String, Failure> {
    let file = config.admin_token_file();
    std::fs::read_to_string(&file).map_err(|error| {
        refused(format!(
            "a node answers on {place}, but its token {} cannot be read: {error} (run this as the user that runs muster)",
            file.display()
        ))
    })
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, Failure> {
    let mut response = response.map_err(|error| refused(format!("the node did not answer: {error}")))?;
    let status = response.status();
    let body = response.body_mut().with_config().limit(256 * 1024 * 1024);
    if status.is_success() {
        return body
            .read_json()
            .map(Answer::Done)
            .map_err(|error| refused(format!("the node answered nonsense: {error}")));
    }
    let why =
        body.read_json::<Refusal>().map_or_else(|_| format!("HTTP status {status}"), |refusal| refusal.error);
    Ok(Answer::Not(status.as_u16(), why))
}

impl Answer {
    /// What it did, or a failure.
    pub(super) fn done(self) -> Result<Value, Failure> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Not(_, why) => Err(refused(why)),
        }
    }
}

/// A value as part of a URL's query.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_carries_any_address() {
        assert_eq!(escaped("a+b@c.d/e f"), "a%2Bb%40c.d%2Fe%20f");
    }
}
