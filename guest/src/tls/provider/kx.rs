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
