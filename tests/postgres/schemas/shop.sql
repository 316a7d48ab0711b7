-- What is written otherwise from one major to another, in one small shop.
create domain currency as varchar(3) check (value in ('EUR','USD'));
create table sale(id bigserial primary key, customer int not null, status varchar(20) not null check (status in ('new','paid','shipped')), cur currency not null default 'EUR');
create unique index sale_one_open on sale(customer) where status in ('new','paid');
create table ev(id bigserial primary key, json jsonb);
create table part(id bigint, k date, primary key(id,k)) partition by range(k);
create table part_1 partition of part for values from ('2026-01-01') to ('2026-07-01'); create table part_2 partition of part for values from ('2026-07-01') to ('2027-01-01');
create table item(id bigserial primary key, pid bigint, k date, foreign key (pid,k) references part);
