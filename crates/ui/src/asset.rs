//! Files that pages load: styles, scripts, the icon. They are part of the program, and their addresses change with what is in
//! them, so that browsers may keep them for ever.

use crate::Failure;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const KEPT: &str = "public, max-age=31536000, immutable";
/// Characters of a hash in an address.
const HASH_CHARS: usize = 16;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const fn asset(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    Asset { name, content_type, bytes }
}

const ASSETS: &[Asset] = &[
    asset("style.css", STYLE, include_bytes!("../static/style.css")),
    asset("granary.js", SCRIPT, include_bytes!("../static/granary.js")),
    asset("selection.js", SCRIPT, include_bytes!("../static/selection.js")),
    asset("plots.js", SCRIPT, include_bytes!("../static/plots.js")),
    asset("htmx.min.js", SCRIPT, include_bytes!("../static/htmx.min.js")),
    asset("uPlot.iife.min.js", SCRIPT, include_bytes!("../static/uPlot.iife.min.js")),
    asset("uPlot.min.css", STYLE, include_bytes!("../static/uPlot.min.css")),
    asset("icon.svg", "image/svg+xml", include_bytes!("../static/icon.svg")),
];

static ADDRESSES: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
    let address = |asset: &Asset| {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(asset.bytes));
        (asset.name, format!("/ui/assets/{}/{}", &hash[..HASH_CHARS], asset.name))
    };
    ASSETS.iter().map(address).collect()
});

/// Where a file is.
///
/// # Panics
/// If there is none of this name, which every test of a page would see.
pub(crate) fn address(name: &str) -> &'static str {
    ADDRESSES.get(name).expect("templates name files that exist")
}

pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>) -> Result<Response, Failure> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or(Failure::NoSuchPage)?;
    if address(asset.name) != format!("/ui/assets/{hash}/{name}") {
        return Err(Failure::NoSuchPage);
    }
    Ok(([(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, KEPT)], asset.bytes).into_response())
}
