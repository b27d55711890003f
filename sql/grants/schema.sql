create schema iucore authorization iucore_owner;

comment on schema iucore is 'Governed text: pieces, collections, axes and the changes that made them.';

revoke all on schema iucore from public;
grant usage on schema iucore to iucore_reader, iucore_worker;
