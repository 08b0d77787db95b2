"""What a psycopg 3 program does: values of every type in text and binary, parameters, pipelines, errors.

    psycopg_session.py CONNINFO

Prints what it got, line by line; the output against Alcedo must be that against PostgreSQL.
"""

import datetime
import decimal
import logging
import sys
import uuid

import psycopg
from psycopg.types.json import Json, Jsonb

UTC = datetime.timezone.utc
# A pipeline that is left after an error may be warned of, or not: it depends on what has arrived by then.
logging.getLogger("psycopg").setLevel(logging.ERROR)

VALUES = """
    true | false | null::boolean
    1::smallint | (-32768)::smallint | 2147483647 | 9223372036854775807 | (-9223372036854775808)::bigint
    1.5::real | 0.1::real | 1e100::float8 | 0.1::float8 | 'NaN'::float8 | '-Infinity'::float8
    0::numeric(10,2) | 12.50::numeric(10,2) | (-0.001)::numeric(10,3) | 12345678901234567890.123456::numeric(30,6)
    100000000::numeric(12,0) | 10000.0001::numeric(12,4) | 1.5 | 42::numeric
    'text' | '' | 'it''s "quoted" \\ and äöü €' | 'abc'::varchar(10) | null::text
    '\\x00ff10'::bytea | ''::bytea
    date '2024-02-29' | date '1969-12-31' | date '0001-01-01' | date '9999-12-31'
    time '12:34:56.789' | time '00:00:00' | time '23:59:59.999999'
    timestamp '2024-02-29 12:34:56.123456' | timestamp '1900-01-01 00:00:00' | timestamp '1999-12-31 23:59:59.999999'
    timestamptz '2024-02-29 12:34:56+02' | timestamptz '1950-06-01 00:00:00.5-08'
    interval '1 day' | interval '1 day 02:03:04.5' | interval '-3 days' | interval '00:00:00'
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid
    '{"a": [1, 2, {"b": null}], "c": "x"}'::json | '[1, 2.5, "x", true]'::jsonb
    '{1,2,NULL,4}'::int[] | '{}'::int[] | array[1.5, 2.5]::float8[] | array[true, false] | array[1, 2]::bigint[]
    array['a', 'b c', 'd"e', 'f\\g', '', 'NULL', null]::text[]
    array[1.10, 2.20]::numeric(10,2)[] | array[date '2024-01-01', null] | array[timestamp '2024-01-01 10:00:00']
    array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']::uuid[]
"""

PARAMETERS = [
    ("boolean", True),
    ("boolean", None),
    ("smallint", 7),
    ("integer", -2147483648),
    ("bigint", 9223372036854775807),
    ("real", 1.5),
    ("float8", 0.1),
    ("float8", float("inf")),
    ("numeric(20,5)", decimal.Decimal("-12345.67891")),
    ("numeric(20,5)", decimal.Decimal("1E+3")),
    ("numeric(38,10)", decimal.Decimal("12345678901234567890.0123456789")),
    ("text", "it's \\ äöü €"),
    ("varchar", ""),
    ("bytea", b"\x00\xff\\'x"),
    ("date", datetime.date(2024, 2, 29)),
    ("time", datetime.time(12, 34, 56, 789)),
    ("timestamp", datetime.datetime(2024, 2, 29, 12, 34, 56, 123456)),
    ("timestamptz", datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=datetime.timezone(datetime.timedelta(hours=5)))),
    ("interval", datetime.timedelta(days=-2, hours=3, microseconds=5)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("json", Json({"a": [1, None, "x"]})),
    ("jsonb", Jsonb([1, 2.5, {"b": True}])),
    ("integer[]", [1, None, 3]),
    ("text[]", ["a", 'b"c', "d,e", "", None, "NULL"]),
    ("float8[]", [1.5, 2.5]),
    ("date[]", [datetime.date(2024, 1, 1)]),
]

ERRORS = [
    "select nope",
    "select 1 from nosuch_table",
    "selct 1",
    "select 1 +",
    "select 1 / 0",
    "select 2147483647 + 1",
    "select 'x'::int",
    "create table psycopg.t (id int)",
    "drop table psycopg.nosuch",
]


def show(name, get):
    try:
        value = get()
        print(name, type(value).__name__, repr(value))
    except psycopg.Error as e:
        print(name, e)


def values(conn):
    for line in VALUES.strip().splitlines():
        for binary in (False, True):
            for value in line.strip().split(" | "):
                show(value, lambda: conn.execute(f"select {value} as v", binary=binary).fetchone()[0])


def parameters(conn):
    for name, value in PARAMETERS:
        for mark in ("%t", "%b"):
            for binary in (False, True):
                show(f"{mark} {name}", lambda: conn.execute(f"select {mark}::{name} as v", [value], binary=binary).fetchone()[0])


