//! Types as written: from text, from tokens and from sqlparser's AST to [`SqlType`].

use crate::cursor::{Cursor, fold};
use crate::error::{Result, SqlError};
use crate::options::closest;
use crate::script::{Script, split};
use crate::sqlstate::SqlState;
use crate::types::SqlType;
use sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, ObjectName, StructField,
    TimezoneInfo,
};
use sqlparser::tokenizer::Token;

/// Names for the hint of an unknown type.
const NAMES: &[&str] = &[
    "bigint",
    "boolean",
    "bytea",
    "char",
    "character varying",
    "date",
    "decimal",
    "double precision",
    "float4",
    "float8",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "interval",
    "json",
    "jsonb",
    "map",
    "numeric",
    "oid",
    "real",
    "smallint",
    "string",
    "struct",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
];

/// Parses a type name as [`SqlType`] displays it, or as declared.
pub fn parse_type(text: &str) -> Result<SqlType> {
    let script = Script::new(text);
    let tokens = split(script.tokens()?)
        .into_iter()
        .next()
        .unwrap_or_default();
    let mut cursor = Cursor::new(&script, tokens);
    let ty = cursor.sql_type()?;
    cursor.expect_end()?;
    Ok(ty)
}

impl Cursor<'_> {
    /// A type: nested ones are read here, the rest by sqlparser.
    pub(crate) fn sql_type(&mut self) -> Result<SqlType> {
        let mut closing = 0;
        let ty = self.nested_type(&mut closing)?;
        if closing == 0 {
            Ok(ty)
        } else {
            Err(self.syntax_error(&[]))
        }
    }

    /// `closing` counts brackets that a `>>` token closed too many: they belong to the outer types.
    fn nested_type(&mut self, closing: &mut usize) -> Result<SqlType> {
        let at = self.here();
        let next = self.peek_at(1).token;
        let ty = if self.peek_word("struct") && matches!(next, Token::Lt | Token::LParen) {
            self.next();
            self.struct_type(closing)?
        } else if self.peek_word("map") && matches!(next, Token::Lt | Token::LParen) {
            self.next();
            let angle = self.open_nested();
            let key = self.nested_type(closing)?;
            self.expect_symbol(&Token::Comma)?;
            let value = self.nested_type(closing)?;
            self.close_nested(angle, closing)?;
            SqlType::Map(Box::new(key), Box::new(value))
        } else if self.peek_word("array") && next == Token::Lt {
            self.next();
            let angle = self.open_nested();
            let element = self.nested_type(closing)?;
            self.close_nested(angle, closing)?;
            SqlType::Array(Box::new(element))
        } else {
            let parsed = self
                .parser
                .parse_data_type()
                .map_err(|e| self.parser_error(e))?;
            SqlType::from_ast(&parsed).map_err(|e| e.at(at))?
        };
        self.array_suffix(ty)
    }

    fn struct_type(&mut self, closing: &mut usize) -> Result<SqlType> {
        let angle = self.open_nested();
        let mut fields: Vec<(String, SqlType)> = Vec::new();
        loop {
            let at = self.here();
            let name = match self.next().token {
                Token::Word(w) if w.quote_style.is_some() => w.value,
                Token::Word(w) => w.value.to_ascii_lowercase(),
                _ => return Err(self.syntax_error(&[]).at(at)),
            };
            if fields.iter().any(|(n, _)| *n == name) {
                let text = format!("field \"{name}\" specified more than once");
                return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, text).at(at));
            }
            self.symbol(&Token::Colon);
            let ty = self.nested_type(closing)?;
            fields.push((name, ty));
            if *closing > 0 || !self.symbol(&Token::Comma) {
                break;
            }
        }
        self.close_nested(angle, closing)?;
        Ok(SqlType::Struct(fields))
    }

    /// Takes `<` or `(`; says whether it was `<`.
    fn open_nested(&mut self) -> bool {
        self.next().token == Token::Lt
    }

    fn close_nested(&mut self, angle: bool, closing: &mut usize) -> Result<()> {
        if !angle {
            return self.expect_symbol(&Token::RParen);
        }
        if *closing > 0 {
            *closing -= 1;
            return Ok(());
        }
        // `>>` and `>>>` are one operator to the tokenizer.
        let more = match self.peek().token {
            Token::ShiftRight => 1,
            Token::CustomBinaryOperator(op) if op.chars().all(|c| c == '>') => op.len() - 1,
            _ => 0,
        };
        if more > 0 {
            self.next();
            *closing += more;
            return Ok(());
        }
        self.expect_symbol(&Token::Gt)
    }

    /// `[]`, `[3]`, `ARRAY` after a type.
    fn array_suffix(&mut self, mut ty: SqlType) -> Result<SqlType> {
        loop {
            if self.word("array") {
                ty = SqlType::Array(Box::new(ty));
            } else if self.symbol(&Token::LBracket) {
                if !self.peek_symbol(&Token::RBracket) {
                    self.integer()?;
                }
                self.expect_symbol(&Token::RBracket)?;
                ty = SqlType::Array(Box::new(ty));
            } else {
                return Ok(ty);
            }
        }
    }
}

