-- A route of every type has no type, and no lane. No row breaks the rule: every route has both now.
-- squawk-ignore ban-drop-not-null
alter table iucore.route alter column event_type drop not null;
-- squawk-ignore ban-drop-not-null
alter table iucore.route alter column delivery_lane drop not null;
-- squawk-ignore constraint-missing-not-valid
alter table iucore.route add constraint ck_route_type check ((event_type is null) = (delivery_lane is null));
comment on column iucore.route.event_type is 'The type whose events take it; null when all do.';
comment on column iucore.route.delivery_lane is 'The lane of the type; null for a route of all.';
