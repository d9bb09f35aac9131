//! Key exchange: X25519 (RFC 7748), and ECDH with P-256 and P-384 (RFC 8446 §4.2.8.2).

use alloc::boxed::Box;
use core::fmt;

use p256::NistP256;
use p256::elliptic_curve::point::PointCompression;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::zeroize::Zeroizing;
use p256::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey, SecretKey};
use p384::NistP384;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::StaticSecret;

use super::random;

/// In the order of preference: a client's first message carries a key for the first alone.
pub(super) const GROUPS: &[&dyn SupportedKxGroup] = &[
    &Group { name: NamedGroup::X25519, start: x25519 },
    &Group { name: NamedGroup::secp256r1, start: p256 },
    &Group { name: NamedGroup::secp384r1, start: p384 },
];

struct Group {
    name: NamedGroup,
    start: fn() -> Result<Box<dyn ActiveKeyExchange>, Error>,
}

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        (self.start)()
    }

    fn name(&self) -> NamedGroup {
        self.name
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

fn x25519() -> Result<Box<dyn ActiveKeyExchange>, Error> {
    let secret = StaticSecret::from(random::octets()?);
    let public = x25519_dalek::PublicKey::from(&secret);
    Ok(Box::new(X25519 { secret, public }))
}

struct X25519 {
    secret: StaticSecret,
    public: x25519_dalek::PublicKey,
}

impl ActiveKeyExchange for X25519 {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = self.secret.diffie_hellman(&peer.into());
        // RFC 8446 §7.4.2: a peer's point of small order, and with it a secret that everyone knows, is refused.
        if !shared.was_contributory() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(shared.as_bytes().as_slice().into())
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

fn p256() -> Result<Box<dyn ActiveKeyExchange>, Error> {
    ecdh::<NistP256, 32>(NamedGroup::secp256r1)
}

fn p384() -> Result<Box<dyn ActiveKeyExchange>, Error> {
    ecdh::<NistP384, 48>(NamedGroup::secp384r1)
}

/// How often a secret is drawn. One that is zero or above the order of the curve is drawn again: a chance of one in 2^32 at most.
const DRAWS: usize = 8;

fn ecdh<C, const N: usize>(group: NamedGroup) -> Result<Box<dyn ActiveKeyExchange>, Error>
where
    C: CurveArithmetic + PointCompression,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    for _ in 0..DRAWS {
        let octets = Zeroizing::new(random::octets::<N>()?);
        if let Ok(secret) = SecretKey::<C>::from_slice(octets.as_slice()) {
            let public = secret.public_key().to_sec1_bytes();
            return Ok(Box::new(Ecdh { group, secret, public }));
        }
    }
    Err(GetRandomFailed.into())
}

struct Ecdh<C: CurveArithmetic> {
    group: NamedGroup,
    secret: SecretKey<C>,
    public: Box<[u8]>,
}

/// SEC 1 §2.3.3: what an uncompressed point begins with. TLS knows no other form.
const UNCOMPRESSED: u8 = 4;

impl<C> ActiveKeyExchange for Ecdh<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        if peer.first() != Some(&UNCOMPRESSED) {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let peer = PublicKey::<C>::from_sec1_bytes(peer).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = self.secret.diffie_hellman(&peer);
        Ok(shared.raw_secret_bytes().as_slice().into())
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        self.group
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::vector::octets;
    use super::*;

    fn client() -> Box<X25519> {
        let secret: [u8; 32] = octets("49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005").try_into().unwrap();
        let secret = StaticSecret::from(secret);
        Box::new(X25519 { public: (&secret).into(), secret })
    }

    fn invalid() -> Option<Error> {
        Some(PeerMisbehaved::InvalidKeyShare.into())
    }

    /// RFC 8448 §3.
    #[test]
    fn x25519_agrees_with_a_known_exchange() {
        assert_eq!(client().pub_key(), octets("99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c"));
        let peer = octets("c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f");
        let shared = client().complete(&peer).unwrap();
        assert_eq!(shared.secret_bytes(), octets("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"));
    }

    #[test]
    fn x25519_refuses_points_of_small_order_and_other_lengths() {
        let mut one = [0; 32];
        one[0] = 1;
        for peer in [&[0; 32][..], &one, &[], &[9; 31], &[9; 33]] {
            assert_eq!(client().complete(peer).err(), invalid());
        }
    }

    fn ecdh_of<C>(group: NamedGroup, secret: &str, own: [&str; 2], peer: [&str; 2], shared: &str)
    where
        C: CurveArithmetic + PointCompression,
        AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
        FieldBytesSize<C>: ModulusSize,
    {
        let point = |[x, y]: [&str; 2]| -> Vec<u8> { [[UNCOMPRESSED].to_vec(), octets(x), octets(y)].concat() };
        let start = || {
            let secret = SecretKey::<C>::from_slice(&octets(secret)).unwrap();
            let public = secret.public_key().to_sec1_bytes();
            Box::new(Ecdh { group, secret, public })
        };
        assert_eq!(start().pub_key(), point(own));
        assert_eq!(start().complete(&point(peer)).unwrap().secret_bytes(), octets(shared));

        let mut off_the_curve = point(peer);
        *off_the_curve.last_mut().unwrap() ^= 1;
        let mut compressed = point(peer);
        compressed.truncate(1 + octets(shared).len());
        compressed[0] = 2 + point(peer).last().unwrap() % 2;
        assert!(PublicKey::<C>::from_sec1_bytes(&compressed).is_ok());
        let short = &point(peer)[..octets(shared).len()];
        for peer in [&off_the_curve[..], &compressed, short, &[], &[0], &[UNCOMPRESSED]] {
            assert_eq!(start().complete(peer).err(), invalid());
        }
    }

    /// RFC 5903 §8.1.
    #[test]
    fn p256_agrees_with_a_known_exchange() {
        let secret = "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433";
        let own = [
            "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180",
            "5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
        ];
        let peer = [
            "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63",
            "56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
        ];
        let shared = "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE";
        ecdh_of::<NistP256>(NamedGroup::secp256r1, secret, own, peer, shared);
    }

    /// RFC 5903 §8.2.
    #[test]
    fn p384_agrees_with_a_known_exchange() {
        let secret = "099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194";
        let own = [
            "667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA",
            "9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C",
        ];
        let peer = [
            "E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571",
            "DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C",
        ];
        let shared = "11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746";
        ecdh_of::<NistP384>(NamedGroup::secp384r1, secret, own, peer, shared);
    }

    #[test]
    fn every_exchange_has_a_secret_of_its_own() {
        for group in GROUPS {
            let (one, other) = (group.start().unwrap(), group.start().unwrap());
            assert_eq!(one.group(), group.name());
            assert_ne!(one.pub_key(), other.pub_key());
            let (for_one, for_other) = (other.pub_key().to_vec(), one.pub_key().to_vec());
            let (one, other) = (one.complete(&for_one).unwrap(), other.complete(&for_other).unwrap());
            assert_eq!(one.secret_bytes(), other.secret_bytes());
        }
    }
}
