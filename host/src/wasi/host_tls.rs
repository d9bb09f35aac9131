//! The host's TLS, as far as the state of an instance knows it.

#[cfg(feature = "host-tls")]
mod context {
    use wasmtime_wasi_tls::{WasiTlsCtx, WasiTlsCtxBuilder};

    pub(crate) use crate::host_tls::HostTls;

    pub(crate) type Context = WasiTlsCtx;

    pub(crate) fn context(host_tls: Option<&HostTls>) -> Context {
        let context = WasiTlsCtxBuilder::new();
        match host_tls {
            Some(host_tls) => context.provider(Box::new(host_tls.clone())).build(),
            None => context.build(),
        }
    }
}

/// There is none without the feature.
#[cfg(not(feature = "host-tls"))]
mod context {
    #[derive(Clone, Debug, Default)]
    pub(crate) struct HostTls;

    pub(crate) struct Context;

    pub(crate) fn context(_host_tls: Option<&HostTls>) -> Context {
        Context
    }
}

pub(crate) use context::{Context, HostTls, context};
