//! Storage records beside the readings, certificates and records that they hang together with, and what they come to.
//!
//! | of | checks |
//! | --- | --- |
//! | a charge | an accepted reading below zero; Σ of its interval; its certificates: cancelled for storage, of the device's account, of that time, of no other charge; what is drawn is the sum of its standing draws |
//! | a discharge | an accepted reading above zero; Σ of its interval; a factor above 0 and at most 1; the device's first method; no more drawn than the energy over the factor, rounded up |
//! | a draw | a charge of the same device that had ended and stands; certificates are its part of certificates times the factor, rounded down; what is live of them, where it was issued and what it says |
//! | a device | Σ charged = certificates + losses + drawn of none + reservoir, the reservoir as the charges say it |
//!
//! That each row is what its events say is checked with the registrations. Invariant: memory holds one page.

use crate::report::{Audit, FindingKind, Noun, Phase, at, shown};
use crate::rows::{number, optional_number};
use crate::rules::status;
use crate::snapshots::Snapshots;
use crate::world::World;
use crate::{PAGE, head::Head};
use db::{Connection, Result, Row};

/// Of a storage device.
pub(crate) const STORAGE: i64 = 3;
const ESTIMATED: i64 = 3;
const PURPOSE: &str = "storage";

const CHARGES: &str = "SELECT c.id, c.device_id, c.start_at, c.end_at, c.energy_wh, c.bundle_id, c.backed_wh, \
     c.is_withdrawn, c.drawn_backed_wh, c.drawn_unbacked_wh, m.end_at, m.energy_wh, m.quality, b.status, b.account_id, \
     b.purpose, b.production_start, b.production_end, b.range_last - b.range_first + 1, \
     (SELECT CAST(COALESCE(SUM(d.backed_wh), 0) AS BIGINT) FROM storage_draw d JOIN sdr s ON s.id = d.sdr_id \
      WHERE d.scr_id = c.id AND NOT s.is_withdrawn), \
     (SELECT CAST(COALESCE(SUM(d.unbacked_wh), 0) AS BIGINT) FROM storage_draw d JOIN sdr s ON s.id = d.sdr_id \
      WHERE d.scr_id = c.id AND NOT s.is_withdrawn), \
     (SELECT CAST(COALESCE(SUM(o.energy_wh), 0) AS BIGINT) FROM scr o \
      WHERE o.device_id = c.device_id AND o.start_at = c.start_at AND NOT o.is_withdrawn), \
     (SELECT COUNT(*) FROM scr o WHERE o.bundle_id = c.bundle_id AND NOT o.is_withdrawn) \
     FROM scr c LEFT JOIN measurement m ON m.device_id = c.device_id AND m.start_at = c.start_at \
     AND m.superseded_by IS NULL LEFT JOIN bundle b ON b.id = c.bundle_id WHERE c.id > $1 ORDER BY c.id LIMIT $2";

const DISCHARGES: &str = "SELECT s.id, s.device_id, s.start_at, s.end_at, s.energy_wh, s.method, s.input_wh, s.output_wh, \
     s.charge_before_wh, s.charge_after_wh, s.is_withdrawn, m.end_at, m.energy_wh, m.quality, \
     (SELECT CAST(COALESCE(SUM(o.energy_wh), 0) AS BIGINT) FROM sdr o \
      WHERE o.device_id = s.device_id AND o.start_at = s.start_at AND NOT o.is_withdrawn), \
     (SELECT CAST(COALESCE(SUM(d.backed_wh + d.unbacked_wh), 0) AS BIGINT) FROM storage_draw d WHERE d.sdr_id = s.id), \
     (SELECT o.method FROM sdr o WHERE o.device_id = s.device_id ORDER BY o.id LIMIT 1) \
     FROM sdr s LEFT JOIN measurement m ON m.device_id = s.device_id AND m.start_at = s.start_at \
     AND m.superseded_by IS NULL WHERE s.id > $1 ORDER BY s.id LIMIT $2";

