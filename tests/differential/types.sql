-- One table a group of types: what Debezium gives for each of them stands in tests/golden/debezium_types.json
-- (renewed by tests/golden/renew_types.py), and tests compare ours with it.
-- A line "-- table: <name> [needs <extension>] [version <number>] [debezium fails]" starts a table's statements. While a
-- connector streams, the rows are deleted and inserted again, then the lines "-- after: …" are run.

-- table: type_number
create table type_number (
  id int primary key, n numeric, n5_2 numeric(5, 2), n5_0 numeric(5, 0), n60_20 numeric(60, 20),
  i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision, o oid, b boolean
);
insert into type_number values
  (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false),
  (2, 123.4500, 1.5, 12345, 0.5, 32767, 2147483647, 9223372036854775807, 1.5, 0.1, 4294967295, true),
  (3, -123.45, -999.99, -99999, '-1234567890123456789012345678901234567890.12345678901234567890',
   -32768, -2147483648, -9223372036854775808, '-3.4028235e38', '1.7976931348623157e308', 1, true),
  (4, 1e40, 0.01, 1, 1, 1, 1, 1, '1e-45', '5e-324', 1, true),
  (5, 1e-40, null, null, null, null, null, null, 'Infinity', '-Infinity', null, null),
  (6, null, null, null, null, null, null, null, 'NaN', 'NaN', null, null),
  (7, 1200, null, null, null, null, null, null, 0.1, 100, null, null);

-- table: type_number_special
create table type_number_special (id int primary key, n numeric, n5_2 numeric(5, 2));
insert into type_number_special values
  (1, 'NaN', null), (2, 'Infinity', null), (3, '-Infinity', null), (4, null, 'NaN'), (5, 1, 1);

-- table: type_number_scale version 150000
create table type_number_scale (id int primary key, n3_m2 numeric(3, -2), n2_5 numeric(2, 5));
insert into type_number_scale values (1, 12345, 0.00012), (2, -99900, -0.00099), (3, null, null);

-- table: type_money
create table type_money (id int primary key, m money);
insert into type_money values (1, '12.34'), (2, '-1234567.89'), (3, '0'), (4, '92233720368547758.07'), (5, null);

-- table: type_day
create table type_day (id int primary key, d date);
insert into type_day values
  (1, '2025-07-01'), (2, '1969-12-31'), (3, '0001-01-01'), (4, '0044-03-15 BC'), (5, '4713-01-01 BC'),
  (6, '9999-12-31'), (7, '10000-01-01'), (8, '5874897-12-31'), (9, 'infinity'), (10, '-infinity'), (11, null),
  (12, '1582-10-04'), (13, '1500-02-28');

-- table: type_clock
create table type_clock (
  id int primary key, t time, t0 time(0), t3 time(3), t6 time(6), z timetz, z0 timetz(0), z3 timetz(3)
);
insert into type_clock values
  (1, '13:51:30', '13:51:30', '13:51:30', '13:51:30', '13:51:30+02', '13:51:30+02', '13:51:30+02'),
  (2, '13:51:30.123456', '13:51:30.9', '13:51:30.123', '13:51:30.123456',
   '13:51:30.123456-03:30', '13:51:30-03:30', '13:51:30.5+00'),
  (3, '24:00:00', '24:00:00', '24:00:00', '24:00:00', '00:00:00+07', '00:00:00+07', '23:59:59.999-15:59'),
  (4, '00:00:00.1', '00:00:00', '00:00:00.1', '00:00:00.000001', '01:00:00.1+00', '01:00:00+00', '01:00:00.01+00'),
  (5, null, null, null, null, null, null, null);

-- table: type_clock_end
create table type_clock_end (id int primary key, z timetz);
insert into type_clock_end values (1, '24:00:00+00'), (2, '12:00:00+01:02'), (3, '12:00:00+00');

-- table: type_moment
create table type_moment (id int primary key, t timestamp, t0 timestamp(0), t3 timestamp(3), t6 timestamp(6));
insert into type_moment values
  (1, '2025-07-01 13:51:30', '2025-07-01 13:51:30', '2025-07-01 13:51:30', '2025-07-01 13:51:30'),
  (2, '2025-07-01 13:51:30.123456', '2025-07-01 13:51:30', '2025-07-01 13:51:30.123', '2025-07-01 13:51:30.12'),
  (3, '1969-12-31 23:59:59.999999', '1969-12-31 23:59:59', '1969-12-31 23:59:59.999', '1900-01-01 00:00:00.000001'),
  (4, null, null, null, null);

