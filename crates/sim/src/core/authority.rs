//! A throw-away certificate authority, so that simulators can be served under names that are not theirs.

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use super::server::ServerTls;
use super::world::World;

/// How long certificates are good for, in days; they begin a day early.
const DAYS: i64 = 7;
const DAY_SECONDS: i64 = 86_400;

/// The authority. Its key stays in memory and goes with it.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    now_seconds: i64,
}

impl Authority {
    /// A new authority, good for a week from the world's present.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(world: &World) -> anyhow::Result<Self> {
        let now_seconds = world.clock.seconds();
        let mut params = params(now_seconds, "Throw-away authority of a simulator")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("no key for the authority")?;
        let pem = params.self_signed(&key).context("no certificate for the authority")?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key), now_seconds })
    }

    /// The authority's own certificate as PEM, for clients to trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate with its key for host names and addresses; `*.name` stands for every first label.
    ///
    /// # Errors
    /// When a name is none.
    pub fn certificate<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> anyhow::Result<ServerTls> {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let called = names.first().map_or("simulator", String::as_str).to_owned();
        let mut params = params(self.now_seconds, &called)?;
        params.subject_alt_names = CertificateParams::new(names)
            .context("a host name of the certificate is none")?
            .subject_alt_names;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().context("no key for a certificate")?;
        let certificate = params.signed_by(&key, &self.issuer).context("the certificate cannot be signed")?;
        Ok(ServerTls { chain_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

fn params(now_seconds: i64, name: &str) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let date = |seconds: i64| -> anyhow::Result<_> {
        let day = jiff::Timestamp::from_second(seconds)?.to_zoned(jiff::tz::TimeZone::UTC).date();
        let (month, day_of) = (u8::try_from(day.month())?, u8::try_from(day.day())?);
        Ok(rcgen::date_time_ymd(i32::from(day.year()), month, day_of))
    };
    params.not_before = date(now_seconds - DAY_SECONDS)?;
    params.not_after = date(now_seconds + DAYS * DAY_SECONDS)?;
    Ok(params)
}