const DRAWS: &str = "SELECT d.id, d.backed_wh, d.certificates, d.attributes_id, s.device_id, s.start_at, s.end_at, \
     s.is_withdrawn, s.input_wh, s.output_wh, s.charge_before_wh, s.charge_after_wh, c.device_id, c.end_at, \
     c.is_withdrawn, a.attributes_id, \
     (SELECT CAST(COALESCE(SUM(b.range_last - b.range_first + 1), 0) AS BIGINT) FROM bundle b \
      WHERE b.draw_id = d.id AND b.status NOT IN (5, 8)), \
     (SELECT MIN(b.id) FROM bundle b WHERE b.draw_id = d.id AND (b.device_id <> s.device_id \
      OR b.production_start <> s.start_at OR b.production_end <> s.end_at OR b.attributes_id <> a.attributes_id)) \
     FROM storage_draw d JOIN sdr s ON s.id = d.sdr_id JOIN scr c ON c.id = d.scr_id \
     LEFT JOIN bundle a ON a.id = c.bundle_id WHERE d.id > $1 ORDER BY d.id LIMIT $2";

pub(crate) fn check(
    connection: &mut Connection,
    audit: &mut Audit<'_>,
    head: &Head,
    world: &World,
    snapshots: &Snapshots,
) -> Result<()> {
    let total = head.next_scr + head.next_sdr + head.next_draw - 3;
    let mut done = 0;
    let passes: [(&'static str, Check<'_>); 3] = [
        (CHARGES, &|audit, row| {
            charge(audit, world, &Charge::of(row)?);
            Ok(())
        }),
        (DISCHARGES, &|audit, row| {
            discharge(audit, world, &Discharge::of(row)?);
            Ok(())
        }),
        (DRAWS, &|audit, row| {
            draw(audit, snapshots, &Draw::of(row)?);
            Ok(())
        }),
    ];
    for (statement, check) in passes {
        let mut after = 0;
        loop {
            let mut last = after;
            connection.query_each(statement, &[after.into(), PAGE.into()], |row| -> Result<()> {
                last = number(row, 0)?;
                done += 1;
                check(audit, row)
            })?;
            audit.progress(Phase::Storage, done, total);
            if last == after {
                break;
            }
            after = last;
        }
    }
    audit.checked(3, done);
    check_devices(connection, audit, world)
}

/// How a row of a pass is checked.
type Check<'c> = &'c dyn Fn(&mut Audit<'_>, &Row<'_>) -> Result<()>;

/// A reading as it stands beside a record: until when, how much, of which quality.
type Beside = (Option<i64>, Option<i64>, Option<i64>);

struct Charge {
    id: i64,
    device: i64,
    start: i64,
    end: i64,
    energy: i64,
    backing: Option<Backing>,
    backed: i64,
    is_withdrawn: bool,
    drawn: (i64, i64),
    reading: Beside,
    /// By its standing draws.
    expected_drawn: (i64, i64),
    together: i64,
}

/// What stands of the bundle that backs a charge.
struct Backing {
    bundle: i64,
    status: Option<i64>,
    account: Option<i64>,
    purpose: Option<String>,
    start: Option<i64>,
    end: Option<i64>,
    quantity: Option<i64>,
    charges: i64,
}

impl Charge {
    fn of(row: &Row<'_>) -> Result<Self> {
        let backing = match optional_number(row, 5)? {
            None => None,
            Some(bundle) => Some(Backing {
                bundle,
                status: optional_number(row, 13)?,
                account: optional_number(row, 14)?,
                purpose: row.get(15)?,
                start: optional_number(row, 16)?,
                end: optional_number(row, 17)?,
                quantity: optional_number(row, 18)?,
                charges: number(row, 22)?,
            }),
        };
        Ok(Self {
            id: number(row, 0)?,
            device: number(row, 1)?,
            start: number(row, 2)?,
            end: number(row, 3)?,
            energy: number(row, 4)?,
            backing,
            backed: optional_number(row, 6)?.unwrap_or(0),
            is_withdrawn: number(row, 7)? != 0,
            drawn: (number(row, 8)?, number(row, 9)?),
            reading: (optional_number(row, 10)?, optional_number(row, 11)?, optional_number(row, 12)?),
            expected_drawn: (number(row, 19)?, number(row, 20)?),
            together: number(row, 21)?,
        })
    }
}

