create table iucore.route_partition (
    route text collate "C" not null,
    partition smallint not null,
    constraint pk_route_partition primary key (route, partition),
    constraint fk_route_partition_route foreign key (route) references iucore.route (route)
);

create trigger trg_route_partition_append_only before update or delete or truncate on iucore.route_partition
    for each statement execute function iucore.fn_iu_refuse_rewrite();

alter table iucore.route_partition owner to iucore_owner;
comment on table iucore.route_partition is 'The parts of a route that was live once. Workers lock a row while they take or record a batch; it is never altered.';
comment on trigger trg_route_partition_append_only on iucore.route_partition is 'Partitions of a route stay.';
revoke all on table iucore.route_partition from public;
grant select on table iucore.route_partition to iucore_reader, iucore_worker;
comment on column iucore.route_partition.route is 'The route.';
comment on column iucore.route_partition.partition is 'Counted from 0.';