def table(conn):
    conn.execute(
        "create table psycopg.t (id bigint not null, name text, price numeric(10,2), day date, at timestamptz, ok boolean, tags text[])"
    )
    rows = [
        (i, f"name {i}", decimal.Decimal(i) / 4, datetime.date(2024, 1, 1 + i), datetime.datetime(2024, 1, 1, i, tzinfo=UTC), i % 2 == 0, [str(i)])
        for i in range(10)
    ]
    with conn.cursor() as cursor:
        cursor.executemany("insert into psycopg.t values (%s, %s, %s, %s, %s, %s, %s)", rows)
        print("inserted", cursor.rowcount)
        cursor.execute("select * from psycopg.t where id >= %s and ok = %b order by id", [3, True], binary=True)
        print([(c.name, c.type_code, c.precision, c.scale) for c in cursor.description])
        print(cursor.fetchall())
        cursor.execute("update psycopg.t set price = price + %s where id < %s", [decimal.Decimal("0.5"), 3])
        print(cursor.statusmessage)
        cursor.execute("delete from psycopg.t where name = any(%s)", [["name 8", "name 9"]])
        print(cursor.statusmessage)
        cursor.execute("select count(*), sum(price) from psycopg.t")
        print(cursor.fetchall())
        cursor.execute("")
        print(cursor.statusmessage)
    with conn.cursor() as cursor:
        for row in cursor.stream("select id, name from psycopg.t order by id"):
            print(row)


def prepared(conn):
    conn.prepare_threshold = 0
    for i in range(3):
        print(conn.execute("select %s::int + 1", [i]).fetchone())
    conn.execute("deallocate all")
    conn.execute("discard all")
    print(conn.execute("select %s::int + 1", [9]).fetchone())
    conn.prepare_threshold = 5


def pipeline(conn):
    with conn.pipeline():
        cursors = [conn.execute("select %s::int, %s::text", [i, str(i)]) for i in range(20)]
    print([cursor.fetchone() for cursor in cursors])
    try:
        with conn.pipeline():
            good = conn.execute("select 1")
            conn.execute("select 1 / %s::int", [0])
            conn.execute("select 2")
    except psycopg.Error as e:
        print(type(e).__name__, e.sqlstate)
    print(good.fetchone(), conn.info.transaction_status.name)
    print(conn.execute("select 3").fetchone())


def errors(conn):
    for sql in ERRORS:
        try:
            conn.execute(sql)
            print(sql, "succeeded")
        except psycopg.Error as e:
            d = e.diag
            # Where a value is wrong, only PostgreSQL says the place.
            place = d.statement_position if d.sqlstate.startswith("42") else None
            print(sql, type(e).__name__, d.severity, d.sqlstate, d.message_primary, place)
    print(conn.info.transaction_status.name)


def blocks(conn):
    conn.autocommit = False
    conn.execute("select 1")
    print(conn.info.transaction_status.name)
    for sql in ("select 1 / 0", "select 1"):
        try:
            conn.execute(sql)
        except psycopg.Error as e:
            print(type(e).__name__, e.sqlstate, conn.info.transaction_status.name)
    conn.rollback()
    print(conn.info.transaction_status.name)
    with conn.transaction():
        conn.execute("select 1")
        try:
            with conn.transaction():
                conn.execute("select 1 / 0")
        except psycopg.Error as e:
            print(type(e).__name__, conn.info.transaction_status.name)
        print(conn.execute("select 2").fetchone())
    conn.commit()
    conn.autocommit = True
    print(conn.info.transaction_status.name)


def settings(conn):
    info = conn.info
    print(info.encoding, info.parameter_status("TimeZone"), info.parameter_status("standard_conforming_strings"))
    conn.execute("set time zone 'Europe/Berlin'")
    print(info.parameter_status("TimeZone"), conn.execute("select timestamptz '2024-07-01 00:00:00+00'").fetchone())
    print(conn.execute("select timestamptz '2024-07-01 00:00:00+00'", binary=True).fetchone())
    conn.execute("set application_name = 'from psycopg'")
    print(info.parameter_status("application_name"), conn.execute("show application_name").fetchone())
    conn.execute("reset all")
    print(info.parameter_status("TimeZone"))
    conn.add_notice_handler(lambda d: print(d.severity, d.sqlstate, d.message_primary))
    conn.execute("commit")
    conn.execute("drop table if exists psycopg.nosuch")


def main():
    with psycopg.connect(sys.argv[1], autocommit=True) as conn:
        conn.execute("set client_min_messages = warning")
        conn.execute("drop schema if exists psycopg cascade")
        conn.execute("reset client_min_messages")
        conn.execute("create schema psycopg")
        conn.execute("set time zone 'UTC'")
        for part in (values, parameters, table, prepared, pipeline, errors, blocks, settings):
            print(f"-- {part.__name__}")
            try:
                part(conn)
            except Exception as e:
                print("ended:", type(e).__name__, e)
                conn.rollback()
                conn.autocommit = True
        conn.execute("set client_min_messages = warning")
        conn.execute("drop schema psycopg cascade")


main()
