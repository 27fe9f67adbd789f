//! A demonstration registry as it behaves, at random: it issues, splits one certificate beside the mark, transfers, cancels,
//! reserves, locks and withdraws. What holds of its bundles is known, and must be what is taken over.

use std::fmt::Write as _;

const HOURS: i64 = 60;
const ACTIONS: i64 = 150;

/// A bundle as the demonstration keeps it, and what is true of it.
#[derive(Clone, Debug)]
pub(super) struct Bundle {
    pub(super) id: i64,
    pub(super) account: i64,
    pub(super) status: &'static str,
    pub(super) quantity: i64,
    pub(super) parent: Option<i64>,
    pub(super) beneficiary: Option<String>,
    /// Its first certificate, were the split right.
    pub(super) first: i64,
    range: (i64, i64),
    hour: i64,
}

pub(super) struct Demonstration {
    random: u64,
    pub(super) bundles: Vec<Bundle>,
    next_id: i64,
    actions: String,
}

impl Demonstration {
    /// With everything that it did.
    pub(super) fn run(seed: u64) -> Self {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut old = Self { random, bundles: Vec::new(), next_id: 1, actions: String::new() };
        let mut first = 1;
        for hour in 0..HOURS {
            let (quantity, id) = (1 + old.below(1_000), old.next());
            let range = (first, first + quantity - 1);
            first += quantity;
            old.bundles.push(Bundle {
                id,
                account: 2,
                status: "ACTIVE",
                quantity,
                parent: None,
                beneficiary: None,
                first: range.0,
                range,
                hour,
            });
        }
        (1..=ACTIONS).for_each(|action| old.act(action));
        old
    }

    /// Its rows. Of every third hour no reading was kept.
    pub(super) fn sql(&self) -> String {
        let mut sql = "INSERT INTO registry_user (id, name, primary_contact) VALUES (3, 'Ada', 'ada@example.org'); \
            INSERT INTO account (id, account_name) VALUES (2, 'Wind Ltd'), (4, 'Bob plc'), (9, 'Carol SA'); \
            INSERT INTO device (id, device_name, account_id) VALUES (7, 'Wind farm', 2); \
            INSERT INTO issuancemetadata (id) VALUES (2);"
            .to_owned();
        for bundle in &self.bundles {
            let Bundle { id, account, status, quantity, range: (first, last), hour, .. } = bundle;
            let is_gone = *status == "BUNDLE_SPLIT";
            // the demonstration leaves the state of what it deletes, or says that it was split
            let status = if is_gone && id % 2 == 0 { "ACTIVE" } else { status };
            let _infallible = write!(
                sql,
                "SELECT bundle({id}, 7, {hour}, {account}, '{status}', {first}, {last}, {quantity}, {is_gone});"
            );
            if bundle.parent.is_none() && hour % 3 != 0 {
                let _infallible = write!(sql, "SELECT reading({id}, 7, {hour}, {quantity});");
            }
        }
        sql + &self.actions
    }

    fn act(&mut self, action: i64) {
        let whole = |bundle: &&Bundle| matches!(bundle.status, "ACTIVE" | "CANCELLED" | "LOCKED");
        let candidates: Vec<usize> = (0..self.bundles.len()).filter(|at| whole(&&self.bundles[*at])).collect();
        let at = candidates[self.place_below(candidates.len())];
        let is_active = self.bundles[at].status == "ACTIVE";
        let kind = match self.below(6) {
            0 | 1 if is_active => "TRANSFER",
            2 | 3 if is_active => "CANCEL",
            4 if is_active => "RESERVE",
            5 if is_active => "LOCK",
            _ => "WITHDRAW",
        };
        let target = if self.below(2) == 0 { 4 } else { 9 };
        let named = (self.below(3) > 0).then(|| format!("Customer {}", self.below(5)));
        let (id, quantity) = (self.bundles[at].id, self.bundles[at].quantity);
        let part = if quantity > 1 && self.below(2) == 0 { 1 + self.below(quantity - 1) } else { quantity };
        let taken = if part < quantity { self.split(at, part) } else { at };
        let bundle = &mut self.bundles[taken];
        match kind {
            "TRANSFER" => bundle.account = target,
            "CANCEL" => {
                bundle.status = "CANCELLED";
                let holder = if bundle.account == 2 {
                    "Wind Ltd"
                } else if bundle.account == 4 {
                    "Bob plc"
                } else {
                    "Carol SA"
                };
                bundle.beneficiary = Some(named.clone().unwrap_or_else(|| holder.to_owned()));
            }
            "RESERVE" => bundle.status = "RESERVED",
            "LOCK" => bundle.status = "LOCKED",
            _ => bundle.status = "WITHDRAWN",
        }
        let beneficiary = named.filter(|_| kind == "CANCEL").map_or("NULL".to_owned(), |name| format!("'{name}'"));
        let _infallible = write!(self.actions, "SELECT action({action}, '{kind}', '[{id}]', {beneficiary});");
    }

    /// As the demonstration splits: the first part ends one certificate too late, the second begins behind it.
    fn split(&mut self, at: usize, quantity: i64) -> usize {
        let parent = self.bundles[at].clone();
        let end = parent.range.0 + quantity;
        let parts = [(parent.first, quantity, (parent.range.0, end)), {
            let rest = parent.quantity - quantity;
            (parent.first + quantity, rest, (end + 1, parent.range.1))
        }];
        for (first, quantity, range) in parts {
            let id = self.next();
            self.bundles.push(Bundle { id, first, quantity, range, parent: Some(parent.id), ..parent.clone() });
        }
        (self.bundles[at].status, self.bundles[at].beneficiary) = ("BUNDLE_SPLIT", None);
        self.bundles.len() - 2
    }

    /// Now and then an id is lost, as sequences lose them.
    fn next(&mut self) -> i64 {
        self.next_id += if self.below(4) == 0 { 3 } else { 1 };
        self.next_id
    }

    fn below(&mut self, bound: i64) -> i64 {
        let bound = usize::try_from(bound).expect("a small bound");
        i64::try_from(self.place_below(bound)).expect("below the bound")
    }

    fn place_below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 32).expect("32 bits") % bound
    }
}
