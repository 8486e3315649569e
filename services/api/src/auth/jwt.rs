//! Signed tokens: `header.claims.signature`, each in base64url without padding.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::auth::keys::{PublicKey, SigningKey};

/// The longest token that is looked at.
const LONGEST: usize = 16 << 10;

/// Signs claims.
///
/// # Errors
/// A sentence, if the key cannot sign.
pub(crate) fn sign(key: &SigningKey, claims: &Value) -> Result<String, String> {
    let header = json!({ "alg": key.algorithm(), "kid": key.public().id() });
    let spell = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut token = format!("{}.{}", spell(&header), spell(claims));
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(token)
}

/// Whether a text may be a signed token at all; other bearer tokens are not.
pub(crate) fn is_like(token: &str) -> bool {
    token.split('.').count() == 3 && token.starts_with("ey")
}

/// The claims of a token that one of the keys has signed.
///
/// # Errors
/// A sentence that says nothing of the token's content.
pub(crate) fn verify(token: &str, keys: &[PublicKey]) -> Result<Value, &'static str> {
    if token.len() > LONGEST {
        return Err("the token is too long");
    }
    let (signed, signature) = token.rsplit_once('.').ok_or("it is not a token of three parts")?;
    let (header, claims) = signed.split_once('.').ok_or("it is not a token of three parts")?;
    let header: Value = json_of(header).ok_or("its header cannot be read")?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature cannot be read")?;
    let algorithm = header.get("alg").and_then(Value::as_str).ok_or("it names no algorithm")?;
    let id = header.get("kid").and_then(Value::as_str).unwrap_or_default();
    // The key says which algorithm is right, never the token.
    let mut fitting = keys.iter().filter(|key| key.algorithm() == algorithm);
    let named = |key: &&PublicKey| id.is_empty() || key.id() == id;
    let signed_by = |key: &PublicKey| key.verify(signed.as_bytes(), &signature);
    if !fitting.clone().filter(named).any(signed_by) && !fitting.any(signed_by) {
        return Err("no known key has signed it");
    }
    json_of(claims).ok_or("its claims cannot be read")
}

fn json_of(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_key_makes_good_tokens() {
        let (one, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let claims = json!({"sub": "ann"});
        let token = sign(&one, &claims).unwrap();
        assert!(is_like(&token));
        assert_eq!(verify(&token, &[one.public().clone()]).unwrap(), claims);
        // Keys are changed by adding the new one first.
        assert_eq!(verify(&token, &[other.public().clone(), one.public().clone()]).unwrap(), claims);
        assert!(verify(&token, &[other.public().clone()]).is_err());
        assert!(verify(&token, &[]).is_err());
    }

    #[test]
    fn no_bytes_break_the_reader_and_no_change_goes_unseen() {
        let key = SigningKey::generate().unwrap();
        let keys = [key.public().clone()];
        let token = sign(&key, &json!({"sub": "ann", "exp": 9})).unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let hmac = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let rest = token.split_once('.').unwrap().1.to_owned();
        let claims = rest.split_once('.').unwrap().0.to_owned();
        let long = "e".repeat(LONGEST + 1);
        for wrong in ["", ".", "..", "...", "a.b.c", "ey.ey.ey", "\u{e4}.\u{e4}.\u{e4}", &long] {
            assert!(verify(wrong, &keys).is_err(), "{wrong:?}");
        }
        for wrong in [format!("{none}.{claims}."), format!("{none}.{rest}"), format!("{hmac}.{rest}")] {
            assert!(verify(&wrong, &keys).is_err(), "{wrong:?}");
        }
        // Whatever single letter is changed, cut off or put in.
        for at in 0..token.len() {
            for changed in [
                format!("{}{}", &token[..at], &token[at + 1..]),
                format!("{}_{}", &token[..at], &token[at..]),
                format!(
                    "{}{}{}",
                    &token[..at],
                    if &token[at..=at] == "A" { "B" } else { "A" },
                    &token[at + 1..]
                ),
            ] {
                assert!(verify(&changed, &keys).is_err(), "{changed}");
            }
        }
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let bytes: Vec<u8> = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
            assert!(verify(&String::from_utf8_lossy(&bytes), &keys).is_err());
        }
    }
}
