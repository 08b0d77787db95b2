// What a JDBC program does: metadata, values of every type, prepared statements, fetch sizes, batches, errors.
//
//   java -cp postgresql.jar Jdbc.java JDBC-URL
//
// Prints what it got, line by line; the output against Alcedo must be that against PostgreSQL.

import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;

public class Jdbc {
    static Connection connection;

    public static void main(String[] arguments) throws Exception {
        for (String mode : List.of("extended", "simple", "extendedForPrepared")) {
            Properties properties = new Properties();
            properties.setProperty("user", "alcedo");
            properties.setProperty("preferQueryMode", mode);
            properties.setProperty("prepareThreshold", mode.equals("extended") ? "1" : "5");
            System.out.println("== " + mode);
            connection = DriverManager.getConnection(arguments[0], properties);
            run("set client_min_messages = warning");
            run("drop schema if exists jdbc cascade");
            run("create schema jdbc");
            part("values", Jdbc::values);
            part("parameters", Jdbc::parameters);
            part("metadata", Jdbc::metadata);
            if (!mode.equals("simple")) {
                part("fetch size", Jdbc::fetchSize);
            }
            part("batches", Jdbc::batches);
            part("transactions", Jdbc::transactions);
            part("errors", Jdbc::errors);
            part("settings", Jdbc::settings);
            run("drop schema jdbc cascade");
            connection.close();
        }
    }

    interface Part {
        void run() throws SQLException;
    }

    static void part(String name, Part part) throws SQLException {
        System.out.println("-- " + name);
        try {
            part.run();
        } catch (SQLException e) {
            System.out.println(name + " ended: " + e.getSQLState() + " " + e.getMessage());
            if (!connection.getAutoCommit()) {
                connection.rollback();
                connection.setAutoCommit(true);
            }
        }
    }

    static void run(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static String text(Object value) throws SQLException {
        if (value instanceof java.sql.Array array) {
            return array.getBaseTypeName() + Arrays.deepToString((Object[]) array.getArray());
        }
        if (value instanceof byte[] bytes) {
            return "bytes" + Arrays.toString(bytes);
        }
        return value == null ? "null" : value.getClass().getSimpleName() + " " + value;
    }

    static void print(String sql, ResultSet rows) throws SQLException {
        ResultSetMetaData columns = rows.getMetaData();
        StringBuilder line = new StringBuilder(sql).append(':');
        for (int i = 1; i <= columns.getColumnCount(); i++) {
            line.append(' ').append(columns.getColumnLabel(i)).append(' ').append(columns.getColumnTypeName(i));
            line.append('(').append(columns.getPrecision(i)).append(',').append(columns.getScale(i)).append(')');
        }
        System.out.println(line);
        while (rows.next()) {
            line = new StringBuilder("  ");
            for (int i = 1; i <= columns.getColumnCount(); i++) {
                line.append(i > 1 ? " | " : "").append(text(rows.getObject(i)));
            }
            System.out.println(line);
        }
    }

    static void query(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            for (int round = 0; round < 2; round++) {
                try (ResultSet rows = statement.executeQuery()) {
                    print(sql, rows);
                }
            }
        } catch (SQLException e) {
            System.out.println(sql + ": " + e.getSQLState() + " " + e.getMessage());
        }
    }

    static void values() throws SQLException {
        query("select true as a, false as b, null::boolean as c");
        query("select 1::smallint as a, 2147483647 as b, (-9223372036854775808)::bigint as c");
        query("select 1.5::real as a, 0.1::float8 as b, 'NaN'::float8 as c");
        query("select 12.50::numeric(10,2) as a, (-0.001)::numeric(10,3) as b, 12345678901234567890.5::numeric(30,1) as c");
        query("select 'text' as a, ''::varchar(10) as b, 'äöü €' as c");
        query("select date '2024-02-29' as a, time '12:34:56' as b, timestamp '2024-02-29 12:34:56.123456' as c");
        query("select timestamptz '2024-02-29 12:34:56+00' as a");
        query("select 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as a, '{\"a\": 1}'::json as b");
        query("select '{1,2,NULL}'::int[] as a, array['a', 'b \"c'] as b, array[1.5]::float8[] as c");
        query("select '1 day 02:03:04'::interval as a");
        query("select '\\x00ff'::bytea as a");
    }

