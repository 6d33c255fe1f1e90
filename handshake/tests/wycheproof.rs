//! The primitives, in the crates and settings that the handshake uses, against Project Wycheproof.
//!
//! A case that the project calls *acceptable* may go either way there; here a rule of the specification decides it.

use handfast_codec::ids::Signature;
use handfast_handshake::{hazmat, identity};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wycheproof::TestResult;
use x25519_dalek::{PublicKey, StaticSecret};

#[test]
fn x25519() {
    // req: HSK-001
    let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).expect("the cases");
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let bytes = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).expect("32 bytes");
        let secret = StaticSecret::from(bytes(&test.private_key));
        let shared = secret.diffie_hellman(&PublicKey::from(bytes(&test.public_key)));
        assert_eq!(shared.as_bytes()[..], test.shared_secret[..], "{}: {}", test.tc_id, test.comment);
        let is_zero = test.shared_secret.iter().all(|byte| *byte == 0);
        assert_eq!(shared.was_contributory(), !is_zero, "{}", test.tc_id);
        run += 1;
    }
    assert_eq!(run, set.number_of_tests);
}

#[test]
fn ed25519() {
    // req: CRT-001
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).expect("the cases");
    let mut run = 0;
    for group in &set.test_groups {
        let key = <[u8; 32]>::try_from(&group.key.pk[..]).expect("32 bytes");
        for test in &group.tests {
            // A layout of the codec holds no signature of another length.
            let signature = <[u8; 64]>::try_from(&test.sig[..]).map(Signature::from_bytes);
            let holds =
                signature.is_ok_and(|signature| identity::verify(&key, &test.msg, &signature).is_ok());
            assert_eq!(holds, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            run += 1;
        }
    }
    assert_eq!(run, set.number_of_tests);
}

#[test]
fn chacha20_poly1305() {
    let name = wycheproof::aead::TestName::ChaCha20Poly1305;
    let set = wycheproof::aead::TestSet::load(name).expect("the cases");
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        run += 1;
        let key = <[u8; 32]>::try_from(&test.key[..]).expect("a key");
        let (Ok(nonce), Ok(tag)) =
            (<[u8; 12]>::try_from(&test.nonce[..]), <[u8; 16]>::try_from(&test.tag[..]))
        else {
            assert_eq!(test.result, TestResult::Invalid, "{}: another length", test.tc_id);
            continue;
        };
        let mut data = test.ct.to_vec();
        let opened = hazmat::open(key, nonce, &test.aad, &mut data, tag);
        assert_eq!(opened, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        if opened {
            assert_eq!(data, test.pt[..]);
            let sealed = hazmat::seal(key, nonce, &test.aad, &mut data).expect("seals");
            assert_eq!((&data[..], &sealed[..]), (&test.ct[..], &test.tag[..]));
        }
    }
    assert_eq!(run, set.number_of_tests);
}

#[test]
fn hkdf_sha256() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).expect("the cases");
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut out = vec![0; test.size];
        let done = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut out);
        assert_eq!(done.is_ok(), test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        if done.is_ok() {
            assert_eq!(out, test.okm[..], "{}", test.tc_id);
        }
        run += 1;
    }
    assert_eq!(run, set.number_of_tests);
}

#[test]
fn hmac_sha256() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).expect("the cases");
    let mut run = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let mut hmac = Hmac::<Sha256>::new_from_slice(&test.key).expect("a key of any length");
            hmac.update(&test.msg);
            let tag = hmac.finalize().into_bytes();
            let is_right = tag[..group.tag_size / 8] == test.tag[..];
            assert_eq!(is_right, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            run += 1;
        }
    }
    assert_eq!(run, set.number_of_tests);
}