-- table: type_moment_special
create table type_moment_special (id int primary key, t timestamp, t0 timestamp(0), t3 timestamp(3));
insert into type_moment_special values
  (1, '0044-03-15 12:00:00 BC', null, null), (2, '10000-01-01 00:00:00', null, null),
  (3, '294246-12-31 00:00:00', null, null), (4, 'infinity', 'infinity', 'infinity'),
  (5, '-infinity', '-infinity', '-infinity'), (6, '4713-01-01 00:00:00 BC', '0044-03-15 12:00:00 BC', null),
  (7, '0001-01-01 00:00:00', null, '10000-01-01 00:00:00.5'), (8, '1582-10-04 00:00:00', null, null),
  (9, '2300-01-01 00:00:00', '2300-01-01 00:00:00', '2300-01-01 00:00:00'), (10, '2025-07-01 00:00:00', null, null);

-- table: type_zoned
create table type_zoned (id int primary key, t timestamptz, t0 timestamptz(0), t3 timestamptz(3), t6 timestamptz(6));
insert into type_zoned values
  (1, '2025-07-01 13:51:30+07', '2025-07-01 13:51:30+07', '2025-07-01 13:51:30+00', '2025-07-01 13:51:30+00'),
  (2, '2025-07-01 13:51:30.123456+00', '2025-07-01 13:51:30+00', '2025-07-01 13:51:30.12+00',
   '2025-07-01 13:51:30.12+00'),
  (3, '1969-12-31 23:59:59.9+00', null, '0001-01-01 00:00:00+00', null),
  (4, '2025-07-01 13:51:00+00', '2025-07-01 00:00:00+00', '2025-07-01 13:51:00.5+00', null);

-- table: type_zoned_special
create table type_zoned_special (id int primary key, t timestamptz, t0 timestamptz(0));
insert into type_zoned_special values
  (1, 'infinity', 'infinity'), (2, '-infinity', '-infinity'), (3, '0044-03-15 12:00:00+00 BC', null),
  (4, '10000-01-01 00:00:00+00', null), (5, '294276-12-31 23:59:59+00', null), (6, '4713-01-01 00:00:00+00 BC', null),
  (7, '2025-07-01 00:00:00+00', null), (8, '12025-07-01 00:00:00.25+00', '12025-07-01 00:00:00+00');

-- table: type_interval
create table type_interval (id int primary key, i interval, i0 interval(0), d interval day to second);
insert into type_interval values
  (1, '1 year 2 months 3 days 04:05:06.789', '1 day', '1 day 02:03:04.5'), (2, '-1 day', '-1 day', '00:00:00.000001'),
  (3, '1 month -1 day', null, null), (4, '0', '0', '0'), (5, '-00:00:01.5', null, '-00:00:00.5'),
  (6, '178000000 years', null, null), (7, '-1 year -2 months 3 days -04:05:06.7', null, null),
  (8, '100 hours', null, '100 hours'), (9, null, null, null), (10, '13 months', null, '00:59:59.999999');

-- table: type_interval_special version 170000
create table type_interval_special (id int primary key, i interval);
insert into type_interval_special values (1, 'infinity'), (2, '-infinity'), (3, '1 day');

