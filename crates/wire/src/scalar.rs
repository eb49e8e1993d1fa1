//! Numbers, instants and bytes as text, the same in every protocol.

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::Value;
use crate::schema::{Schema, TimestampFormat};

const SHOWN_BASE64: usize = 256;

/// A number too large for 32 bits becomes the largest: its bounds will refuse it.
pub fn clamp_integer(number: i64) -> i64 {
    number.clamp(i32::MIN.into(), i32::MAX.into())
}

pub fn epoch_seconds(seconds: f64) -> Value {
    Value::Time(Timestamp::from_seconds_f64(seconds))
}

/// What AWS says of a scalar that is of another type.
pub fn mismatch(token: &str, schema: Schema) -> String {
    let target = match schema {
        Schema::Integer(_) => "an Integer",
        Schema::Long(_) => "a Long",
        Schema::Float(_) => "a Double",
        Schema::Boolean => "a Boolean",
        Schema::Blob(_) => "a Blob",
        Schema::Timestamp(_) => "milliseconds since epoch",
        _ => "a String",
    };
    format!("{token} can not be converted to {target}")
}

/// Bytes, or why the text is none, as AWS says it.
pub fn base64(text: &str) -> Result<Value, String> {
    // A message that repeats megabytes helps nobody.
    let shown = &text[..text.floor_char_boundary(SHOWN_BASE64)];
    match STANDARD.decode(text) {
        Ok(bytes) => Ok(Value::Blob(Bytes::from(bytes))),
        Err(_) if !text.len().is_multiple_of(4) => Err(format!(
            "'{shown}' can not be converted to a Blob: Base64 encoded length is expected a \
             multiple of 4 bytes but found: {}",
            text.len()
        )),
        Err(base64::DecodeError::InvalidByte(_, byte)) => Err(format!(
            "'{shown}' can not be converted to a Blob: Invalid Base64 character: '{}'",
            char::from(byte)
        )),
        Err(_) => Err(format!(
            "'{shown}' can not be converted to a Blob: Invalid last non-pad Base64 character \
             dectected"
        )),
    }
}

pub fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The floats JSON has no number for.
pub fn special_float(text: &str) -> Option<Value> {
    let number = match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    };
    Some(Value::Float(number))
}

pub fn timestamp(text: &str, format: TimestampFormat) -> Option<Value> {
    let at = match format {
        TimestampFormat::EpochSeconds => Timestamp::from_seconds_f64(text.parse().ok()?),
        TimestampFormat::Iso8601 => Timestamp::parse_iso8601(text)?,
        TimestampFormat::HttpDate => Timestamp::parse_http_date(text)?,
    };
    Some(Value::Time(at))
}

/// A scalar out of a parameter, header or label; `None` if the text is not of that type. Instants
/// that the model gives no format for are in `format`.
pub fn parse(schema: Schema, text: &str, format: TimestampFormat) -> Option<Value> {
    match schema {
        Schema::String(_) => Some(Value::Str(text.to_owned())),
        Schema::Integer(_) => text.parse().ok().map(|n| Value::Int(clamp_integer(n))),
        Schema::Long(_) => text.parse().ok().map(Value::Int),
        Schema::Float(_) => special_float(text).or_else(|| text.parse().ok().map(Value::Float)),
        Schema::Boolean if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        Schema::Boolean if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        Schema::Blob(_) => base64(text).ok(),
        Schema::Timestamp(own) => timestamp(text, own.unwrap_or(format)),
        _ => None,
    }
}

/// A scalar as a header, parameter or element; `None` if the value is not one.
pub fn format(schema: Schema, value: &Value, format: TimestampFormat) -> Option<String> {
    Some(match (value, schema) {
        (Value::Str(text), _) => text.clone(),
        (Value::Bool(truth), _) => truth.to_string(),
        (Value::Int(number), _) => number.to_string(),
        (Value::Float(number), _) => format_float(*number),
        (Value::Blob(bytes), _) => encode_base64(bytes),
        (Value::Time(at), Schema::Timestamp(own)) => format_time(*at, own.unwrap_or(format)),
        (Value::Time(at), _) => format_time(*at, format),
        _ => return None,
    })
}

/// Whole numbers keep one decimal, as Java writes them.
pub fn format_float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned()
    } else {
        format!("{number:?}")
    }
}

pub fn format_time(at: Timestamp, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::EpochSeconds => format_epoch(at),
        TimestampFormat::Iso8601 => at.iso8601_seconds(),
        TimestampFormat::HttpDate => at.http_date(),
    }
}

/// Seconds with as many decimals as the milliseconds need.
pub fn format_epoch(at: Timestamp) -> String {
    let (seconds, millis) = (at.seconds(), at.millis().rem_euclid(1000));
    if millis == 0 {
        return seconds.to_string();
    }
    // Before 1970 the fraction counts back from the second above.
    if at.millis() < 0 {
        let magnitude = at.millis().unsigned_abs();
        let text = format!("-{}.{:03}", magnitude / 1000, magnitude % 1000);
        return text.trim_end_matches('0').to_owned();
    }
    format!("{seconds}.{millis:03}")
        .trim_end_matches('0')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Bounds;

    #[test]
    fn epochs_keep_their_milliseconds() {
        for (millis, expected) in [
            (1_795_466_144_123, "1795466144.123"),
            (1_795_466_144_120, "1795466144.12"),
            (1_795_466_144_000, "1795466144"),
            (0, "0"),
            (-1, "-0.001"),
            (-1_500, "-1.5"),
            (-2_000, "-2"),
        ] {
            assert_eq!(format_epoch(Timestamp::from_millis(millis)), expected);
        }
    }

    #[test]
    fn bad_base64_is_explained() {
        let why = |text: &str| base64(text).unwrap_err();
        assert!(why("23456").ends_with("expected a multiple of 4 bytes but found: 5"));
        assert!(why("=+/=").ends_with("Invalid Base64 character: '='"));
        assert!(why("+/+=").ends_with("Invalid last non-pad Base64 character dectected"));
    }

    #[test]
    fn scalars_out_of_text() {
        let format = TimestampFormat::Iso8601;
        let integer = Schema::Integer(&Bounds::NONE);
        assert_eq!(parse(integer, "12", format), Some(Value::Int(12)));
        assert_eq!(
            parse(integer, "99999999999", format),
            Some(Value::Int(i32::MAX.into()))
        );
        assert_eq!(parse(integer, "1x", format), None);
        assert_eq!(
            parse(Schema::Boolean, "True", format),
            Some(Value::Bool(true))
        );
        let at = Some(Value::Time(Timestamp::from_millis(1_795_466_144_000)));
        assert_eq!(
            parse(Schema::Timestamp(None), "2026-11-23T20:35:44Z", format),
            at
        );
    }

    #[test]
    fn floats_as_java_writes_them() {
        assert_eq!(format_float(1.0), "1.0");
        assert_eq!(format_float(0.25), "0.25");
        assert_eq!(format_float(f64::NEG_INFINITY), "-Infinity");
    }
}