fn charge(audit: &mut Audit<'_>, world: &World, charge: &Charge) {
    let Charge { id, device, energy, backed, drawn, .. } = *charge;
    let mut find = |kind, text: String| audit.find(kind, Noun::Scr, id, None, || text);
    if drawn != charge.expected_drawn {
        let (found, expected) = (drawn, charge.expected_drawn);
        find(
            FindingKind::DrawWrong,
            format!("charge {id} says that {found:?} Wh are drawn; standing discharges draw {expected:?} Wh"),
        );
    }
    if charge.expected_drawn.0 > backed || charge.expected_drawn.0.saturating_add(charge.expected_drawn.1) > energy {
        let (of_certificates, of_none) = charge.expected_drawn;
        let text =
            format!("{of_certificates} Wh and {of_none} Wh are drawn of charge {id} of {energy} Wh, {backed} backed");
        find(FindingKind::DrawWrong, text);
    }
    if charge.is_withdrawn {
        return;
    }
    let beside = (charge.end, charge.reading, charge.together);
    if let Some(text) = misfit(world, device, charge.start, beside, true) {
        find(FindingKind::RecordWrong, format!("charge {id}: {text}"));
    }
    let Some(backing) = &charge.backing else { return };
    let bundle = backing.bundle;
    let account = world.devices.get(&device).map(|device| device.account);
    let wrong = if backing.status != Some(status::CANCELLED) {
        let is = backing.status.map_or("nothing", status::name);
        Some(format!("is {is}"))
    } else if backing.purpose.as_deref() != Some(PURPOSE) {
        Some("was not cancelled for storage".to_owned())
    } else if backing.account != account {
        Some(format!("is of account {}; the device is of account {}", shown(backing.account), shown(account)))
    } else if backing.start.is_none_or(|start| start < charge.start) || backing.end.is_none_or(|end| end > charge.end) {
        Some("was not produced within the charge".to_owned())
    } else if backing.quantity != Some(backed) || backed > energy {
        Some(format!("holds {} Wh; {backed} Wh are to back a charge of {energy} Wh", shown(backing.quantity)))
    } else if backing.charges != 1 {
        Some(format!("backs {} charges", backing.charges))
    } else {
        None
    };
    if let Some(wrong) = wrong {
        find(FindingKind::AllocationWrong, format!("bundle {bundle} is allocated to charge {id} and {wrong}"));
    }
}

/// Why no reading carries a record and those beside it, if none does.
fn misfit(
    world: &World,
    device: i64,
    start: i64,
    (end, reading, together): (i64, Beside, i64),
    is_charge: bool,
) -> Option<String> {
    if world.devices.get(&device).is_none_or(|device| device.kind != STORAGE) {
        return Some(format!("device {device} is not storage"));
    }
    let (Some(until), Some(energy), Some(quality)) = reading else {
        return Some(format!("device {device} has no current reading from {}", at(start)));
    };
    if until != end {
        return Some(format!("the record ends at {}; its reading at {}", at(end), at(until)));
    }
    let stated = if is_charge { energy.saturating_neg() } else { energy };
    if quality == ESTIMATED {
        return Some("its reading is an estimate".to_owned());
    }
    let text = || format!("{together} Wh are recorded on a reading of {energy} Wh");
    (together > stated).then(text)
}

struct Discharge {
    id: i64,
    device: i64,
    start: i64,
    end: i64,
    energy: i64,
    method: i64,
    factor: Factor,
    is_withdrawn: bool,
    reading: Beside,
    together: i64,
    drawn: i64,
    first_method: i64,
}

/// Wh in and out, and the state of charge before and after.
#[derive(Clone, Copy)]
struct Factor {
    input: i64,
    output: i64,
    before: i64,
    after: i64,
}

impl Factor {
    /// The four columns from `first` on.
    fn of(row: &Row<'_>, first: usize) -> Result<Self> {
        let [input, output, before, after] = [0, 1, 2, 3].map(|place| number(row, first + place));
        Ok(Self { input: input?, output: output?, before: before?, after: after? })
    }

