//! A client's connection: words out, words in, and the steps of a log-in.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::network::{Network, OUTSIDE, Place, Port};
use crate::pipe::End;
use crate::words::{Heard, Words};

/// How long a client waits for a step of its log-in.
const PATIENCE: Duration = Duration::from_secs(4);
/// The password of every account.
pub const PASSWORD: &str = "wherefore";
/// The one domain.
pub const DOMAIN: &str = "verona.lit";

/// Why there is no connection any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost(pub String);

impl Lost {
    fn because(why: impl ToString) -> Self {
        Self(why.to_string())
    }
}

/// A connection.
pub struct Connection {
    end: End,
    words: Words,
}

impl Connection {
    /// Connects to a node and logs in; the features that are offered then were read.
    pub async fn open(network: &Network, to: Place, user: &str) -> Result<Self, Lost> {
        let dialled = timeout(PATIENCE, network.dial(OUTSIDE, to, Port::Clients)).await;
        let end = dialled.map_err(|_| Lost::because("it does not answer"))?.map_err(Lost::because)?;
        let mut connection = Self { end, words: Words::default() };
        connection.header().await?;
        let plain = STANDARD.encode(format!("\0{user}\0{PASSWORD}"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        connection.say(&auth).await?;
        connection.expect("success").await?;
        connection.words = Words::default();
        connection.header().await?;
        Ok(connection)
    }

    async fn header(&mut self) -> Result<(), Lost> {
        self.say(&format!(
            "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        ))
        .await?;
        self.expect("stream:stream").await?;
        self.expect("stream:features").await.map(drop)
    }

    /// Says something.
    pub async fn say(&mut self, text: &str) -> Result<(), Lost> {
        let said = timeout(PATIENCE, self.end.write_all(text.as_bytes())).await;
        said.map_err(|_| Lost::because("it does not read"))?.map_err(Lost::because)
    }

    /// Waits for the next word.
    pub async fn hear(&mut self) -> Result<Heard, Lost> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(heard) = self.words.next() {
                return match heard.name.as_str() {
                    "" => Err(Lost::because("closed")),
                    "stream:error" => Err(Lost(heard.xml)),
                    _ => Ok(heard),
                };
            }
            match self.end.read(&mut bytes).await {
                Ok(0) => return Err(Lost::because("ended")),
                Ok(read) => self.words.feed(&bytes[..read]),
                Err(error) => return Err(Lost::because(error)),
            }
        }
    }

    /// The next word within a client's patience.
    pub async fn answer(&mut self) -> Result<Heard, Lost> {
        timeout(PATIENCE, self.hear()).await.unwrap_or_else(|_| Err(Lost::because("no answer")))
    }

    /// The next word, which must have this name.
    pub async fn expect(&mut self, name: &str) -> Result<Heard, Lost> {
        let heard = self.answer().await?;
        if heard.name == name { Ok(heard) } else { Err(Lost(format!("{name} was expected: {}", heard.xml))) }
    }
}
