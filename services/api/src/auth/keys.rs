//! Keys that tokens are signed with: ECDSA on P-256 (ES256) or RSA (RS256), in PEM.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    kind: Kind,
    /// A point on the curve, or RSA's modulus and exponent as PKCS #1 has them.
    bytes: Vec<u8>,
    id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Ecdsa,
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// A private key, and its public half.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

#[derive(Clone)]
enum Pair {
    Ecdsa(Arc<EcdsaKeyPair>),
    Rsa(Arc<RsaKeyPair>),
}

// === impl SigningKey ===

impl SigningKey {
    /// Reads a private key: PKCS #8, or PKCS #1 for RSA.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        let unusable = "it is neither an RSA key of 2048 bits or more nor an ECDSA key on P-256";
        match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der())
                .map(Self::rsa)
                .map_err(|error| format!("{unusable}: {error}")),
            Ok(PrivateKeyDer::Pkcs8(der)) => {
                let der = der.secret_pkcs8_der();
                Self::ecdsa(der)
                    .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(Self::rsa))
                    .ok_or_else(|| unusable.to_owned())
            }
            Ok(_) => Err(format!("{unusable} in PKCS #8")),
            Err(_) => Err("there is no private key in it".to_owned()),
        }
    }

    /// A new key.
    ///
    /// # Errors
    /// If the machine has no random numbers.
    #[cfg(test)]
    pub(crate) fn generate() -> Result<Self, String> {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let der = der.map_err(|error| error.to_string())?;
        Self::ecdsa(der.as_ref()).ok_or_else(|| "a new key is of no use".to_owned())
    }

    fn ecdsa(der: &[u8]) -> Option<Self> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).ok()?;
        let public = PublicKey::new(Kind::Ecdsa, pair.public_key().as_ref().to_vec());
        Some(Self { pair: Pair::Ecdsa(Arc::new(pair)), public })
    }

    fn rsa(pair: RsaKeyPair) -> Self {
        let parts: PublicKeyComponents<Vec<u8>> = pair.public().into();
        let kind = Kind::Rsa { modulus: parts.n, exponent: parts.e };
        let public = PublicKey::new(kind, pair.public().as_ref().to_vec());
        Self { pair: Pair::Rsa(Arc::new(pair)), public }
    }

    /// What checks its signatures.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// JWT's name of its algorithm.
    pub(crate) fn algorithm(&self) -> &'static str {
        self.public.algorithm()
    }

    /// Signs a message.
    ///
    /// # Errors
    /// If the machine has no random numbers.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let random = SystemRandom::new();
        let failed = |error: ring::error::Unspecified| format!("cannot sign a token: {error}");
        match &self.pair {
            Pair::Ecdsa(pair) => {
                pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

// === impl PublicKey ===

impl PublicKey {
    fn new(kind: Kind, bytes: Vec<u8>) -> Self {
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, &bytes));
        Self { kind, bytes, id }
    }

    /// Reads the public keys of a file: `PUBLIC KEY` blocks, or private keys, of which the public half is taken.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn all_from_pem(pem: &str) -> Result<Vec<Self>, String> {
        let mut keys = Vec::new();
        for block in SubjectPublicKeyInfoDer::pem_slice_iter(pem.as_bytes()) {
            let block = block.map_err(|error| format!("it is not PEM: {error}"))?;
            keys.push(Self::from_spki(block.as_ref())?);
        }
        if keys.is_empty() {
            keys.push(SigningKey::from_pem(pem)?.public);
        }
        Ok(keys)
    }

    fn from_spki(der: &[u8]) -> Result<Self, String> {
        let unusable = || "a public key in it is neither RSA nor ECDSA on P-256".to_owned();
        let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| unusable())?;
        let bytes = info.subject_public_key.data.to_vec();
        match info.parsed() {
            Ok(Parsed::EC(point)) if point.key_size() == 256 => Ok(Self::new(Kind::Ecdsa, bytes)),
            Ok(Parsed::RSA(key)) => {
                let trimmed =
                    |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
                let kind = Kind::Rsa { modulus: trimmed(key.modulus), exponent: trimmed(key.exponent) };
                Ok(Self::new(kind, bytes))
            }
            _ => Err(unusable()),
        }
    }

    /// Tells the key apart from others: a digest.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// JWT's name of its algorithm.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Ecdsa => "ES256",
            Kind::Rsa { .. } => "RS256",
        }
    }

    /// Whether the private half has signed this.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.kind {
            Kind::Ecdsa => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.bytes).verify(message, signature)
            }
            Kind::Rsa { .. } => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.bytes).verify(message, signature)
            }
        };
        verified.is_ok()
    }

    /// The key as a JSON web key.
    pub(crate) fn to_jwk(&self) -> Value {
        let spell = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.kind {
            Kind::Ecdsa => {
                // An uncompressed point: a mark, and the two coordinates.
                let (x, y) = self.bytes.get(1..).unwrap_or_default().split_at(self.bytes.len() / 2);
                json!({"use": "sig", "kty": "EC", "kid": self.id, "crv": "P-256", "alg": "ES256",
                       "x": spell(x), "y": spell(y)})
            }
            Kind::Rsa { modulus, exponent } => {
                json!({"use": "sig", "kty": "RSA", "kid": self.id, "alg": "RS256",
                       "n": spell(modulus), "e": spell(exponent)})
            }
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("id", &self.id).field("algorithm", &self.algorithm()).finish()
    }
}

#[cfg(test)]
mod tests;