    static void parameters() throws SQLException {
        run("create table jdbc.p (b boolean, s smallint, i int, l bigint, f real, d float8, n numeric(10,2), t text,"
            + " day date, at time, ts timestamp, tz timestamptz, u uuid, y bytea, a int[])");
        String insert = "insert into jdbc.p values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            for (int round = 0; round < 2; round++) {
                statement.setBoolean(1, true);
                statement.setShort(2, (short) -7);
                statement.setInt(3, 42);
                statement.setLong(4, Long.MAX_VALUE);
                statement.setFloat(5, 1.25f);
                statement.setDouble(6, 0.1);
                statement.setBigDecimal(7, new BigDecimal("-12.34"));
                statement.setString(8, "it's \\ äöü");
                statement.setObject(9, LocalDate.of(2024, 2, 29));
                statement.setObject(10, LocalTime.of(12, 34, 56));
                statement.setObject(11, LocalDateTime.of(2024, 2, 29, 12, 34, 56, 123456000));
                statement.setObject(12, OffsetDateTime.of(2024, 2, 29, 12, 34, 56, 0, ZoneOffset.ofHours(2)));
                statement.setObject(13, UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"));
                statement.setBytes(14, new byte[] {0, -1, 92, 39});
                statement.setArray(15, connection.createArrayOf("int4", new Object[] {1, null, 3}));
                System.out.println("inserted " + statement.executeUpdate());
            }
            for (int i = 1; i <= 15; i++) {
                statement.setNull(i, Types.NULL);
            }
            System.out.println("inserted " + statement.executeUpdate());
        }
        query("select * from jdbc.p where t = ? or t is null order by i", "it's \\ äöü");
        query("select count(*) as n from jdbc.p where i > ? and n < ? and day = ?", 41, new BigDecimal("0.5"), LocalDate.of(2024, 2, 29));
        query("select i + ? as sum, ?::text as t, coalesce(?::text, 'none') as c from jdbc.p where i is not null", 1, "x", "y");
        query("select i from jdbc.p where i = any(?)", connection.createArrayOf("int4", new Object[] {42, 43}));
        query("select 1 as one limit ?", 1);
    }

    static void rows(String what, ResultSet rows, String... columns) throws SQLException {
        while (rows.next()) {
            StringBuilder line = new StringBuilder(what);
            for (String column : columns) {
                line.append(" | ").append(rows.getString(column));
            }
            System.out.println(line);
        }
        rows.close();
    }

    static void metadata() throws SQLException {
        run("create table jdbc.t (id bigint not null, name varchar(20), price numeric(12,2) default 0, tags text[], at timestamptz, u uuid)");
        run("create view jdbc.v as select id, name from jdbc.t");
        DatabaseMetaData data = connection.getMetaData();
        System.out.println(data.getDatabaseProductName() + " " + data.getDatabaseMajorVersion());
        ResultSet schemas = data.getSchemas();
        List<String> found = new ArrayList<>();
        while (schemas.next()) {
            found.add(schemas.getString("TABLE_SCHEM"));
        }
        for (String schema : List.of("information_schema", "jdbc", "pg_catalog", "public")) {
            System.out.println(schema + " " + found.contains(schema));
        }
        rows("schema", data.getSchemas(null, "jdb%"), "TABLE_SCHEM");
        rows("table", data.getTables(null, "jdbc", "%", null), "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS");
        rows("table", data.getTables(null, "jdbc", "t", new String[] {"TABLE"}), "TABLE_NAME", "TABLE_TYPE");
        rows("view", data.getTables(null, "jdbc", null, new String[] {"VIEW"}), "TABLE_NAME", "TABLE_TYPE");
        rows("column", data.getColumns(null, "jdbc", "t", null), "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME",
            "COLUMN_SIZE", "DECIMAL_DIGITS", "NULLABLE", "COLUMN_DEF", "ORDINAL_POSITION", "IS_NULLABLE");
        rows("column", data.getColumns(null, "jdbc", "v", "%"), "TABLE_NAME", "COLUMN_NAME", "TYPE_NAME", "ORDINAL_POSITION");
    }

    static void fetchSize() throws SQLException {
        run("create table jdbc.many as select x, 'row ' || x as name from generate_series(1, 5000) g(x)");
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            for (int size : new int[] {1, 7, 1000, 5000, 6000}) {
                statement.setFetchSize(size);
                long sum = 0;
                int count = 0;
                try (ResultSet rows = statement.executeQuery("select x, name from jdbc.many where x <= 100 or " + size + " > 1 order by x")) {
                    while (rows.next()) {
                        sum += rows.getLong(1) + rows.getString(2).length();
                        count++;
                    }
                }
                System.out.println("fetch size " + size + ": " + count + " rows, " + sum);
            }
            // Two results at a time, in turn, and one that is given up half way.
            statement.setFetchSize(10);
            try (Statement other = connection.createStatement()) {
                other.setFetchSize(10);
                ResultSet a = statement.executeQuery("select x from jdbc.many order by x");
                ResultSet b = other.executeQuery("select x from jdbc.many order by x desc");
                long sum = 0;
                for (int i = 0; i < 100 && a.next() && b.next(); i++) {
                    sum += a.getLong(1) * b.getLong(1);
                }
                System.out.println("in turn " + sum);
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void batches() throws SQLException {
        run("create table jdbc.b (id int, name text)");
        try (PreparedStatement statement = connection.prepareStatement("insert into jdbc.b values (?, ?)")) {
            for (int i = 0; i < 20; i++) {
                statement.setInt(1, i);
                statement.setString(2, "name " + i);
                statement.addBatch();
            }
            System.out.println("batch " + Arrays.toString(statement.executeBatch()));
        }
        try (Statement statement = connection.createStatement()) {
            statement.addBatch("update jdbc.b set name = 'x' where id < 5");
            statement.addBatch("delete from jdbc.b where id >= 15");
            System.out.println("batch " + Arrays.toString(statement.executeBatch()));
            boolean more = statement.execute("select count(*) as n from jdbc.b; select max(id) as m from jdbc.b where name = 'x'");
            while (more) {
                print("several", statement.getResultSet());
                more = statement.getMoreResults();
            }
        }
    }

    static void failing(String sql) {
        try {
            run(sql);
            System.out.println(sql + " succeeded");
        } catch (SQLException e) {
            // Hints and details are each server's own; where a value is wrong, only PostgreSQL says the place.
            boolean place = e.getSQLState().startsWith("42");
            String message = e.getMessage().lines().map(String::strip)
                .filter(line -> !line.startsWith("Hint:") && !line.startsWith("Detail:"))
                .filter(line -> place || !line.startsWith("Position:"))
                .reduce("", (a, b) -> a + " " + b);
            System.out.println(sql + ": " + e.getSQLState() + message);
        }
    }

    static void transactions() throws SQLException {
        connection.setAutoCommit(false);
        query("select 1 as a");
        failing("select 1 / 0");
        failing("select 1");
        connection.rollback();
        Savepoint savepoint = connection.setSavepoint("s");
        failing("select nope");
        connection.rollback(savepoint);
        query("select 2 as a");
        connection.commit();
        connection.setAutoCommit(true);
        connection.setReadOnly(true);
        System.out.println(connection.isReadOnly());
        failing("create table jdbc.never (a int)");
        connection.setReadOnly(false);
        System.out.println(connection.isValid(5));
    }

    static void errors() throws SQLException {
        failing("select nope");
        failing("select * from jdbc.nosuch");
        failing("selct 1");
        failing("select 'x'::int");
        failing("insert into jdbc.t (name) values ('x')");
    }

    static void settings() throws SQLException {
        connection.setClientInfo("ApplicationName", "from jdbc");
        query("show application_name");
        System.out.println(connection.getClientInfo("ApplicationName"));
        connection.setSchema("jdbc");
        System.out.println(connection.getSchema());
        query("select count(*) as n from b");
        for (String sql : List.of("discard all", "reset all", "close all", "unlisten *")) {
            run(sql);
        }
        query("select pg_advisory_unlock_all() is not null as a");
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            statement.executeQuery("select count(*) from generate_series(1, 200000) a(x), generate_series(1, 200000) b(y) where (x + y) % 7 = 3");
        } catch (SQLException e) {
            System.out.println(e.getSQLState() + " " + e.getMessage());
        }
        query("select 3 as a");
    }
}
