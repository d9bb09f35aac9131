//! A server with TLS that does what a case says, and tells what it saw.

use super::authority::{Identity, authority};
use super::client::Version;
use super::edit::{Edit, edited};
use super::seal::Seal;
use super::serving::{Seen, Serving, end};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{Acceptor, NoServerSessionStorage, ServerConnection, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion, RootCertStore, ServerConfig};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// Whether a client certificate is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// No.
    None,
    /// It may be missing.
    Optional,
    /// It must not.
    Required,
}

/// How a session can be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// It cannot.
    None,
    /// By what the server keeps: session ids in TLS 1.2, short tickets in TLS 1.3.
    Kept,
    /// By tickets that hold it.
    Tickets,
}

/// One thing that a server does in place of its usual response.
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes application data.
    Write(Vec<u8>),
    /// Writes one sealed record of this type.
    Record(u8, Vec<u8>),
    /// Writes octets as they are, past the encryption.
    Raw(Vec<u8>),
    /// Asks for and makes new keys (TLS 1.3).
    KeyUpdate,
    /// Says that it is done.
    CloseNotify,
}

/// What a server is.
pub struct Settings {
    /// Its certificates, and its key.
    pub identity: Identity,
    /// Those that it speaks.
    pub versions: &'static [&'static rustls::SupportedProtocolVersion],
    /// The suites it has; empty: all.
    pub suites: &'static [CipherSuite],
    /// The groups it has; empty: all.
    pub groups: &'static [NamedGroup],
    /// What it selects from; empty: it says nothing of it.
    pub alpn: &'static [&'static str],
    /// Client certificates.
    pub client_auth: ClientAuth,
    /// Resumption.
    pub sessions: Sessions,
    /// What it does when the first request has come, before it ends the connection; empty: it answers, and goes on.
    pub steps: Vec<Step>,
    /// What is changed in the encrypted part of its handshake.
    pub edit: Option<Edit>,
}

impl Settings {
    /// A good server with this identity.
    pub fn new(identity: Identity) -> Settings {
        Settings {
            identity,
            versions: rustls::ALL_VERSIONS,
            suites: &[],
            groups: &[],
            alpn: &["http/1.1"],
            client_auth: ClientAuth::None,
            sessions: Sessions::Tickets,
            steps: Vec::new(),
            edit: None,
        }
    }

    /// Starts it.
    pub fn start(self) -> Serving {
        let config = Arc::new(self.config());
        let steps = self.steps;
        Serving::start(move |stream, seen| {
            let result = Connection::accept(stream, &config, seen).and_then(|connection| connection.serve(&steps, seen));
            seen.error = result.err();
        })
    }

    fn provider(&self) -> CryptoProvider {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|suite| self.suites.is_empty() || self.suites.contains(&suite.suite()));
        provider.kx_groups.retain(|group| self.groups.is_empty() || self.groups.contains(&group.name()));
        match self.edit {
            Some(edit) => edited(provider, edit),
            None => provider,
        }
    }

    /// What a library is told to be it.
    ///
    /// # Panics
    /// When it cannot be.
    pub fn config(&self) -> ServerConfig {
        let provider = Arc::new(self.provider());
        let key = provider.key_provider.load_private_key(self.identity.key.clone_key()).expect("a key");
        // Certificates that a library would not read are what is served here, so it is not asked to.
        let certified = CertifiedKey::new(self.identity.chain.clone(), key);
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(self.versions).expect("versions");
        let builder = match self.client_auth {
            ClientAuth::None => builder.with_no_client_auth(),
            asked => {
                let mut roots = RootCertStore::empty();
                roots.add(authority().root.certificate.clone()).expect("a root");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if asked == ClientAuth::Optional { verifier.allow_unauthenticated() } else { verifier };
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.enable_secret_extraction = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match self.sessions {
            Sessions::None => config.send_tls13_tickets = 0,
            Sessions::Kept => config.session_storage = ServerSessionMemoryCache::new(64),
            Sessions::Tickets => config.ticketer = ring::Ticketer::new().expect("a ticketer"),
        }
        config
    }
}

/// What a usual response says.
pub fn response(content: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len()).into_bytes()
}

struct Connection {
    stream: TcpStream,
    tls: ServerConnection,
    /// What has been read, without the requests that were answered.
    read: Vec<u8>,
}