    /// Numerator and denominator, of a factor above 0 and at most 1.
    fn ratio(self) -> Option<(i128, i128)> {
        let numerator = i128::from(self.output) + i128::from(self.after) - i128::from(self.before);
        let denominator = i128::from(self.input);
        (numerator > 0 && numerator <= denominator).then_some((numerator, denominator))
    }
}

impl Discharge {
    fn of(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: number(row, 0)?,
            device: number(row, 1)?,
            start: number(row, 2)?,
            end: number(row, 3)?,
            energy: number(row, 4)?,
            method: number(row, 5)?,
            factor: Factor::of(row, 6)?,
            is_withdrawn: number(row, 10)? != 0,
            reading: (optional_number(row, 11)?, optional_number(row, 12)?, optional_number(row, 13)?),
            together: number(row, 14)?,
            drawn: number(row, 15)?,
            first_method: number(row, 16)?,
        })
    }
}

fn discharge(audit: &mut Audit<'_>, world: &World, of: &Discharge) {
    let id = of.id;
    let mut find = |kind, text: String| audit.find(kind, Noun::Sdr, id, None, || text);
    if !of.is_withdrawn
        && let Some(text) = misfit(world, of.device, of.start, (of.end, of.reading, of.together), false)
    {
        find(FindingKind::RecordWrong, format!("discharge {id}: {text}"));
    }
    if of.method != of.first_method {
        let text =
            format!("discharge {id} allocates by method {}; its device's first by {}", of.method, of.first_method);
        find(FindingKind::RecordWrong, text);
    }
    let Some((numerator, denominator)) = of.factor.ratio() else {
        let Factor { input, output, before, after } = of.factor;
        let text = format!(
            "discharge {id}: {output} Wh out of {input} Wh, with a charge of {before} Wh and then {after} Wh, is no factor"
        );
        find(FindingKind::RecordWrong, text);
        return;
    };
    let gross = i128::from(of.energy) * denominator;
    let need = gross / numerator + i128::from(gross % numerator != 0);
    if i128::from(of.drawn) > need {
        let text = format!("discharge {id} of {} Wh draws {} Wh; it needs {need} Wh", of.energy, of.drawn);
        find(FindingKind::DrawWrong, text);
    }
}

struct Draw {
    id: i64,
    backed: i64,
    certificates: i64,
    /// Of the storage device.
    attributes: Option<i64>,
    device: i64,
    start: i64,
    is_discharge_withdrawn: bool,
    factor: Factor,
    charge_device: i64,
    charge_end: i64,
    is_charge_withdrawn: bool,
    live: i64,
    odd_bundle: Option<i64>,
}

impl Draw {
    fn of(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: number(row, 0)?,
            backed: number(row, 1)?,
            certificates: number(row, 2)?,
            attributes: optional_number(row, 3)?,
            device: number(row, 4)?,
            start: number(row, 5)?,
            is_discharge_withdrawn: number(row, 7)? != 0,
            factor: Factor::of(row, 8)?,
            charge_device: number(row, 12)?,
            charge_end: number(row, 13)?,
            is_charge_withdrawn: number(row, 14)? != 0,
            live: number(row, 16)?,
            odd_bundle: optional_number(row, 17)?,
        })
    }
}

