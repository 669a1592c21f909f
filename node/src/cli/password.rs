//! Passwords come from standard input or a file, never from the command line, where other users could see them.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::{Failure, refused};

/// Where the password is.
#[derive(Args)]
pub(super) struct PasswordSource {
    /// Read the password from the first line of this file instead of standard input
    #[arg(long)]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// The password.
    pub(super) fn read(&self) -> Result<String, Failure> {
        let mut line = String::new();
        match &self.password_file {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|error| refused(format!("{} cannot be read: {error}", file.display())))?;
                line.push_str(text.lines().next().unwrap_or_default());
            }
            None => {
                let stdin = std::io::stdin();
                let _quiet = stdin.is_terminal().then(Quiet::start);
                stdin.lock().read_line(&mut line).map_err(refused)?;
            }
        }
        let password = line.trim_end_matches(['\r', '\n']);
        match password.is_empty() {
            true => {
                Err(refused("the password is empty: write it on standard input, or give --password-file"))
            }
            false => Ok(password.to_owned()),
        }
    }
}

/// A terminal that does not show what is typed, until dropped.
struct Quiet(Option<rustix::termios::Termios>);

impl Quiet {
    fn start() -> Self {
        eprint!("Password: ");
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_modes.remove(LocalModes::ECHO);
            // A terminal that cannot be silenced shows the password; that is no reason to refuse it.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet);
        }
        Self(before)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, before);
        }
        eprintln!();
    }
}