impl Connection {
    fn accept(mut stream: TcpStream, config: &Arc<ServerConfig>, seen: &mut Seen) -> Result<Connection, String> {
        let mut acceptor = Acceptor::default();
        let accepted = loop {
            if acceptor.read_tls(&mut stream).map_err(|error| error.to_string())? == 0 {
                return Err("the client ended before its ClientHello".to_owned());
            }
            match acceptor.accept() {
                Ok(Some(accepted)) => break accepted,
                Ok(None) => {}
                Err((error, alert)) => return Err(refuse(&stream, alert, &error)),
            }
        };
        let hello = accepted.client_hello();
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        seen.server_name = hello.server_name().map(str::to_owned);
        seen.alpn_offered = hello.alpn().into_iter().flatten().map(text).collect();
        let tls = accepted.into_connection(Arc::clone(config)).map_err(|(error, alert)| refuse(&stream, alert, &error))?;
        let mut connection = Connection { stream, tls, read: Vec::new() };
        while connection.tls.is_handshaking() {
            connection.turn(seen)?;
        }
        let tls = &connection.tls;
        seen.kind = tls.handshake_kind();
        seen.alpn = tls.alpn_protocol().map(text);
        seen.version =
            Some(if tls.protocol_version() == Some(ProtocolVersion::TLSv1_2) { Version::Tls12 } else { Version::Tls13 });
        seen.client_certificates = tls.peer_certificates().unwrap_or_default().iter().map(|der| der.to_vec()).collect();
        Ok(connection)
    }

    /// Writes what there is to write, and reads once.
    fn turn(&mut self, seen: &mut Seen) -> Result<(), String> {
        self.flush()?;
        let read = self.tls.read_tls(&mut self.stream).map_err(|error| error.to_string())?;
        let processed = self.tls.process_new_packets();
        self.take(seen);
        if let Err(error) = processed {
            let _ = self.flush();
            end(&self.stream);
            return Err(error.to_string());
        }
        self.flush()?;
        if read == 0 && self.tls.is_handshaking() {
            return Err("the client ended within the handshake".to_owned());
        }
        Ok(())
    }

    fn take(&mut self, seen: &mut Seen) {
        let before = self.read.len();
        match self.tls.reader().read_to_end(&mut self.read) {
            Ok(_) => seen.close_notify = Some(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => seen.close_notify = Some(false),
        }
        seen.plaintext += self.read.len() - before;
    }

    fn flush(&mut self) -> Result<(), String> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn serve(mut self, steps: &[Step], seen: &mut Seen) -> Result<(), String> {
        loop {
            while let Some(request) = self.next_request() {
                seen.requests += 1;
                if !steps.is_empty() {
                    return self.act(steps, seen);
                }
                let closes = request.to_ascii_lowercase().contains("connection: close");
                let name = seen.server_name.as_deref().unwrap_or("no name");
                let answer =
                    response(&format!("name={name} alpn={} path={}", seen.alpn.as_deref().unwrap_or("none"), path(&request)));
                self.tls.writer().write_all(&answer).map_err(|error| error.to_string())?;
                if closes {
                    self.tls.send_close_notify();
                }
                self.flush()?;
            }
            if seen.close_notify.is_some() {
                self.tls.send_close_notify();
                return self.flush();
            }
            self.turn(seen)?;
        }
    }

    /// The next request, which has no content.
    fn next_request(&mut self) -> Option<String> {
        let end = self.read.windows(4).position(|octets| octets == b"\r\n\r\n")? + 4;
        let request: Vec<u8> = self.read.drain(..end).collect();
        Some(String::from_utf8_lossy(&request).into_owned())
    }

    fn act(mut self, steps: &[Step], seen: &mut Seen) -> Result<(), String> {
        let mut steps = steps;
        while let [step @ (Step::Write(_) | Step::KeyUpdate | Step::CloseNotify), rest @ ..] = steps {
            match step {
                Step::Write(octets) => self.tls.writer().write_all(octets).map_err(|error| error.to_string())?,
                Step::KeyUpdate => self.tls.refresh_traffic_keys().map_err(|error| error.to_string())?,
                _ => self.tls.send_close_notify(),
            }
            self.flush()?;
            steps = rest;
        }
        if steps.is_empty() {
            return self.finish(seen);
        }
        let suite = self.tls.negotiated_cipher_suite().ok_or("no suite")?;
        let secrets = self.tls.dangerous_extract_secrets().map_err(|error| error.to_string())?;
        let mut seal = Seal::new(suite, secrets).ok_or("no keys")?;
        for step in steps {
            let octets = match step {
                Step::Write(octets) => seal.record(23, octets),
                Step::Record(kind, octets) => seal.record(*kind, octets),
                Step::Raw(octets) => octets.clone(),
                Step::CloseNotify => seal.record(21, &[1, 0]),
                Step::KeyUpdate => return Err("new keys cannot be made behind records of our own".to_owned()),
            };
            self.stream.write_all(&octets).map_err(|error| error.to_string())?;
        }
        end(&self.stream);
        seen.close_notify = None;
        Ok(())
    }

    /// Ends the connection, and reads what the client still says.
    fn finish(&mut self, seen: &mut Seen) -> Result<(), String> {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        while seen.close_notify.is_none() {
            let read = self.tls.read_tls(&mut self.stream).map_err(|error| error.to_string())?;
            let processed = self.tls.process_new_packets();
            self.take(seen);
            processed.map_err(|error| error.to_string())?;
            if read == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

fn refuse(mut stream: &TcpStream, mut alert: rustls::server::AcceptedAlert, error: &rustls::Error) -> String {
    let _ = alert.write_all(&mut stream);
    end(stream);
    error.to_string()
}
