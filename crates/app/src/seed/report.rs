//! What came of each row: told as it happens, and counted.

use domain::JobId;

/// A table of the seed's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedTable {
    Users,
    Accounts,
    Members,
    Senders,
    Devices,
    Metadata,
    Readings,
    Actions,
    Bundles,
}

impl SeedTable {
    pub const ALL: [Self; 9] = [
        Self::Users,
        Self::Accounts,
        Self::Members,
        Self::Senders,
        Self::Devices,
        Self::Metadata,
        Self::Readings,
        Self::Actions,
        Self::Bundles,
    ];

    /// Its name in the seed's database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "registry_user",
            Self::Accounts => "account",
            Self::Members => "useraccountlink",
            Self::Senders => "accountwhitelistlink",
            Self::Devices => "device",
            Self::Metadata => "issuancemetadata",
            Self::Readings => "measurementreport",
            Self::Actions => "granularcertificateaction",
            Self::Bundles => "granularcertificatebundle",
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Users => 0,
            Self::Accounts => 1,
            Self::Members => 2,
            Self::Senders => 3,
            Self::Devices => 4,
            Self::Metadata => 5,
            Self::Readings => 6,
            Self::Actions => 7,
            Self::Bundles => 8,
        }
    }
}

/// What came of a row that is worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedVerdict {
    /// It was taken over with a change.
    Repaired,
    Refused,
    /// Nothing needs it.
    LeftOut,
}

impl SeedVerdict {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repaired => "repaired",
            Self::Refused => "refused",
            Self::LeftOut => "left out",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFinding {
    pub table: SeedTable,
    /// The row's id, or the two that a link names.
    pub row: String,
    pub verdict: SeedVerdict,
    pub text: String,
}

/// Rows of one table. Repaired ones are among the imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeedCount {
    pub read: u64,
    pub imported: u64,
    pub repaired: u64,
    pub refused: u64,
    pub left_out: u64,
}

/// What came of an import that got to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedReport {
    pub job: JobId,
    pub tables: Vec<(SeedTable, SeedCount)>,
}

impl SeedReport {
    pub fn refused(&self) -> u64 {
        self.tables.iter().map(|(_, count)| count.refused).sum()
    }
}

/// Keeps the counts and hands out the lines.
pub(super) struct Tally<'i> {
    counts: [SeedCount; 9],
    on_finding: &'i mut dyn FnMut(&SeedFinding),
    on_rows: &'i mut dyn FnMut(u64),
}

impl<'i> Tally<'i> {
    pub(super) fn new(on_finding: &'i mut dyn FnMut(&SeedFinding), on_rows: &'i mut dyn FnMut(u64)) -> Self {
        Self { counts: [SeedCount::default(); 9], on_finding, on_rows }
    }

    pub(super) fn read(&mut self, table: SeedTable) {
        self.counts[table.place()].read += 1;
        (self.on_rows)(1);
    }

    /// A row was taken over, with these changes.
    pub(super) fn imported(&mut self, table: SeedTable, row: &str, repairs: &[String]) {
        let count = &mut self.counts[table.place()];
        count.imported += 1;
        count.repaired += u64::from(!repairs.is_empty());
        for text in repairs {
            self.tell(table, row, SeedVerdict::Repaired, text);
        }
    }

    pub(super) fn refused(&mut self, table: SeedTable, row: &str, why: &str) {
        self.counts[table.place()].refused += 1;
        self.tell(table, row, SeedVerdict::Refused, why);
    }

    pub(super) fn left_out(&mut self, table: SeedTable, row: &str, why: &str) {
        self.counts[table.place()].left_out += 1;
        self.tell(table, row, SeedVerdict::LeftOut, why);
    }

    /// As [`left_out`](Self::left_out), where a line for each row would say nothing.
    pub(super) fn passed_over(&mut self, table: SeedTable) {
        self.counts[table.place()].left_out += 1;
    }

    pub(super) fn report(&self, job: JobId) -> SeedReport {
        let tables = SeedTable::ALL.iter().map(|table| (*table, self.counts[table.place()])).collect();
        SeedReport { job, tables }
    }

    fn tell(&mut self, table: SeedTable, row: &str, verdict: SeedVerdict, text: &str) {
        (self.on_finding)(&SeedFinding { table, row: row.to_owned(), verdict, text: text.to_owned() });
    }
}
