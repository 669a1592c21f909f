use super::*;

const LEAST: &str = "[[domain]]\nname = \"Example.org\"\n[[listener]]\nkind = \"client\"\naddress = \"127.0.0.1:5221\"\ntls = \"none\"\n";

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment: Vec<_> = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Config::parse(Path::new("/etc/muster/muster.toml"), text, &environment)
}

#[test]
fn a_short_file_is_enough() {
    let config = parse(LEAST, &[]).unwrap();
    assert_eq!(config.options.domains[0].name, "example.org");
    assert_eq!(config.options.domains[0].conference, "conference.example.org");
    assert_eq!(config.node, Node::default());
}

#[test]
fn every_fault_is_told_at_once_with_its_line_and_a_fix() {
    let text = "[node]\nid = \"A B\"\nwieght = 2\nweight = \"x\"\n\n[[listener]]\nkind = \"client\"\n\
                address = \"0.0.0.0:5222\"\ntls = \"none\"\n[limits]\nstanza_bytes_max = 10\n[nodes]\n";
    let faults = parse(text, &[]).unwrap_err().faults;
    let found: Vec<_> =
        faults.iter().map(|fault| fault.place.rsplit(':').next().unwrap().to_owned()).collect();
    assert_eq!(found, ["2", "3", "4", "9", "11", "12", "/etc/muster/muster.toml"], "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.fix.is_empty()));
    assert!(faults[1].what.contains("no such key"), "{faults:#?}");
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let faults = parse("[node]\nid = muster\nweight = = 2\n", &[]).unwrap_err().faults;
    assert!(faults[0].place.ends_with("muster.toml:2"), "{faults:#?}");
    assert!(faults.iter().any(|fault| fault.place.ends_with(":3")), "{faults:#?}");
}

#[test]
fn the_environment_goes_over_the_file() {
    let config = parse(
        LEAST,
        &[
            ("MUSTER_NODE__ID", "muster-7"),
            ("MUSTER_NODE__WEIGHT", "300"),
            ("MUSTER_NODE__ROLES", "[\"edge\"]"),
            ("MUSTER_LISTENER__0__ADDRESS", "127.0.0.1:6221"),
            ("MUSTER_SERVICE_HOST", "10.0.0.1"),
        ],
    )
    .unwrap();
    assert_eq!(config.node.id, "muster-7");
    assert_eq!(config.node.weight, 300);
    assert_eq!(config.node.roles, [Role::Edge]);
    assert_eq!(config.listeners[0].address.port(), 6221);
}

#[test]
fn a_bad_variable_is_named() {
    let faults =
        parse(LEAST, &[("MUSTER_NODE__WEIGHT", "many"), ("MUSTER_NODE__COLOUR", "red")]).unwrap_err().faults;
    let places: Vec<_> = faults.iter().map(|fault| fault.place.as_str()).collect();
    assert!(places.contains(&"environment variable MUSTER_NODE__WEIGHT"), "{faults:#?}");
    assert!(places.contains(&"environment variable MUSTER_NODE__COLOUR"), "{faults:#?}");
}

#[test]
fn a_listener_without_tls_is_refused_off_loopback_and_kinds_of_later_are_refused_by_name() {
    let text = LEAST.replace("127.0.0.1:5221", "192.0.2.1:5221")
        + "[[listener]]\nkind = \"component\"\naddress = \"127.0.0.1:5347\"\n";
    let faults = parse(&text, &[]).unwrap_err().to_string();
    assert!(faults.contains("muster.toml:6: listener.0.tls"), "{faults}");
    assert!(faults.contains("muster.toml:8: listener.1.kind: is not there yet"), "{faults}");
}

#[test]
fn a_secret_that_everybody_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef").unwrap();
    let text = format!("{LEAST}[auth]\nsecret_file = {secret:?}\n");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(parse(&text, &[]).unwrap_err().to_string().contains("chmod 600"));
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o640)).unwrap();
    parse(&text, &[]).unwrap();
}

/// The reference: every line `key = value` and `# key = value`, by section.
fn reference() -> (toml::Table, toml::Table) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../muster.toml")).unwrap();
    let key = |line: &str| {
        line.split_once(" = ")
            .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let shown: Vec<_> =
        text.lines().map(|line| line.strip_prefix("# ").filter(|rest| key(rest)).unwrap_or(line)).collect();
    (text.parse().unwrap(), shown.join("\n").parse().unwrap())
}

#[test]
fn the_reference_shows_every_key_and_its_default() {
    let (set, shown) = reference();
    let defaults = serde_json::to_value(sections::Sections::default()).unwrap();
    for (name, section) in defaults.as_object().unwrap() {
        let Some(section) = section.as_object() else { continue };
        let shown = shown.get(name).unwrap_or_else(|| panic!("[{name}] is not shown")).as_table().unwrap();
        let keys: Vec<_> = shown.keys().cloned().collect();
        let mut wanted: Vec<_> = section.keys().cloned().collect();
        wanted.sort();
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(sorted, wanted, "[{name}]");
        for (key, default) in section {
            let written = set.get(name).and_then(|section| section.get(key));
            let written = serde_json::to_value(written).unwrap();
            assert_eq!(&written, default, "{name}.{key}");
        }
    }
    for (name, keys) in [("domain", load::keys_of::<Domain>()), ("listener", load::keys_of::<Listener>())] {
        let entry = shown[name][0].as_table().unwrap();
        for key in keys {
            assert!(entry.contains_key(&key), "{name}.{key} is not shown");
        }
    }
}

#[test]
fn the_reference_itself_lacks_only_its_files() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../muster.toml")).unwrap();
    let faults = parse(&text, &[]).unwrap_err().faults;
    let paths: Vec<_> =
        faults.iter().map(|fault| fault.what.split(": ").next().unwrap().to_owned()).collect();
    let mut paths = paths;
    paths.sort();
    assert_eq!(
        paths,
        [
            "cluster.advertise",
            "cluster.ca",
            "cluster.certificate",
            "cluster.key",
            "cluster.key_file",
            "tls.certificate",
            "tls.key"
        ],
        "{faults:#?}"
    );
}

#[test]
fn the_configuration_for_kubernetes_lacks_only_its_secrets() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s/base/configmap.yaml");
    let yaml = std::fs::read_to_string(file).unwrap();
    let (_, block) = yaml.split_once("muster.toml: |\n").unwrap();
    let text: String =
        block.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(""))).collect();
    let environment = [("MUSTER_NODE__ID", "muster-2"), ("MUSTER_CLUSTER__ADVERTISE", "10.2.0.7")];
    let faults = parse(&text, &environment).unwrap_err().faults;
    assert!(faults.iter().all(|fault| fault.what.contains("cannot be read")), "{faults:#?}");
}
