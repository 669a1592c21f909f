//! Dates and times as XEP-0082 writes them: `2026-11-23T04:33:02.125Z`.
//!
//! Days are counted from 0000-03-01, so that the leap day is the last of its year and months have a plain formula.

use crate::machine::Timestamp;

const MS_PER_DAY: i64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const EPOCH_DAYS: i64 = 719_468;
/// Days in the 400 years after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// Writes a time in UTC, with milliseconds (XEP-0082 §3.2).
pub fn stamp(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    let (year, month, day) = civil(ms / MS_PER_DAY);
    let rest = ms % MS_PER_DAY;
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Reads a XEP-0082 DateTime with any offset and any number of fractional digits. Times before 1970 become 1970.
pub fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once('T')?;
    let (clock, offset_minutes) = split_offset(time)?;
    let (clock, milli) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, milliseconds(fraction)?),
        None => (clock, 0),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    // A leap second is read as the second after it.
    let in_range =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !in_range {
        return None;
    }
    let days = days(year, month, day);
    if civil(days) != (year, month, day) {
        return None;
    }
    let minutes = hour * 60 + minute - offset_minutes;
    let ms = days * MS_PER_DAY + minutes * 60_000 + second * 1_000 + milli;
    Some(Timestamp(u64::try_from(ms).unwrap_or(0)))
}

/// The date that is so many days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH_DAYS
}

/// Splits `04:33:02Z` or `04:33:02-05:30` into the clock and minutes east of Greenwich.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let [hours, minutes] = numbers(&time[at + 1..], ':', [2, 2])?;
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    (hours < 24 && minutes < 60).then_some((&time[..at], sign * (hours * 60 + minutes)))
}

/// The first three digits after the decimal point.
fn milliseconds(fraction: &str) -> Option<i64> {
    let all_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| {
        (0..3).fold(0, |sum, at| {
            sum * 10 + fraction.as_bytes().get(at).map_or(0, |digit| i64::from(digit - b'0'))
        })
    })
}

/// Reads unsigned numbers of exactly these widths.
fn numbers<const N: usize>(text: &str, between: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut read = [0; N];
    for (value, width) in read.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(stamp(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(Timestamp(951_827_696_789)), "2000-02-29T12:34:56.789Z");
        assert_eq!(stamp(Timestamp(1_795_408_382_125)), "2026-11-23T04:33:02.125Z");
        assert_eq!(stamp(Timestamp(4_107_542_399_999)), "2100-02-28T23:59:59.999Z");
    }

    #[test]
    fn the_examples_of_the_specification_are_read() {
        // XEP-0082 §3.2: both are the same moment.
        assert_eq!(parse("1969-07-21T02:56:15Z"), Some(Timestamp(0)), "before 1970");
        assert_eq!(parse("2002-09-10T23:08:25Z"), Some(Timestamp(1_031_699_305_000)));
        assert_eq!(parse("2002-09-10T18:08:25-05:00"), Some(Timestamp(1_031_699_305_000)));
        assert_eq!(parse("2002-09-11T04:38:25.5+05:30"), Some(Timestamp(1_031_699_305_500)));
        assert_eq!(parse("2002-09-10T23:08:25.123456Z"), Some(Timestamp(1_031_699_305_123)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "T",
            "2002-09-10",
            "2002-09-10T23:08:25",
            "2002-13-10T23:08:25Z",
            "2001-02-29T00:00:00Z",
            "2002-09-10T24:08:25Z",
            "2002-09-10T23:08:25.Z",
            "20020910T23:08:25",
            "2002-09-10T23:08Z",
            "+002-09-10T23:08:25Z",
            "2002-09-10T23:08:25+5:00",
            "2002-09-10T23:08:25é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in 0u64..253_402_300_800_000) {
            proptest::prop_assert_eq!(parse(&stamp(Timestamp(ms))), Some(Timestamp(ms)));
        }
    }
}
