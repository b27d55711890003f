-- What the owner role makes later is closed until it is granted, also where somebody forgets the revoke. Not "in schema
-- iucore": PUBLIC's right to execute is a global default, and a default of one schema can only add to it.
alter default privileges for role iucore_owner revoke execute on functions from public;
alter default privileges for role iucore_owner revoke usage on types from public;
