"""What an asyncpg program does: binary values, prepared statements, cursors, pools, errors.

    asyncpg_session.py HOST PORT USER DATABASE

Prints what it got, line by line; the output against Alcedo must be that against PostgreSQL.
"""

import asyncio
import datetime
import decimal
import sys
import uuid

import asyncpg

UTC = datetime.timezone.utc

VALUES = [
    ("boolean", True),
    ("smallint", -5),
    ("integer", 2147483647),
    ("bigint", -9223372036854775808),
    ("real", 1.25),
    ("double precision", 0.1),
    ("numeric(20,5)", decimal.Decimal("-12345.67891")),
    ("numeric(12,2)", decimal.Decimal("0.00")),
    ("text", "it's äöü €"),
    ("varchar", "v"),
    ("bytea", b"\x00\xff"),
    ("date", datetime.date(2024, 2, 29)),
    ("time", datetime.time(12, 34, 56, 789)),
    ("timestamp", datetime.datetime(2024, 2, 29, 12, 34, 56, 123456)),
    ("timestamptz", datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=UTC)),
    ("interval", datetime.timedelta(days=3, hours=4, microseconds=5)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("json", '{"a": [1, null]}'),
    ("jsonb", '{"a": [1, null]}'),
    ("integer[]", [1, None, 3]),
    ("text[]", ["a", 'b"c', None]),
    ("numeric[]", [decimal.Decimal("1.5"), decimal.Decimal("-2.25")]),
    ("timestamptz[]", [datetime.datetime(2024, 2, 29, tzinfo=UTC)]),
    ("uuid[]", [uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
]


async def values(conn):
    for name, value in VALUES:
        try:
            got = await conn.fetchrow(f"select $1::{name} as v, null::{name} as n", value)
            print(name, repr(got["v"]), got["n"])
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as e:
            print(name, type(e).__name__, e)


async def table(conn):
    await conn.execute("create table asyncpg.t (id int not null, name text, price numeric(10,2), at timestamptz, tags text[])")
    at = datetime.datetime(2024, 1, 1, tzinfo=UTC)
    await conn.executemany(
        "insert into asyncpg.t values ($1, $2, $3, $4, $5)",
        [(i, f"name {i}", decimal.Decimal(i) / 4, at + datetime.timedelta(hours=i), ["x", str(i)]) for i in range(10)],
    )
    print(await conn.execute("update asyncpg.t set price = price * 2 where id > 5"))
    print(await conn.execute("delete from asyncpg.t where id = $1", 9))
    statement = await conn.prepare("select id, name, price, at, tags from asyncpg.t where id >= $1 and name like $2 order by id")
    print([(p.oid, p.name) for p in statement.get_parameters()])
    print([(a.name, a.type.oid, a.type.name) for a in statement.get_attributes()])
    for least in (7, 8):
        print([tuple(r) for r in await statement.fetch(least, "name%")])
    print(statement.get_statusmsg())
    async with conn.transaction():
        got = [r["id"] async for r in conn.cursor("select id from asyncpg.t order by id", prefetch=3)]
        print(got)
        cursor = await conn.cursor("select s from generate_series(1, 100) g(s) order by s")
        print(await cursor.fetchrow(), len(await cursor.fetch(50)), len(await cursor.fetch(100)), await cursor.fetch(10))


async def errors(conn):
    for sql, *args in [
        ("select nope",),
        ("select 1 from nosuch_table",),
        ("select 1 / $1::int", 0),
        ("select $1::int", "x"),
        ("insert into asyncpg.t values ($1)", None),
    ]:
        try:
            await conn.fetch(sql, *args)
            print(sql, "succeeded")
        except asyncpg.PostgresError as e:
            print(sql, type(e).__name__, e.sqlstate, e.message, e.position)
        except asyncpg.DataError as e:
            print(sql, "DataError", e)
    try:
        async with conn.transaction():
            await conn.fetch("select 1 / 0")
    except asyncpg.DivisionByZeroError as e:
        print(e, conn.is_in_transaction())
    try:
        long = "select count(*) from generate_series(1, 200000) a(x), generate_series(1, 200000) b(y) where (x + y) % 7 = 3"
        await conn.fetch(long, timeout=0.5)
    except asyncio.TimeoutError:
        print("timed out", await conn.fetchval("select 1"))


async def pool(options):
    async with asyncpg.create_pool(**options, min_size=2, max_size=3) as pool:
        for _ in range(3):
            async with pool.acquire() as conn:
                await conn.execute("set application_name = 'changed'")
                await conn.fetchval("select 1")
            async with pool.acquire() as conn:
                print(await conn.fetchval("show application_name"))
        print(await asyncio.gather(*(pool.fetchval("select $1::int * 2", i) for i in range(20))))


async def main():
    host, port, user, database = sys.argv[1:]
    options = {"host": host, "port": int(port), "user": user, "database": database, "ssl": False}
    conn = await asyncpg.connect(**options)
    await conn.execute("set client_min_messages = warning")
    await conn.execute("drop schema if exists asyncpg cascade; create schema asyncpg")
    await conn.reset()
    for part in (values, table, errors):
        print(f"-- {part.__name__}")
        try:
            await part(conn)
        except Exception as e:
            print("ended:", type(e).__name__, e)
    print("-- pool")
    await pool(options)
    await conn.execute("set client_min_messages = warning")
    await conn.execute("drop schema asyncpg cascade")
    await conn.close()


asyncio.run(main())
