create or replace function iucore.fn_iu_render(
    p_key text,
    p_as_of_change bigint default null,
    p_as_of timestamptz default null
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set random_page_cost = 1.1
set jit = off
set work_mem = '64MB'
as $$
-- The text of a collection: the bodies of its pieces, in order, nothing in between. Now, or as of a change or moment.
-- A pure read: works on a standby, touches the members only. As of a moment or change means: every change up to it that
-- is committed now. One that was under way then and committed later is seen under the number that it drew.
-- Settings: a plan made for this collection, and index lookups where they are few; a plan for a collection of average size
-- would read the pool for a small one.
-- Raises: IU003, IU008, IU018, IU026, IU033.
declare
    v_as_of bigint := iucore.fn_iu_as_of(p_as_of_change, p_as_of);
    v_collection_id uuid := iucore.fn_iu_collection_id(p_key, v_as_of);
    v_limit bigint := iucore.fn_iu_limit('render_bytes');
begin
    -- The window functions both sort the bodies and stop before a text that is too large is built.
    if exists (
        select from iucore.collection_member as m
        where m.collection_id = v_collection_id and m.child_id is not null
            and iucore.fn_iu_is_open(m.opened_change, m.closed_change, v_as_of)
    ) then
        perform iucore.fn_iu_assert_render(p_key, m.pieces, 0)
        from iucore.fn_iu_collection_measure(v_collection_id, v_as_of, p_bytes => false) as m;
        return coalesce((
            select string_agg(coalesce(s.body, iucore.fn_iu_refuse_content(s.member_id)), '')
            from (
                select c.body, p.member_id,
                    sum(c.byte_length) over (order by p.path collate "C" rows unbounded preceding) as bytes
                from iucore.fn_iu_pieces_at(v_collection_id, v_as_of) as p
                left join iucore.unit_content as c on c.content_sha256 = p.content_sha256
            ) as s
            where s.bytes is null or s.bytes <= v_limit or iucore.fn_iu_assert_render(p_key, 1, s.bytes)
        ), '');
    end if;
    return coalesce((
        select string_agg(coalesce(s.body, iucore.fn_iu_refuse_content(s.member_id)), '')
        from (
            select c.body, m.member_id,
                sum(c.byte_length) over (order by m.rank collate "C" rows unbounded preceding) as bytes
            from iucore.fn_iu_members_at(v_collection_id, v_as_of) as m
            left join iucore.unit_content as c on c.content_sha256 = m.content_sha256
        ) as s
        where s.bytes is null or s.bytes <= v_limit or iucore.fn_iu_assert_render(p_key, 1, s.bytes)
    ), '');
end
$$;

alter function iucore.fn_iu_render owner to iucore_owner;
comment on function iucore.fn_iu_render is 'The text of a collection, now or as of a change or moment.';
revoke execute on function iucore.fn_iu_render from public;
grant execute on function iucore.fn_iu_render to iucore_reader;
