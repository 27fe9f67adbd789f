//! Issuance metadata: listed and made. It never changes once it is made.

use super::kind::{Cell, Kind, Member, Reader, Row, Words};
use crate::format;
use app::{Error, Paging};
use domain::IssuanceMetadata;

pub(super) struct Metadata;

impl Kind for Metadata {
    const WORDS: Words = Words {
        one: "issuance metadata",
        many: "Issuance metadata",
        name: "Issuing body",
        columns: &["Country", "Grid", "Market zone", "And", "Made (UTC)"],
        list: "/ui/admin/metadata",
        place: "/ui/admin/metadata",
        lead: "What the issuing body states of the certificates that it issues. It never changes once it is made.",
        none: "There is none yet. Nothing can be issued without.",
        create: "/certificate/create_metadata",
        operations: "",
        deleted: "",
        delete: "",
        has_roles: false,
    };
    const MEMBERS: &'static [Member] = &[
        Member::text("issuing_body", "Issuing body", "", true),
        Member::text("country_of_issuance", "Country of issuance", "", true),
        Member::text("connected_grid_identification", "Grid", "", true),
        Member::text("issue_market_zone", "Market zone", "", true),
        Member::text("legal_status", "Legal status", "", false),
        Member::text("issuance_purpose", "Purpose", "", false),
        Member::text("support_received", "Support received", "", false),
        Member::text("quality_scheme_reference", "Quality scheme", "", false),
        Member::text("dissemination_level", "Dissemination level", "", false),
    ];
    const IS_CHANGEABLE: bool = false;

    fn rows(reader: &Reader<'_>, paging: Paging<i64>) -> Result<(Vec<Row>, Option<i64>), Error> {
        let page = reader.registry.all_metadata(paging, reader.fresh)?;
        Ok((page.entries.into_iter().map(row).collect(), page.next))
    }
}

fn row(metadata: IssuanceMetadata) -> Row {
    let about = metadata.description;
    let optional = [
        ("Legal status", about.legal_status),
        ("Purpose", about.issuance_purpose),
        ("Support received", about.support_received),
        ("Quality scheme", about.quality_scheme_reference),
        ("Dissemination level", about.dissemination_level),
    ];
    let more = optional.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
    Row {
        id: metadata.id.0,
        name: about.issuing_body,
        cells: vec![
            Cell::Text(about.country_of_issuance),
            Cell::Text(about.connected_grid_identification),
            Cell::Text(about.issue_market_zone),
            Cell::Text(more.collect::<Vec<_>>().join("; ")),
            Cell::Time(format::instant(metadata.created_at)),
        ],
    }
}
