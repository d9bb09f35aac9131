//! The URLs of the command line.

use clap::Args;

use super::REQUEST;
use super::ordered::{in_order, in_order_of};

/// URLs, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Urls(pub(crate) Vec<String>);

#[derive(Args, Debug)]
struct UrlOptions {
    /// What to request, such as `http://localhost:8000/path`
    #[arg(required_unless_present_any = ["config", "url"], value_name = "URL")]
    urls: Vec<String>,

    /// The same as URL alone. May be given several times
    #[arg(long, value_name = "URL", help_heading = REQUEST)]
    url: Vec<String>,
}

in_order_of!(Urls, UrlOptions, |matches, UrlOptions { urls, url }| Urls(in_order(matches, [("urls", urls), ("url", url)])));
