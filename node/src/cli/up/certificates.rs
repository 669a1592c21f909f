//! Two authorities, one that clients trust and one for links, and what they sign. Authorities are kept, the rest is made anew.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};

use super::folder::{write_public, write_secret};
use super::plan::Plan;
use super::{Failure, refused};

/// Makes everything that is not there yet.
pub(super) fn make(plan: &Plan) -> Result<(), Failure> {
    let clients = authority(&plan.dir, "ca", "Muster development CA")?;
    let mut names = vec![plan.domain.clone(), format!("conference.{}", plan.domain)];
    if plan.domain != "localhost" {
        names.push("localhost".to_owned());
    }
    sign(&clients, &plan.domain, names, true, &plan.dir, "server")?;
    let links = authority(&plan.dir, "cluster-ca", "Muster development cluster CA")?;
    for node in &plan.nodes {
        sign(&links, &node.id, vec![node.id.clone()], false, &node.folder, "link")?;
    }
    Ok(())
}

/// An authority: read if it is there, else made.
fn authority(dir: &Path, file: &str, name: &str) -> Result<Issuer<'static, KeyPair>, Failure> {
    let (certificate, key) = (dir.join(format!("{file}.pem")), dir.join(format!("{file}.key")));
    let mut params = CertificateParams::new(Vec::new()).map_err(refused)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2045, 1, 1));
    if certificate.is_file() && key.is_file() {
        let pem = std::fs::read_to_string(&key).map_err(refused)?;
        let pair = KeyPair::from_pem(&pem).map_err(|error| refused(format!("{}: {error}", key.display())))?;
        // The same parameters with the same key are the same issuer.
        return Ok(Issuer::new(params, pair));
    }
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refused)?;
    let made = params.self_signed(&pair).map_err(refused)?;
    write_secret(&key, pair.serialize_pem().as_bytes())?;
    write_public(&certificate, made.pem().as_bytes())?;
    Ok(Issuer::new(params, pair))
}

fn sign(
    issuer: &Issuer<'static, KeyPair>,
    name: &str,
    names: Vec<String>,
    loopback: bool,
    folder: &Path,
    file: &str,
) -> Result<(), Failure> {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refused)?;
    let mut params = CertificateParams::new(names).map_err(refused)?;
    if loopback {
        let addresses = ["127.0.0.1", "::1"].into_iter().filter_map(|text| text.parse().ok());
        params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
    }
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let now = std::time::SystemTime::now();
    let day = std::time::Duration::from_secs(24 * 3600);
    // Made anew at each start, and short enough for those who refuse long ones (825 days at Apple).
    (params.not_before, params.not_after) = ((now - day).into(), (now + day * 820).into());
    let signed = params.signed_by(&pair, issuer).map_err(refused)?;
    write_secret(&folder.join(format!("{file}.key")), pair.serialize_pem().as_bytes())?;
    write_public(&folder.join(format!("{file}.pem")), signed.pem().as_bytes())
}