fn draw(audit: &mut Audit<'_>, snapshots: &Snapshots, of: &Draw) {
    let id = of.id;
    let mut find = |kind, text: String| audit.find(kind, Noun::Draw, id, None, || text);
    if of.device != of.charge_device || of.charge_end > of.start {
        let (until, from) = (at(of.charge_end), at(of.start));
        let text = format!(
            "draw {id}: device {} discharges from {from} what device {} charged until {until}",
            of.device, of.charge_device
        );
        find(FindingKind::DrawWrong, text);
    }
    if of.is_charge_withdrawn && !of.is_discharge_withdrawn {
        find(FindingKind::DrawWrong, format!("draw {id} stands on a charge that was withdrawn"));
    }
    if let Some((numerator, denominator)) = of.factor.ratio() {
        let expected = i128::from(of.backed) * numerator / denominator;
        if expected != i128::from(of.certificates) {
            let text = format!("draw {id} of {} Wh gives {} certificates, not {expected}", of.backed, of.certificates);
            find(FindingKind::DrawWrong, text);
        }
    }
    let is_own = of.attributes.map(|id| snapshots.get(&id).is_some_and(|snapshot| snapshot.device == of.device));
    if is_own != (of.certificates > 0).then_some(true) {
        let text = format!("draw {id}: attributes {} are not of storage device {}", shown(of.attributes), of.device);
        find(FindingKind::DrawWrong, text);
    }
    let allowed = if of.is_discharge_withdrawn { 0 } else { of.certificates };
    if of.live > allowed {
        let text = format!("{} Wh of certificates are live on draw {id}, which gives {allowed}", of.live);
        find(FindingKind::StorageDiffers, text);
    }
    if let Some(bundle) = of.odd_bundle {
        let text = format!("bundle {bundle} was issued on draw {id} and is not of its discharge and certificates");
        find(FindingKind::StorageDiffers, text);
    }
}

/// Every watt-hour that a device charged is in the reservoir, certified, lost, or of no certificate's origin.
fn check_devices(connection: &mut Connection, audit: &mut Audit<'_>, world: &World) -> Result<()> {
    let mut devices: Vec<i64> =
        world.devices.iter().filter(|(_, device)| device.kind == STORAGE).map(|(id, _)| *id).collect();
    devices.sort_unstable();
    for id in &devices {
        let (charged, reservoir) = connection.query_one(
            "SELECT CAST(COALESCE(SUM(energy_wh), 0) AS BIGINT), \
             CAST(COALESCE(SUM(energy_wh - drawn_backed_wh - drawn_unbacked_wh), 0) AS BIGINT) FROM scr \
             WHERE device_id = $1 AND NOT is_withdrawn",
            &[(*id).into()],
            |row| Ok((number(row, 0)?, number(row, 1)?)),
        )?;
        let (certificates, losses, unbacked) = connection.query_one(
            "SELECT CAST(COALESCE(SUM(d.certificates), 0) AS BIGINT), \
             CAST(COALESCE(SUM(d.backed_wh - d.certificates), 0) AS BIGINT), \
             CAST(COALESCE(SUM(d.unbacked_wh), 0) AS BIGINT) FROM sdr s JOIN storage_draw d ON d.sdr_id = s.id \
             WHERE s.device_id = $1 AND NOT s.is_withdrawn",
            &[(*id).into()],
            |row| Ok((number(row, 0)?, number(row, 1)?, number(row, 2)?)),
        )?;
        let sum = certificates.saturating_add(losses).saturating_add(unbacked).saturating_add(reservoir);
        if charged != sum || losses < 0 || reservoir < 0 {
            audit.find(FindingKind::StorageDiffers, Noun::Device, *id, None, || {
                format!(
                    "device {id} charged {charged} Wh; {certificates} Wh are certified, {losses} Wh lost, {unbacked} Wh \
                     drawn of none and {reservoir} Wh left, which is {sum} Wh"
                )
            });
        }
    }
    audit.checked(1, u64::try_from(devices.len()).unwrap_or(0));
    check_undrawn(connection, audit)
}

/// Certificates of a draw that there is not.
fn check_undrawn(connection: &mut Connection, audit: &mut Audit<'_>) -> Result<()> {
    let astray = connection.query(
        "SELECT b.id FROM bundle b LEFT JOIN storage_draw d ON d.id = b.draw_id \
         WHERE b.draw_id IS NOT NULL AND d.id IS NULL ORDER BY b.id LIMIT $1",
        &[PAGE.into()],
        |row| number(row, 0),
    )?;
    for id in astray {
        audit.find(FindingKind::StorageDiffers, Noun::Bundle, id, None, || {
            format!("bundle {id} was issued on a draw that does not exist")
        });
    }
    Ok(())
}

/// What storage gave out is not issued again as such: what was withdrawn there is free to be issued on its draw.
pub(crate) fn holds_nothing(world: &World, device: i64) -> bool {
    world.devices.get(&device).is_some_and(|device| device.kind == STORAGE)
}
