//! The command line as a shell sees it: exit codes, words, and accounts with and without a running node.

#![allow(clippy::unwrap_used)] // all of it is a test

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use muster::{Config, Node};

struct Scene {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Scene {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Held until it is written down; a scene is over before another program could want it.
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = format!(
            "[node]\ndata = \"data\"\n[storage]\npath = \"db\"\n[[domain]]\nname = \"capulet.lit\"\n\
             [[listener]]\nkind = \"http\"\naddress = \"{http}\"\n{more}"
        );
        let config = folder.path().join("muster.toml");
        std::fs::write(&config, text).unwrap();
        Self { folder, config }
    }

    fn muster(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn says(&self, arguments: &[&str], input: &str) -> String {
        let output = self.muster(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refuses(&self, arguments: &[&str], input: &str) -> (i32, String) {
        let output = self.muster(arguments, input);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    fn config(&self) -> Config {
        Config::load(&self.config).unwrap()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_bad_configuration_ends_with_64_and_names_line_and_fix() {
    let scene = Scene::new("[nodes]\n");
    for command in ["check", "serve"] {
        let (code, words) = scene.refuses(&[command], "");
        assert_eq!(code, 64, "{words}");
        assert!(
            words.contains("muster.toml:10: nodes: no such section") && words.contains("fix: "),
            "{words}"
        );
    }
}

#[test]
fn a_port_that_is_taken_is_named_and_ends_with_69() {
    let scene = Scene::new("");
    let address = scene.config().admin_listener().unwrap().address;
    let _taken = TcpListener::bind(address).unwrap();
    let (code, words) = scene.refuses(&["serve"], "");
    assert_eq!(code, 69, "{words}");
    assert!(
        words.contains(&address.to_string()) && words.contains("another program uses this port"),
        "{words}"
    );
}

#[test]
fn accounts_are_kept_without_a_node_and_with_one() {
    let scene = Scene::new("");
    let import = scene.file("import", "nurse@capulet.lit well a day\ntybalt@capulet.lit king-of-cats\n");
    scene.says(&["user", "add", "juliet@capulet.lit"], "r0m30\n");
    let (code, words) = scene.refuses(&["user", "add", "juliet@capulet.lit"], "again\n");
    assert!(code == 1 && words.contains("exists already"), "{words}");
    assert_eq!(scene.says(&["user", "list"], ""), "juliet@capulet.lit\n");

    let running = Node::start(scene.config()).unwrap();
    assert!(running.wait_until_ready(Duration::from_secs(20)));
    scene.says(&["user", "import", text(&import)], "");
    scene.says(&["user", "password", "tybalt@capulet.lit"], "rat-catcher\n");
    scene.says(&["user", "remove", "nurse@capulet.lit"], "");
    assert_eq!(scene.says(&["user", "list"], ""), "juliet@capulet.lit\ntybalt@capulet.lit\n");
    let (_, words) = scene.refuses(&["user", "add", "romeo@montague.lit"], "x\n");
    assert!(words.contains("not a domain of this server"), "{words}");

    let status = scene.says(&["cluster", "status"], "");
    assert!(status.contains("muster-0") && status.contains("16384+16384"), "{status}");
    let ring = scene.says(&["cluster", "ring", "juliet@capulet.lit"], "");
    assert!(ring.contains("owner       muster-0"), "{ring}");
    running.stop().unwrap();
    assert_eq!(scene.says(&["user", "list"], ""), "juliet@capulet.lit\ntybalt@capulet.lit\n");
}

#[test]
fn the_command_line_speaks_to_a_node_by_its_unix_socket_alone() {
    let scene = Scene::new("admin = false\n[admin]\nsocket = \"admin\"\n");
    assert!(scene.config().admin_listener().is_none());
    let (_, words) = scene.refuses(&["cluster", "status"], "");
    assert!(words.contains("no node answers on") && words.contains("admin"), "{words}");
    let running = Node::start(scene.config()).unwrap();
    assert!(running.wait_until_ready(Duration::from_secs(20)));
    scene.says(&["user", "add", "juliet@capulet.lit"], "r0m30\n");
    let status = scene.says(&["cluster", "status"], "");
    assert!(status.contains("muster-0"), "{status}");
    assert_eq!(scene.says(&["user", "list"], ""), "juliet@capulet.lit\n");
    running.stop().unwrap();
}

#[test]
fn health_is_for_everybody_and_administration_for_those_with_the_token() {
    let scene = Scene::new("");
    let running = Node::start(scene.config()).unwrap();
    assert!(running.wait_until_ready(Duration::from_secs(20)));
    let address = scene.config().admin_listener().unwrap().address;
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = agent.into();
    let status = |path: &str, token: &str| {
        let request = agent.get(format!("http://{address}{path}")).header("authorization", token);
        request.call().unwrap().status().as_u16()
    };
    for path in ["/live", "/ready", "/metrics"] {
        assert_eq!(status(path, ""), 200, "{path}");
    }
    for wrong in ["", "Bearer ", "Bearer 0000000000000000000000000000000000000000000000000000000000000000"] {
        assert_eq!(status("/admin/status", wrong), 401);
    }
    let token = std::fs::read_to_string(scene.config().admin_token_file()).unwrap();
    assert_eq!(status("/admin/status", &format!("Bearer {token}")), 200);
    running.stop().unwrap();
}