-- table: type_text
create type type_mood as enum ('vui', 'buồn, giận', 'c''est');
create table type_text (
  id int primary key, t text, v varchar(10), c char(5), n name, q "char", j json, b jsonb, u uuid, e type_mood
);
insert into type_text values
  (1, 'Nguyễn Văn A', 'abc', 'ab', 'tên', 'x', '{"a": 1,  "b":[1,2]}', '{"a": 1,  "b":[1,2]}',
   'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'vui'),
  (2, '', '', '', '', '', '1', '"x"', '00000000-0000-0000-0000-000000000000', 'buồn, giận'),
  (3, E'a\nb\t"\\', null, '     ', null, 'y', 'null', 'null', null, 'c''est'),
  (4, null, null, null, null, null, null, null, null, null);

-- table: type_xml needs libxml
create table type_xml (
  id int primary key, changed int default 0, x xml, d xml default '<a/>', n xml not null, a xml[], kept text
);
alter table type_xml alter x set storage external, alter n set storage external;
insert into type_xml values
  (1, 0, '<a b="1">c</a>', '<a/>', '<a/>', '{<a/>}', 'k'), (2, 0, null, null, '<b/>', null, null);
-- after: insert into type_xml values (2001, 0, ('<a>' || repeat('x', 9000) || '</a>')::xml, null, '<b/>', null, null);
-- after: update type_xml set changed = 1 where id = 2001;
-- after: delete from type_xml where id = 2001;

-- table: type_binary
create table type_binary (
  id int primary key, y bytea, b1 bit, b3 bit(3), b12 bit(12), b64 bit(64), v varbit, v1 varbit(1), v12 varbit(12)
);
insert into type_binary values
  (1, '\x00010203fffefb', '1', '101', '110000000001', b'1' || repeat('0', 63)::varbit, '1', '1', '101'),
  (2, '\x', '0', '000', '000000000000', repeat('0', 64)::bit(64), '', '', ''),
  (3, '\xdeadbeef', '0', '001', '000011110000', repeat('1', 64)::bit(64), '0000000001', '0', '100000000000'),
  (4, null, null, null, null, null, null, null, null);

-- table: type_network
create table type_network (id int primary key, i inet, c cidr, m macaddr, m8 macaddr8);
insert into type_network values
  (1, '192.168.1.5', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
  (2, '192.168.1.5/24', '2001:db8::/32', null, '08:00:2b:01:02:03'), (3, '::1', '1.2.3.4/32', null, null),
  (4, null, null, null, null);

-- table: type_range
create table type_range (
  id int primary key, i4 int4range, i8 int8range, n numrange, d daterange, t tsrange, z tstzrange
);
insert into type_range values
  (1, '[1,5]', '(1,10)', '[1.5,2.50]', '[2025-01-01,2025-02-01]', '[2025-01-01 00:00,2025-01-02 12:00:00.5)',
   '[2025-01-01 00:00+07,)'),
  (2, 'empty', '(,5]', '(,)', '[2025-01-01,infinity)', '(,)', '[0044-03-15 00:00+00 BC,10000-01-01 00:00+00)'),
  (3, null, null, null, null, null, null);

-- table: type_multirange version 140000
create table type_multirange (
  id int primary key, i4 int4multirange, n nummultirange, d datemultirange, t tsmultirange, z tstzmultirange
);
insert into type_multirange values
  (1, '{[1,5],[7,9)}', '{[1.5,2.5]}', '{}', '{[2025-01-01 00:00,2025-01-02 12:00)}', '{[2025-01-01 00:00+07,)}'),
  (2, null, null, null, null, null);

-- table: type_geometric
create table type_geometric (
  id int primary key, p point, l line, s lseg, b box, h path, g polygon, c circle
);
insert into type_geometric values
  (1, '(1.5,-2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),5>'),
  (2, '(1e300,Infinity)', null, null, null, '((0,0),(1,1))', null, null), (3, null, null, null, null, null, null, null);

-- table: type_search
create table type_search (id int primary key, v tsvector, q tsquery);
insert into type_search values
  (1, 'a fat cat', 'fat & cat'), (2, '''it''''s'':1A,3B b:2', '!a'), (3, '', ''), (4, null, null);

-- table: type_system
create table type_system (
  id int primary key, l pg_lsn, x xid, s txid_snapshot, r regclass, p jsonpath, v int2vector, o oidvector, t tid
);
insert into type_system values
  (1, '16/B374D848', '5', '10:20:10,14,15', 'pg_catalog.pg_class', '$.a[*]', '1 2 3', '1 2', '(1,2)'),
  (2, null, null, null, null, null, null, null, null);

-- table: type_domain
create domain type_positive as integer check (value > 0);
create domain type_rate as numeric(5, 2);
create domain type_open as numeric;
create domain type_code as varchar(12);
create domain type_code2 as type_code;
create domain type_words as text[];
create domain type_stamp as timestamp(3);
create domain type_zone as timestamptz;
create domain type_doc as jsonb;
create domain type_blob as bytea;
create domain type_id as uuid;
create domain type_days as date;
create domain type_flags as bit(3);
create table type_domain (
  id int primary key, i type_positive, r type_rate, n type_open, c type_code, c2 type_code2, w type_words,
  s type_stamp, z type_zone, j type_doc, b type_blob, u type_id, d type_days, f type_flags
);
insert into type_domain values
  (1, 5, 1.5, 1.25, 'ab', 'cd', '{a,NULL,"b c"}', '2025-07-01 13:51:30.123', '2025-07-01 13:51:30+07', '{"a":1}',
   '\x0102', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2025-07-01', '101'),
  (2, null, null, null, null, null, null, null, null, null, null, null, null, null);

-- table: type_domain_enum debezium fails
create type type_color as enum ('đỏ', 'xanh');
create domain type_hue as type_color;
create table type_domain_enum (id int primary key, h type_hue, a type_color[]);
insert into type_domain_enum values (1, 'đỏ', '{xanh,NULL}'), (2, null, null);

-- table: type_composite
create type type_place as (code text, lat double precision, tags text[]);
create domain type_spot as type_place;
create table type_composite (id int primary key, p type_place, s type_spot, a type_place[], kept text);
insert into type_composite values
  (1, '("a ""b""",1.5,"{x,y}")', '(a,,)', array['(a,1,{})'::type_place, null], 'k'), (2, null, null, null, null);

-- table: type_array_number
create table type_array_number (
  id int primary key, i2 smallint[], i4 integer[], i8 bigint[], f4 real[], f8 double precision[], b boolean[],
  o oid[], n numeric[], n5_2 numeric(5, 2)[]
);
insert into type_array_number values
  (1, '{1,NULL,-3}', '{1,NULL,-3}', '{1,NULL,9223372036854775807}', '{1.5,NULL,NaN}', '{1.5,NULL,-Infinity}',
   '{t,NULL,f}', '{1,NULL,4294967295}', '{1.50,NULL,12345678901234567890.5}', '{1.5,NULL,-2}'),
  (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
  (3, null, null, null, null, null, null, null, null, null);

-- table: type_array_bounds
create table type_array_bounds (id int primary key, i4 integer[], t text[]);
insert into type_array_bounds values (1, '[0:1]={1,2}', '[5:5]={a}'), (2, '{1}', '{b}');

-- table: type_array_deep
create table type_array_deep (id int primary key, i4 integer[], t text[]);
insert into type_array_deep values (1, '{{1,2},{3,NULL}}', '{{a,b},{c,NULL}}'), (2, '{1}', '{b}'), (3, '{{{1}}}', '{}');

-- table: type_array_special
create table type_array_special (id int primary key, n numeric[], d date[], t timestamp[], z timestamptz[]);
insert into type_array_special values
  (1, '{NaN}', null, null, null), (2, null, '{infinity,-infinity}', null, null), (3, null, null, '{infinity}', null),
  (4, null, null, null, '{infinity}'), (5, null, '{0044-03-15 BC,10000-01-01}', null, null),
  (6, null, null, '{0044-03-15 12:00:00 BC}', null), (7, '{1}', null, null, null);

-- table: type_array_text
create table type_array_text (
  id int primary key, t text[], v varchar(10)[], c char(3)[], u uuid[], j json[], b jsonb[], e type_mood[], y bytea[],
  q "char"[]
);
insert into type_array_text values
  (1, '{"a,b","c\"d",NULL,"NULL",""," x ","e\\f"}', '{abc,NULL}', '{ab,NULL}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}',
   array['{"a": 1}', null]::json[], array['{"a": 1}', null]::jsonb[], '{vui,NULL,"buồn, giận"}',
   array['\x0102'::bytea, null], '{x,NULL}'),
  (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
  (3, null, null, null, null, null, null, null, null, null);

-- table: type_array_time
create table type_array_time (
  id int primary key, d date[], t time[], t3 time(3)[], z timetz[], s timestamp[], s3 timestamp(3)[], w timestamptz[],
  w0 timestamptz(0)[]
);
insert into type_array_time values
  (1, '{2025-07-01,NULL}', '{13:51:30.123456,NULL}', '{13:51:30.123}', '{13:51:30+02,NULL}',
   '{"2025-07-01 13:51:30.123456",NULL}', '{"2025-07-01 13:51:30.123"}', '{"2025-07-01 13:51:30.5+07",NULL}',
   '{"2025-07-01 13:51:30+07"}'),
  (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (3, null, null, null, null, null, null, null, null);

-- table: type_array_other
create table type_array_other (
  id int primary key, i inet[], c cidr[], m macaddr[], m8 macaddr8[], r4 int4range[], r8 int8range[], rn numrange[],
  rd daterange[], rt tsrange[], rz tstzrange[]
);
insert into type_array_other values
  (1, '{192.168.1.5/24,NULL}', '{10.0.0.0/8}', '{08:00:2b:01:02:03}', '{08:00:2b:01:02:03:04:05}', '{"[1,5)",NULL}',
   '{"[1,5)"}', '{"[1.5,2]"}', '{"[2025-01-01,2025-02-01)"}', '{"[2025-01-01 00:00,)"}', '{"[2025-01-01 00:00+07,)"}'),
  (2, null, null, null, null, null, null, null, null, null, null);

-- table: type_array_none
create table type_array_none (
  id int primary key, m money[], n name[], i interval[], b bit(3)[], v varbit[], p point[],
  d type_positive[], tv tsvector[], c circle[], kept text
);
insert into type_array_none values
  (1, '{1.50}', '{a}', '{1 day}', '{101}', '{1}', '{"(1,2)"}', '{5,NULL}', '{"a"}', '{"<(0,0),5>"}', 'k'),
  (2, null, null, null, null, null, null, null, null, null, null);

-- table: type_hstore needs hstore
create table type_hstore (id int primary key, h hstore, a hstore[]);
insert into type_hstore values
  (1, 'a=>1, "b c"=>"x, y", n=>NULL, "q\"s"=>"\\"', array['a=>1'::hstore, null]), (2, '', '{}'),
  (3, 'một=>"hai", z=>1, aa=>2, B=>3, k10=>1, k9=>2, k11=>3, tỉnh=>"Hà Nội"', null), (4, null, null);

-- table: type_citext needs citext
create table type_citext (id int primary key, c citext, a citext[]);
insert into type_citext values (1, 'AbC', '{AbC,NULL}'), (2, null, null);

-- table: type_ltree needs ltree
create table type_ltree (id int primary key, l ltree, a ltree[], q lquery);
insert into type_ltree values (1, 'Top.Science', '{a.b,c}', '*.a'), (2, '', '{}', null), (3, null, null, null);

-- table: type_isbn needs isn
create table type_isbn (id int primary key, i isbn, s issn);
insert into type_isbn values (1, '978-0-393-04002-9', '1436-4522'), (2, null, null);

-- table: type_vector needs vector
create table type_vector (id int primary key, v vector(3), o vector, h halfvec(3), s sparsevec(5), a vector(2)[]);
insert into type_vector values
  (1, '[1,2.5,-3]', '[1e-10,3e38]', '[1,2.5,-65504]', '{1:1.5,5:-2}/5', '{"[1,2]"}'), (2, null, null, null, null, null),
  (3, '[0,0,0]', '[0.1]', '[0.1,0.2,0.3]', '{}/5', '{}');

-- table: type_default
create table type_default (
  id int primary key, i2 smallint default 2, i4 integer not null default 4, i8 bigint default 8,
  i8n bigint default '-8'::bigint, f4 real default 1.5, f8 double precision default 'NaN', b boolean not null default true,
  n numeric default 1.5, n5_2 numeric(5, 2) default 1.5, n5_2i numeric(5, 2) not null default 7, t text default 'abc',
  tn text not null default '', v varchar(10) default 'x', c char(5) default 'ab', d date default '2025-07-01',
  dn date not null default now(), ti time default '13:51:30', ts timestamp default '2025-07-01 13:51:30.5',
  ts3 timestamp(3) not null default current_timestamp, tz timestamptz default '2025-07-01 13:51:30+00',
  tzn timestamptz not null default now(), iv interval default '1 day 2 hours', e type_mood default 'vui',
  j json default '{"a": 1}', jb jsonb not null default '{}',
  u uuid default 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', un uuid not null default gen_random_uuid(),
  b1 bit default '1', b3 bit(3) default '101', vb varbit default '1', y bytea default '\x01', m money default 1.5,
  ip inet default '::1', p point default '(1,2)', a int[] default '{1,2}', dp type_positive default 5,
  nl text default null, nln int default null::int, ex int default 1 + 1, cat text default 'a' || 'b',
  up text default upper('a'), q text default 'it''s', z timetz default '13:51:30+02', o oid default 5,
  g int generated always as identity, gs int generated always as (id + 1) stored, nd name default 'abc'
);
insert into type_default (id, dn, ts3, tzn, un, g) overriding system value
  values (1, '2025-07-01', '2025-07-01', '2025-07-01 00:00+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1);

-- table: type_serial
create table type_serial (
  id serial primary key, s2 smallserial, s8 bigserial, g bigint generated by default as identity, e type_mood not null default 'vui'
);
insert into type_serial values (1, 2, 3, 4);

-- table: type_filler
create table type_filler (
  id int primary key, n numeric not null, n5_2 numeric(5, 2) not null, i2 smallint not null, i8 bigint not null,
  f4 real not null, f8 double precision not null, b boolean not null, m money not null, d date not null, t time not null,
  z timetz not null, ts timestamp not null, tz timestamptz not null, iv interval not null, x text not null,
  j jsonb not null, u uuid not null, e type_mood not null, y bytea not null, b1 bit not null, b3 bit(3) not null,
  ip inet not null, p point not null, a int[] not null, o oid not null, tv tsvector not null,
  dm type_rate not null, r int4range not null, t3 time(3) not null, ts3 timestamp(3) not null, c char(3) not null
);
insert into type_filler values
  (1, 1, 1, 1, 1, 1, 1, true, 1, '2025-07-01', '01:00', '01:00+00', '2025-07-01', '2025-07-01', '1 day', 'x', '1',
   'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'vui', '\x01', '1', '101', '::1', '(1,2)', '{1}', 1, 'a', 1, '[1,2)',
   '01:00', '2025-07-01', 'abc');

-- table: type_toast
create table type_toast (
  id int primary key, changed int, t text, j jsonb, y bytea, a text[], i4 int[], i8 bigint[], u uuid[], n numeric, b varbit,
  f8 double precision[], d date[], yy bytea[], v tsvector, tn text not null, vv varchar, r numrange, nn numeric[]
);
alter table type_toast alter t set storage external, alter j set storage external, alter y set storage external,
  alter a set storage external, alter i4 set storage external, alter i8 set storage external,
  alter u set storage external, alter n set storage external, alter b set storage external,
  alter f8 set storage external, alter d set storage external, alter yy set storage external,
  alter v set storage external, alter tn set storage external, alter vv set storage external,
  alter nn set storage external;
insert into type_toast values (1, 0, 'x', '1', '\x01', '{a}', '{1}', '{1}', '{}', 1, '1', '{1}', '{2025-07-01}', '{}', 'a', 'x', 'v', '[1,2)', '{1}');
-- after: insert into type_toast values (2001, 0, repeat('x', 9000), to_jsonb(repeat('x', 9000)), convert_to(repeat('x', 9000), 'UTF8'), array_fill('abcdefgh'::text, array[1000]), array_fill(1, array[3000]), array_fill(1::bigint, array[2000]), array_fill('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, array[500]), repeat('123456789', 900)::numeric, repeat('10', 40000)::varbit, array_fill(1.5::float8, array[2000]), array_fill('2025-07-01'::date, array[3000]), array_fill('\x0102'::bytea, array[1000]), (select string_agg('w' || g, ' ') from generate_series(1, 2000) g)::tsvector, repeat('x', 9000), repeat('x', 9000), '[1,2)', array_fill(1.5, array[2000]));
-- after: update type_toast set changed = 1 where id = 2001;

-- table: type_toast_hstore needs hstore
create table type_toast_hstore (id int primary key, changed int, h hstore);
alter table type_toast_hstore alter h set storage external;
insert into type_toast_hstore values (1, 0, 'a=>1');
-- after: insert into type_toast_hstore values (2001, 0, hstore('a', repeat('x', 9000)));
-- after: update type_toast_hstore set changed = 1 where id = 2001;

-- table: type_key
create table type_key (
  i8 bigint, n numeric(10, 2), u uuid, t text default 'x', d date, ts timestamptz, e type_mood, v varchar(5), primary key (t, i8, n, u, d, ts, e, v)
);
insert into type_key values (1, 1.5, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'x', '2025-07-01', '2025-07-01 00:00+00', 'vui', 'v');
