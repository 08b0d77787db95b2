-- What somebody types into psql; the output of Alcedo must be that of PostgreSQL.
set client_min_messages = warning;
drop schema if exists psql cascade;
create schema psql;
set search_path = psql, public;
create table t (id bigint not null, name varchar(20), price numeric(12,2) default 0, ok boolean, day date, at timestamptz, tags text[], u uuid, j jsonb);
create view v as select id, name from t;
insert into t (id, name, ok, day, tags) values (1, 'one', true, '2024-02-29', '{a,"b c"}'), (2, 'zwei äöü', false, null, null);
select * from t order by id;
\x on
select * from t order by id;
\x off
\dt psql.*
\dv psql.*
\d t
\d v
\d psql.*
\dt nosuch
\d nosuch
\dn psql
select 1 as a, null as b \g
select count(*) as total from t \gset
\echo :total
select id, name from t \gdesc
select 'select ' || id || ' as made' from t order by id \gexec
select nope from t;
select * from
  nosuch;
selct 1;
select 1 / 0;
begin;
select 1 as in_block;
select 1 / 0;
select 1;
rollback;
select 1 as one; select 2 as two;
\timing off
\encoding
show time zone;
set time zone 'Europe/Berlin';
select timestamptz '2024-07-01 00:00:00+00' as berlin;
reset all;
update psql.t set price = 1.5 where id = 1;
delete from psql.t where id = 2;
truncate psql.t;
set client_min_messages = warning;
drop schema psql cascade;
