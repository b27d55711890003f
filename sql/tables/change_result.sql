create table iucore.change_result (
    change_id bigint not null,
    result jsonb not null,
    constraint pk_change_result primary key (change_id),
    constraint fk_change_result_change foreign key (change_id) references iucore.change (change_id)
);

alter table iucore.change_result owner to iucore_owner;
comment on table iucore.change_result is 'What a call with a request key returned, to be returned again when the key is repeated.';
revoke all on table iucore.change_result from public;
grant select on table iucore.change_result to iucore_auditor;
comment on column iucore.change_result.change_id is 'The call.';
comment on column iucore.change_result.result is 'Enough of its result to build the same rows again.';
