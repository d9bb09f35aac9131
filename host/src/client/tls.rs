//! The interfaces `tls` and `tls-admin` of a component: the handshakes, what is allowed, and the secrets. The builds with TLS export them.

use super::Client;
use crate::bindings::tls_admin::Permissions;
use crate::error::HostError;
use crate::policy::Policy;
use crate::types::TlsInfo;

impl Client {
    /// The handshake of a connection, by its id ([`ConnInfo::id`](crate::types::ConnInfo), `Failure::connection`,
    /// `Completion::connection`), also of one that failed. `None`: there was none, or it is not remembered any more; the
    /// component remembers the last 64. Always `None` in the build without TLS.
    ///
    /// # Errors
    /// [`HostError::Dead`].
    pub async fn tls_info(&mut self, connection: u64) -> Result<Option<TlsInfo>, HostError> {
        let Some(info) = self.tls.as_deref().map(|exports| exports.sandpiper_http_tls().func_info()) else {
            return Ok(None);
        };
        self.instance.call(info, (connection,)).await
    }

    /// Takes up to `lines_max` lines of the key log, oldest first, as NSS writes them and Wireshark reads them. There are some when the
    /// policy allows it ([`Policy::allow_key_log`]) and an endpoint's options ask for it. At most 4 096 wait to be taken.
    ///
    /// # Errors
    /// [`HostError::Dead`].
    pub async fn take_key_log(&mut self, lines_max: u32) -> Result<Vec<String>, HostError> {
        let Some(take) = self.tls_admin.as_deref().map(|exports| exports.sandpiper_http_tls_admin().func_take_key_log()) else {
            return Ok(Vec::new());
        };
        self.instance.call(take, (lines_max,)).await
    }

    /// Tells the component what the policy allows. It allows nothing by itself.
    pub(crate) async fn allow_tls(&mut self, policy: &Policy) -> Result<(), HostError> {
        let allowed = permissions(policy);
        let Some(allow) = self.tls_admin.as_deref().map(|exports| exports.sandpiper_http_tls_admin().func_allow()) else {
            return Ok(());
        };
        if allowed == Permissions::empty() { Ok(()) } else { self.instance.call(allow, (allowed,)).await }
    }
}

fn permissions(policy: &Policy) -> Permissions {
    let mut allowed = Permissions::empty();
    if policy.allows_any_certificate() {
        allowed |= Permissions::ANY_CERTIFICATE;
    }
    if policy.allows_key_log() {
        allowed |= Permissions::KEY_LOG;
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_unless_the_policy_says_so() {
        assert_eq!(permissions(&Policy::new()), Permissions::empty());
        assert_eq!(permissions(Policy::new().dangerous_allow_any_certificate()), Permissions::ANY_CERTIFICATE);
        assert_eq!(permissions(Policy::new().allow_key_log()), Permissions::KEY_LOG);
        let both = Permissions::ANY_CERTIFICATE | Permissions::KEY_LOG;
        assert_eq!(permissions(Policy::new().allow_key_log().dangerous_allow_any_certificate()), both);
        assert_eq!(permissions(&Policy::new().allow_key_log().unreaching()), Permissions::KEY_LOG);
    }
}
