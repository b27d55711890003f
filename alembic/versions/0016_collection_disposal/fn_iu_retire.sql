create or replace function iucore.fn_iu_retire(
    p_address text,
    p_reason text,
    p_refuse_if_used boolean default false,
    p_expected_version bigint default null,
    p_actor text default null,
    p_request_key text default null
)
returns table (
    unit_id uuid,
    address text,
    version bigint,
    lifecycle text,
    places bigint,
    change_id bigint,
    changed boolean
)
language plpgsql
volatile security definer
set search_path = pg_catalog, pg_temp
as $$
-- Retires a piece, as a new version with the same body: it cannot be put anywhere any more. Where it stands it stays and
-- is rendered, and validating the collection says so; with p_refuse_if_used the call refuses while it stands anywhere.
-- Returns the number of places in which it stands; fn_iu_where_used names them.
-- Locks: the row of the piece; with p_refuse_if_used also against calls that are putting it somewhere.
-- Raises: IU001, IU016, IU017, IU038 (with p_refuse_if_used, above READ COMMITTED), IU100, IU202, IU203, IU209, IU211.
declare
    v_put record;
    v_unit_id uuid;
    v_places bigint;
    v_keys text;
begin
    -- A repeated call writes nothing and refuses nothing.
    if p_refuse_if_used and not exists (select from iucore.change as c where c.request_key = p_request_key) then
        -- An older snapshot would overlook a place that was committed after it: putting a piece somewhere does not write it.
        if current_setting('transaction_isolation') <> 'read committed' then
            raise exception using errcode = 'IU038', message = 'isolation level unsuitable',
                detail = format('refuse if used, at %s', current_setting('transaction_isolation')),
                hint = 'Ask in a transaction at READ COMMITTED: begin isolation level read committed;';
        end if;
        select u.unit_id into v_unit_id from iucore.information_unit as u where u.address = p_address for update;
        select count(*), string_agg(distinct s.name, ', ' order by s.name) into v_places, v_keys
        from iucore.collection_member as m
        join iucore.collection as c on c.collection_id = m.collection_id
        cross join lateral concat(c.key, case when c.deleted_change is not null then ' (soft-deleted)' end) as s (name)
        where m.unit_id = v_unit_id and m.closed_change is null;
        if v_places > 0 then
            raise exception using errcode = 'IU211', message = 'piece is in use',
                detail = format('address: %s, places: %s, in: %s', p_address, v_places,
                    case when length(v_keys) > 500 then left(v_keys, 500) || ' ...' else v_keys end),
                hint = 'Remove or replace it there first (restore a soft-deleted collection to do so), or retire it without '
                    'p_refuse_if_used (--refuse-if-used): it then stays where it stands.';
        end if;
    end if;
    select p.unit_id, p.version, p.changed into v_put
    from iucore.fn_iu_version_put(p_address, p_expected_version, null, null, 'retired', null, 'retire', p_reason, p_actor,
        p_request_key, jsonb_build_array(p_refuse_if_used)) as p;
    -- A repeated call returns the number of its first time.
    select (r.result ->> 'places')::bigint into v_places
    from iucore.change as c
    join iucore.change_result as r on r.change_id = c.change_id
    where c.request_key = p_request_key;
    if v_places is null then
        select count(*) into v_places
        from iucore.collection_member as m
        where m.unit_id = v_put.unit_id and m.closed_change is null;
        update iucore.change_result as r
        set result = r.result || jsonb_build_object('places', v_places)
        from iucore.change as c
        where c.request_key = p_request_key and r.change_id = c.change_id;
    end if;
    return query
    select r.unit_id, r.address, r.version, r.lifecycle, v_places, r.change_id, r.changed
    from iucore.fn_iu_piece_row(v_put.unit_id, v_put.version, v_put.changed) as r;
end
$$;

alter function iucore.fn_iu_retire owner to iucore_owner;
comment on function iucore.fn_iu_retire is 'Retire a piece: no new use.';
revoke execute on function iucore.fn_iu_retire from public;
grant execute on function iucore.fn_iu_retire to iucore_operator;