impl SqlType {
    /// The type that sqlparser read; unknown names are 42704, types we lack 0A000.
    pub fn from_ast(ty: &DataType) -> Result<SqlType> {
        Ok(match ty {
            DataType::Bool | DataType::Boolean => SqlType::Bool,
            DataType::SmallInt(_) | DataType::Int2(_) | DataType::TinyInt(_) => SqlType::Int2,
            DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => SqlType::Int4,
            DataType::BigInt(_) | DataType::Int8(_) => SqlType::Int8,
            DataType::Real | DataType::Float4 => SqlType::Float4,
            DataType::Float(info) => float(info)?,
            DataType::Float8 | DataType::DoublePrecision | DataType::Double(_) => SqlType::Float8,
            DataType::Numeric(i) | DataType::Decimal(i) | DataType::Dec(i) => numeric(i)?,
            DataType::Text | DataType::String(_) => SqlType::Text,
            DataType::Varchar(n) | DataType::CharacterVarying(n) | DataType::CharVarying(n) => {
                SqlType::Varchar(n.as_ref().map(length).transpose()?)
            }
            DataType::Char(n) | DataType::Character(n) => {
                SqlType::Char(n.as_ref().map(length).transpose()?.unwrap_or(1))
            }
            DataType::Bytea => SqlType::Bytea,
            DataType::Date => SqlType::Date,
            DataType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => SqlType::Time,
            DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
            | DataType::Datetime(_) => SqlType::Timestamp,
            DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
                SqlType::Timestamptz
            }
            DataType::Interval { .. } => SqlType::Interval,
            DataType::Uuid => SqlType::Uuid,
            DataType::JSON => SqlType::Json,
            DataType::JSONB => SqlType::Jsonb,
            DataType::Regclass => SqlType::Oid,
            DataType::Array(
                ArrayElemTypeDef::SquareBracket(element, _)
                | ArrayElemTypeDef::AngleBracket(element)
                | ArrayElemTypeDef::Parenthesis(element),
            ) => SqlType::Array(Box::new(SqlType::from_ast(element)?)),
            DataType::Map(key, value) => SqlType::Map(
                Box::new(SqlType::from_ast(key)?),
                Box::new(SqlType::from_ast(value)?),
            ),
            DataType::Struct(fields, _) => SqlType::Struct(struct_fields(fields)?),
            DataType::Custom(name, modifiers) => custom(name, modifiers)?,
            other => return Err(lacking(&other.to_string())),
        })
    }
}

fn lacking(name: &str) -> SqlError {
    let text = format!("type {} is not supported", name.to_lowercase());
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
}

fn struct_fields(fields: &[StructField]) -> Result<Vec<(String, SqlType)>> {
    fields
        .iter()
        .enumerate()
        .map(|(i, f)| {
            let name = f.field_name.as_ref().map_or_else(|| format!("c{i}"), fold);
            Ok((name, SqlType::from_ast(&f.field_type)?))
        })
        .collect()
}

/// `float(p)`: as in PostgreSQL, up to 24 bits are a float4.
fn float(info: &ExactNumberInfo) -> Result<SqlType> {
    match info {
        ExactNumberInfo::None => Ok(SqlType::Float8),
        ExactNumberInfo::Precision(1..=24) => Ok(SqlType::Float4),
        ExactNumberInfo::Precision(25..=53) => Ok(SqlType::Float8),
        _ => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "precision for type float must be between 1 and 53 bits",
        )),
    }
}

fn numeric(info: &ExactNumberInfo) -> Result<SqlType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(SqlType::Numeric(None)),
        ExactNumberInfo::Precision(p) => (*p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (*p, *s),
    };
    let invalid = |text: String| SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text);
    if !(1..=1000).contains(&precision) {
        let text = format!("NUMERIC precision {precision} must be between 1 and 1000");
        return Err(invalid(text));
    }
    if precision > 38 {
        let text = format!("numeric precision {precision} is not supported");
        return Err(
            SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text).hint("Up to 38 digits are kept.")
        );
    }
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p), Ok(s)) if s >= 0 && u64::from(p) >= s.unsigned_abs().into() => {
            Ok(SqlType::Numeric(Some((p, s))))
        }
        _ => Err(invalid(format!(
            "NUMERIC scale {scale} must be between 0 and precision {precision}"
        ))),
    }
}

fn length(n: &CharacterLength) -> Result<u32> {
    let invalid = |text: &str| SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text);
    match n {
        CharacterLength::IntegerLength { length: 0, .. } => {
            Err(invalid("length for type varchar must be at least 1"))
        }
        CharacterLength::IntegerLength { length, .. } if *length <= 10_485_760 => {
            // The pattern bounds it far below u32::MAX.
            u32::try_from(*length).map_err(|_| invalid("length for type varchar is too large"))
        }
        _ => Err(invalid("length for type varchar cannot exceed 10485760")),
    }
}

/// Names that sqlparser does not know as types, and any name behind `pg_catalog.`
fn custom(name: &ObjectName, modifiers: &[String]) -> Result<SqlType> {
    let mut parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|p| p.as_ident())
        .map(fold)
        .collect();
    if parts.len() == 2 && parts[0] == "pg_catalog" {
        parts.remove(0);
        if parts[0] != "char" {
            let modifiers = if modifiers.is_empty() {
                String::new()
            } else {
                format!("({})", modifiers.join(","))
            };
            return parse_type(&format!("{}{modifiers}", parts[0]));
        }
    }
    let text = parts.join(".");
    match text.as_str() {
        "name" => Ok(SqlType::Name),
        "oid" | "regclass" | "regtype" | "regproc" | "regprocedure" | "regnamespace"
        | "regrole" | "xid" | "cid" => Ok(SqlType::Oid),
        "bpchar" | "\"char\"" | "char" | "string" | "cstring" | "citext" => Ok(SqlType::Text),
        "timestamptz" => Ok(SqlType::Timestamptz),
        "int2vector" => Ok(SqlType::Array(Box::new(SqlType::Int2))),
        "oidvector" => Ok(SqlType::Array(Box::new(SqlType::Oid))),
        _ => {
            let error = SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("type \"{text}\" does not exist"),
            );
            Err(match closest(&text, NAMES.iter().copied()) {
                Some(known) => error.hint(format!("Did you mean \"{known}\"?")),
                None => error,
            })
        }
    }
}
